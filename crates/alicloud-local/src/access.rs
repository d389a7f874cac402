//! Who may do what, as far as it matters here: Sts 2015-04-01, Ram 2015-05-01, and the location service that tells
//! older clients where products are.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Action, Answer, ApiError, Cx, read, refuse, write};
use crate::catalogue;
use crate::model::{AccessKey, Role};

/// The actions of Sts.
pub const STS: &[Action] = &[
    write("AssumeRole", &["RoleArn", "RoleSessionName"], assume_role),
    read("GetCallerIdentity", &[], caller_identity),
];

/// The actions of Ram.
pub const RAM: &[Action] = &[
    read("GetRole", &["RoleName"], get_role),
    write("CreateRole", &["RoleName", "AssumeRolePolicyDocument"], create_role),
    write("UpdateRole", &["RoleName"], update_role),
    write("DeleteRole", &["RoleName"], delete_role),
    read("ListRoles", &[], list_roles),
    read("ListPoliciesForRole", &["RoleName"], list_policies),
    write("AttachPolicyToRole", &["PolicyType", "PolicyName", "RoleName"], attach_policy),
    write("DetachPolicyFromRole", &["PolicyType", "PolicyName", "RoleName"], detach_policy),
];

/// The actions of the location service.
pub const LOCATION: &[Action] = &[read("DescribeEndpoints", &["Id", "ServiceCode"], describe_endpoints)];

fn assume_role(cx: &mut Cx<'_>) -> Answer {
    let arn = cx.params.text("RoleArn");
    let session = cx.params.text("RoleSessionName");
    let parts: Vec<&str> = arn.split(':').collect();
    let ["acs", "ram", _, owner, rest] = &parts[..] else {
        return Err(ApiError::invalid("RoleArn"));
    };
    let name = rest.strip_prefix("role/").ok_or_else(|| ApiError::invalid("RoleArn"))?.to_owned();
    let (owner, seconds) = ((*owner).to_owned(), cx.params.number::<u64>("DurationSeconds")?.unwrap_or(3600));
    if !(900..=43200).contains(&seconds) {
        return Err(refuse("InvalidParameter.DurationSeconds"));
    }
    let role = cx.state.accounts.get(&owner).and_then(|account| account.roles.get(&name));
    let role = role.ok_or_else(|| refuse("EntityNotExist.Role"))?;
    let trusted = role.trust.contains(&format!("acs:ram::{}:", cx.uid)) || owner == cx.uid;
    if !trusted {
        return Err(refuse("NoPermission"));
    }
    let role_id = role.id.clone();
    let expires = cx.now().plus(Duration::from_secs(seconds));
    let key_id = format!("STS.{}", cx.state.ids.word("sts-key", 25));
    let secret = format!("{}{}", cx.state.ids.word("sts-secret", 30), cx.state.ids.word("sts-secret", 14));
    let token = format!("CAIS{}{}", cx.state.ids.word("sts-token", 32), cx.state.ids.word("sts-token", 32));
    let assumed = format!("acs:ram::{owner}:role/{name}/{session}");
    let key = AccessKey {
        secret: secret.clone(),
        token: Some(token.clone()),
        expires: Some(expires),
        arn: assumed.clone(),
    };
    if let Some(account) = cx.state.accounts.get_mut(&owner) {
        account.access_keys.insert(key_id.clone(), key);
    }
    Ok(json!({
        "Credentials": {
            "AccessKeyId": key_id, "AccessKeySecret": secret, "SecurityToken": token,
            "Expiration": expires.to_seconds(),
        },
        "AssumedRoleUser": {"Arn": assumed, "AssumedRoleId": format!("{role_id}:{session}")},
    }))
}

fn caller_identity(cx: &mut Cx<'_>) -> Answer {
    let kind = if cx.arn.contains(":role/") { "AssumedRoleUser" } else { "Account" };
    Ok(json!({
        "AccountId": cx.uid, "UserId": cx.uid, "PrincipalId": cx.uid, "Arn": cx.arn, "IdentityType": kind,
    }))
}

fn entry(cx: &Cx<'_>, role: &Role) -> Value {
    json!({
        "RoleName": role.name, "RoleId": role.id, "Arn": format!("acs:ram::{}:role/{}", cx.uid, role.name.to_lowercase()),
        "AssumeRolePolicyDocument": role.trust, "Description": role.description,
        "CreateDate": role.created.to_seconds(), "UpdateDate": role.created.to_seconds(), "MaxSessionDuration": 3600,
    })
}

