//! Users, their access keys, and the policies attached to them.

use serde_json::{Value, json};

use super::identity::Identity;
use super::policies::{attach, attached, detach};
use crate::api::{Action, Answer, ApiError, Cx, read, refuse, write};
use crate::model::{AccessKey, Attached, User};

/// The actions of users.
pub const ACTIONS: &[Action] = &[
    write("CreateUser", &["UserName"], create),
    read("GetUser", &["UserName"], get),
    read("ListUsers", &[], list),
    write("DeleteUser", &["UserName"], delete),
    write("CreateAccessKey", &[], create_key),
    read("ListAccessKeys", &[], list_keys),
    write("UpdateAccessKey", &["UserAccessKeyId", "Status"], update_key),
    write("DeleteAccessKey", &["UserAccessKeyId"], delete_key),
    read("ListPoliciesForUser", &["UserName"], list_policies),
    write("AttachPolicyToUser", &["PolicyType", "PolicyName", "UserName"], attach_policy),
    write("DetachPolicyFromUser", &["PolicyType", "PolicyName", "UserName"], detach_policy),
];

/// How many keys a user may have.
const KEYS: usize = 2;

fn entry(user: &User) -> Value {
    json!({
        "UserName": user.name, "UserId": user.id, "DisplayName": user.display_name, "Comments": user.comments,
        "CreateDate": user.created.to_seconds(), "UpdateDate": user.created.to_seconds(),
    })
}

fn owned<'a>(cx: &'a Cx<'_>) -> Result<&'a User, ApiError> {
    // A user who names nobody means himself.
    let own = match &cx.identity {
        Identity::User(name) => Some(name.as_str()),
        _ => None,
    };
    let name = cx.params.get("UserName").or(own).ok_or_else(|| ApiError::missing("UserName"))?;
    cx.account().users.get(name).ok_or_else(|| refuse("EntityNotExist.User"))
}

fn policies_of<'a>(cx: &'a mut Cx<'_>) -> Result<&'a mut Attached, ApiError> {
    let name = owned(cx)?.name.clone();
    let user = cx.account_mut().users.get_mut(&name);
    user.map(|user| &mut user.policies).ok_or_else(|| refuse("EntityNotExist.User"))
}

/// Returns the name of a user's keys' owner.
pub fn arn(uid: &str, name: &str) -> String {
    format!("acs:ram::{uid}:user/{name}")
}

fn create(cx: &mut Cx<'_>) -> Answer {
    let name = cx.params.text("UserName");
    let proper = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.len() > 64 || !name.chars().all(proper) {
        return Err(ApiError::invalid("UserName"));
    }
    if cx.account().users.contains_key(&name) {
        return Err(refuse("EntityAlreadyExists.User"));
    }
    let user = User {
        name: name.clone(),
        id: format!("2{:017}", cx.state.ids.number("user", u32::MAX)),
        display_name: cx.params.get("DisplayName").unwrap_or(&name).to_owned(),
        comments: cx.params.text("Comments"),
        policies: Attached::new(),
        created: cx.now(),
    };
    let answer = json!({"User": entry(&user)});
    cx.account_mut().users.insert(name, user);
    Ok(answer)
}

fn get(cx: &mut Cx<'_>) -> Answer {
    Ok(json!({"User": entry(owned(cx)?)}))
}

fn list(cx: &mut Cx<'_>) -> Answer {
    let users: Vec<Value> = cx.account().users.values().map(entry).collect();
    Ok(json!({"Users": {"User": users}, "IsTruncated": false}))
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let user = owned(cx)?;
    if !user.policies.is_empty() {
        return Err(refuse("DeleteConflict.User.Policy"));
    }
    let (name, arn) = (user.name.clone(), arn(&cx.uid, &user.name));
    if cx.account().access_keys.values().any(|key| key.arn == arn) {
        return Err(refuse("DeleteConflict.User.AccessKey"));
    }
    cx.account_mut().users.remove(&name);
    Ok(json!({}))
}

fn key_entry(id: &str, key: &AccessKey) -> Value {
    let created = key.created.map_or_else(String::new, crate::clock::Moment::to_seconds);
    json!({
        "AccessKeyId": id, "Status": if key.inactive { "Inactive" } else { "Active" }, "CreateDate": created,
    })
}

fn create_key(cx: &mut Cx<'_>) -> Answer {
    let arn = arn(&cx.uid, &owned(cx)?.name);
    if cx.account().access_keys.values().filter(|key| key.arn == arn).count() >= KEYS {
        return Err(refuse("LimitExceeded.User.AccessKey"));
    }
    let id = format!("LTAI5t{}", cx.state.ids.word("key-id", 18));
    let secret = cx.state.ids.word("key-secret", 30);
    let key = AccessKey { created: Some(cx.now()), ..AccessKey::lasting(secret.clone(), arn) };
    let mut shown = key_entry(&id, &key);
    shown["AccessKeySecret"] = json!(secret);
    cx.account_mut().access_keys.insert(id, key);
    Ok(json!({"AccessKey": shown}))
}

fn list_keys(cx: &mut Cx<'_>) -> Answer {
    let arn = arn(&cx.uid, &owned(cx)?.name);
    let keys = cx.account().access_keys.iter().filter(|(_, key)| key.arn == arn);
    let keys: Vec<Value> = keys.map(|(id, key)| key_entry(id, key)).collect();
    Ok(json!({"AccessKeys": {"AccessKey": keys}}))
}

/// Returns the id of the key the call speaks of, if it is the user's.
fn key(cx: &Cx<'_>) -> Result<String, ApiError> {
    let arn = arn(&cx.uid, &owned(cx)?.name);
    let id = cx.params.required("UserAccessKeyId")?;
    let found = cx.account().access_keys.get(id).filter(|key| key.arn == arn);
    found.map(|_| id.to_owned()).ok_or_else(|| refuse("EntityNotExist.User.AccessKey"))
}

fn update_key(cx: &mut Cx<'_>) -> Answer {
    let id = key(cx)?;
    let inactive = match cx.params.required("Status")? {
        "Active" => false,
        "Inactive" => true,
        _ => return Err(ApiError::invalid("Status")),
    };
    if let Some(key) = cx.account_mut().access_keys.get_mut(&id) {
        key.inactive = inactive;
    }
    Ok(json!({}))
}

fn delete_key(cx: &mut Cx<'_>) -> Answer {
    let id = key(cx)?;
    cx.account_mut().access_keys.remove(&id);
    Ok(json!({}))
}

fn list_policies(cx: &mut Cx<'_>) -> Answer {
    Ok(attached(cx.account(), &owned(cx)?.policies))
}

fn attach_policy(cx: &mut Cx<'_>) -> Answer {
    owned(cx)?;
    attach(cx, policies_of, "EntityAlreadyExists.User.Policy")
}

fn detach_policy(cx: &mut Cx<'_>) -> Answer {
    detach(cx, policies_of, "EntityNotExist.User.Policy")
}
