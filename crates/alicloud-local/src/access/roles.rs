//! Roles, and the policies attached to them.

use serde_json::{Value, json};

use super::policies::{attach, attached, detach};
use super::policy::Document;
use super::sts::find;
use crate::api::{Action, Answer, ApiError, Cx, read, refuse, write};
use crate::model::{Attached, Role, an_hour};

/// The actions of roles.
pub const ACTIONS: &[Action] = &[
    read("GetRole", &["RoleName"], get),
    write("CreateRole", &["RoleName", "AssumeRolePolicyDocument"], create),
    write("UpdateRole", &["RoleName"], update),
    write("DeleteRole", &["RoleName"], delete),
    read("ListRoles", &[], list),
    read("ListPoliciesForRole", &["RoleName"], list_policies),
    write("AttachPolicyToRole", &["PolicyType", "PolicyName", "RoleName"], attach_policy),
    write("DetachPolicyFromRole", &["PolicyType", "PolicyName", "RoleName"], detach_policy),
];

fn entry(cx: &Cx<'_>, role: &Role) -> Value {
    json!({
        "RoleName": role.name, "RoleId": role.id,
        "Arn": format!("acs:ram::{}:role/{}", cx.uid, role.name.to_lowercase()),
        "AssumeRolePolicyDocument": role.trust, "Description": role.description,
        "CreateDate": role.created.to_seconds(), "UpdateDate": role.created.to_seconds(),
        "MaxSessionDuration": role.max_session_seconds,
    })
}

fn owned<'a>(cx: &'a Cx<'_>) -> Result<&'a Role, ApiError> {
    let name = cx.params.required("RoleName")?;
    find(cx.state, &cx.uid, name).ok_or_else(|| refuse("EntityNotExist.Role"))
}

fn policies_of<'a>(cx: &'a mut Cx<'_>) -> Result<&'a mut Attached, ApiError> {
    let name = owned(cx)?.name.clone();
    let role = cx.account_mut().roles.get_mut(&name);
    role.map(|role| &mut role.policies).ok_or_else(|| refuse("EntityNotExist.Role"))
}

/// Refuses a trust policy that cannot be read, and says why.
fn trust(text: &str, parameter: &str) -> Result<String, ApiError> {
    match Document::read_trust(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(why) => {
            let error = ApiError::invalid(parameter);
            let message = format!("{} ({why})", error.message);
            Err(error.saying(message))
        }
    }
}

fn duration(cx: &Cx<'_>, parameter: &str) -> Result<Option<u64>, ApiError> {
    let seconds: Option<u64> = cx.params.number(parameter)?;
    match seconds {
        Some(seconds) if !(3600..=43200).contains(&seconds) => Err(ApiError::invalid(parameter)),
        other => Ok(other),
    }
}

fn get(cx: &mut Cx<'_>) -> Answer {
    Ok(json!({"Role": entry(cx, owned(cx)?)}))
}

fn list(cx: &mut Cx<'_>) -> Answer {
    let roles: Vec<Value> = cx.account().roles.values().map(|role| entry(cx, role)).collect();
    Ok(json!({"Roles": {"Role": roles}, "IsTruncated": false}))
}

fn create(cx: &mut Cx<'_>) -> Answer {
    let name = cx.params.text("RoleName");
    if find(cx.state, &cx.uid, &name).is_some() {
        return Err(refuse("EntityAlreadyExists.Role"));
    }
    let role = Role {
        name: name.clone(),
        id: format!("3{:017}", cx.state.ids.number("role", u32::MAX)),
        trust: trust(&cx.params.text("AssumeRolePolicyDocument"), "AssumeRolePolicyDocument")?,
        description: cx.params.text("Description"),
        policies: Attached::new(),
        created: cx.now(),
        max_session_seconds: duration(cx, "MaxSessionDuration")?.unwrap_or_else(an_hour),
    };
    let answer = json!({"Role": entry(cx, &role)});
    cx.account_mut().roles.insert(name, role);
    Ok(answer)
}

fn update(cx: &mut Cx<'_>) -> Answer {
    let name = owned(cx)?.name.clone();
    let params = cx.params;
    let new = "NewAssumeRolePolicyDocument";
    let trust = params.get(new).map(|text| trust(text, new)).transpose()?;
    let seconds = duration(cx, "NewMaxSessionDuration")?;
    if let Some(role) = cx.account_mut().roles.get_mut(&name) {
        if let Some(trust) = trust {
            role.trust = trust;
        }
        if let Some(description) = params.get("NewDescription") {
            description.clone_into(&mut role.description);
        }
        role.max_session_seconds = seconds.unwrap_or(role.max_session_seconds);
    }
    get(cx)
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let role = owned(cx)?;
    if !role.policies.is_empty() {
        return Err(refuse("DeleteConflict.Role.Policy"));
    }
    let name = role.name.clone();
    cx.account_mut().roles.remove(&name);
    Ok(json!({}))
}

fn list_policies(cx: &mut Cx<'_>) -> Answer {
    Ok(attached(cx.account(), &owned(cx)?.policies))
}

fn attach_policy(cx: &mut Cx<'_>) -> Answer {
    owned(cx)?;
    attach(cx, policies_of, "EntityAlreadyExists.Role.Policy")
}

fn detach_policy(cx: &mut Cx<'_>) -> Answer {
    detach(cx, policies_of, "EntityNotExist.Role.Policy")
}