fn role<'a>(cx: &'a Cx<'_>) -> Result<&'a Role, ApiError> {
    let name = cx.params.required("RoleName")?;
    cx.account().roles.get(name).ok_or_else(|| refuse("EntityNotExist.Role"))
}

fn get_role(cx: &mut Cx<'_>) -> Answer {
    Ok(json!({"Role": entry(cx, role(cx)?)}))
}

fn list_roles(cx: &mut Cx<'_>) -> Answer {
    let roles: Vec<Value> = cx.account().roles.values().map(|role| entry(cx, role)).collect();
    Ok(json!({"Roles": {"Role": roles}, "IsTruncated": false}))
}

fn create_role(cx: &mut Cx<'_>) -> Answer {
    let name = cx.params.text("RoleName");
    if cx.account().roles.contains_key(&name) {
        return Err(refuse("EntityAlreadyExists.Role"));
    }
    let trust = cx.params.text("AssumeRolePolicyDocument");
    if serde_json::from_str::<Value>(&trust).is_err() {
        return Err(ApiError::invalid("AssumeRolePolicyDocument"));
    }
    let role = Role {
        name: name.clone(),
        id: format!("3{:017}", cx.state.ids.number("role", u32::MAX)),
        trust,
        description: cx.params.text("Description"),
        policies: std::collections::BTreeMap::new(),
        created: cx.now(),
    };
    let answer = json!({"Role": entry(cx, &role)});
    cx.account_mut().roles.insert(name, role);
    Ok(answer)
}

fn update_role(cx: &mut Cx<'_>) -> Answer {
    let name = role(cx)?.name.clone();
    let params = cx.params;
    if let Some(role) = cx.account_mut().roles.get_mut(&name) {
        if let Some(trust) = params.get("NewAssumeRolePolicyDocument") {
            trust.clone_into(&mut role.trust);
        }
        if let Some(description) = params.get("NewDescription") {
            description.clone_into(&mut role.description);
        }
    }
    get_role(cx)
}

fn delete_role(cx: &mut Cx<'_>) -> Answer {
    let role = role(cx)?;
    if !role.policies.is_empty() {
        return Err(refuse("DeleteConflict.Role.Policy"));
    }
    let name = role.name.clone();
    cx.account_mut().roles.remove(&name);
    Ok(json!({}))
}

fn list_policies(cx: &mut Cx<'_>) -> Answer {
    let policies: Vec<Value> = role(cx)?
        .policies
        .iter()
        .map(|(name, kind)| json!({"PolicyName": name, "PolicyType": kind, "DefaultVersion": "v1", "Description": ""}))
        .collect();
    Ok(json!({"Policies": {"Policy": policies}}))
}

fn attach_policy(cx: &mut Cx<'_>) -> Answer {
    let name = role(cx)?.name.clone();
    let (policy, kind) = (cx.params.text("PolicyName"), cx.params.text("PolicyType"));
    if kind != "System" && kind != "Custom" {
        return Err(ApiError::invalid("PolicyType"));
    }
    match cx.account_mut().roles.get_mut(&name).map(|role| role.policies.insert(policy, kind)) {
        Some(Some(_)) => Err(refuse("EntityAlreadyExists.Role.Policy")),
        Some(None) | None => Ok(json!({})),
    }
}

fn detach_policy(cx: &mut Cx<'_>) -> Answer {
    let name = role(cx)?.name.clone();
    let policy = cx.params.text("PolicyName");
    match cx.account_mut().roles.get_mut(&name).and_then(|role| role.policies.remove(&policy)) {
        Some(_) => Ok(json!({})),
        None => Err(refuse("EntityNotExist.Role.Policy")),
    }
}

fn describe_endpoints(cx: &mut Cx<'_>) -> Answer {
    let region = cx.params.text("Id");
    let service = cx.params.text("ServiceCode");
    if catalogue::region(&region).is_none() {
        return Err(refuse("InvalidRegionId.NotFound"));
    }
    let endpoint = match service.as_str() {
        "ecs" | "vpc" => format!("{service}.{region}.aliyuncs.com"),
        "ram" | "sts" => format!("{service}.aliyuncs.com"),
        _ => return Ok(json!({"Success": true, "Endpoints": {"Endpoint": []}})),
    };
    Ok(json!({
        "Success": true,
        "Endpoints": {"Endpoint": [{
            "Protocols": {"Protocols": ["HTTP", "HTTPS"]}, "Type": cx.params.get("Type").unwrap_or("openAPI"),
            "Namespace": "", "Id": region, "SerivceCode": service, "Endpoint": endpoint,
        }]},
    }))
}
