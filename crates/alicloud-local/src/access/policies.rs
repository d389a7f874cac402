//! Policies: the account's own, and attaching them to somebody.

use serde_json::{Value, json};

use super::permission::document;
use super::policy::Document;
use super::system;
use crate::api::{Action, Answer, ApiError, Cx, read, refuse, write};
use crate::model::{Account, Attached, Policy};

/// The actions of policies.
pub const ACTIONS: &[Action] = &[
    write("CreatePolicy", &["PolicyName", "PolicyDocument"], create),
    read("GetPolicy", &["PolicyName", "PolicyType"], get),
    read("ListPolicies", &[], list),
    write("DeletePolicy", &["PolicyName"], delete),
];

const CUSTOM: &str = "Custom";
const SYSTEM: &str = "System";

fn kind(cx: &Cx<'_>) -> Result<&'static str, ApiError> {
    match cx.params.required("PolicyType")? {
        "System" => Ok(SYSTEM),
        "Custom" => Ok(CUSTOM),
        _ => Err(ApiError::invalid("PolicyType")),
    }
}

fn attachments(account: &Account) -> impl Iterator<Item = &Attached> {
    let users = account.users.values().map(|user| &user.policies);
    users.chain(account.roles.values().map(|role| &role.policies))
}

fn count(account: &Account, name: &str, kind: &str) -> usize {
    attachments(account).filter(|attached| attached.get(name).is_some_and(|of| of == kind)).count()
}

/// Writes an entry of a policy. The provider's have no date here.
fn entry(account: &Account, name: &str, kind: &str) -> Value {
    let own = account.policies.get(name).filter(|_| kind == CUSTOM);
    let created = own.map_or_else(String::new, |policy| policy.created.to_seconds());
    json!({
        "PolicyName": name, "PolicyType": kind, "DefaultVersion": "v1", "AttachmentCount": count(account, name, kind),
        "Description": own.map_or("", |policy| &policy.description), "CreateDate": created, "UpdateDate": created,
    })
}

fn create(cx: &mut Cx<'_>) -> Answer {
    let (name, text) = (cx.params.text("PolicyName"), cx.params.text("PolicyDocument"));
    if name.len() > 128 || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        return Err(ApiError::invalid("PolicyName"));
    }
    if let Err(why) = Document::read(&text) {
        let error = ApiError::invalid("PolicyDocument");
        let message = format!("{} ({why})", error.message);
        return Err(error.saying(message));
    }
    if cx.account().policies.contains_key(&name) || system::policy(&name).is_some() {
        return Err(refuse("EntityAlreadyExists.Policy"));
    }
    let policy = Policy {
        name: name.clone(),
        description: cx.params.text("Description"),
        document: text,
        created: cx.now(),
    };
    cx.account_mut().policies.insert(name.clone(), policy);
    Ok(json!({"Policy": entry(cx.account(), &name, CUSTOM)}))
}

fn get(cx: &mut Cx<'_>) -> Answer {
    let (name, kind) = (cx.params.text("PolicyName"), kind(cx)?);
    let document = document(cx.account(), &name, kind).ok_or_else(|| refuse("EntityNotExist.Policy"))?;
    let policy = entry(cx.account(), &name, kind);
    let version = json!({
        "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": policy["CreateDate"], "PolicyDocument": document,
    });
    Ok(json!({"Policy": policy, "DefaultPolicyVersion": version}))
}

fn list(cx: &mut Cx<'_>) -> Answer {
    let wanted = cx.params.get("PolicyType").map(|_| kind(cx)).transpose()?;
    let account = cx.account();
    let own = account.policies.keys().map(|name| (name.as_str(), CUSTOM));
    let all = own.chain(system::names().map(|name| (name, SYSTEM)));
    let policies: Vec<Value> = all
        .filter(|(_, kind)| wanted.is_none_or(|wanted| wanted == *kind))
        .map(|(name, kind)| entry(account, name, kind))
        .collect();
    Ok(json!({"Policies": {"Policy": policies}, "IsTruncated": false}))
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let name = cx.params.text("PolicyName");
    let account = cx.account();
    if !account.policies.contains_key(&name) {
        return Err(refuse("EntityNotExist.Policy"));
    }
    let attached = |policies: &Attached| policies.get(&name).is_some_and(|kind| kind == CUSTOM);
    if account.users.values().any(|user| attached(&user.policies)) {
        return Err(refuse("DeleteConflict.Policy.User"));
    }
    if account.roles.values().any(|role| attached(&role.policies)) {
        return Err(refuse("DeleteConflict.Policy.Role"));
    }
    cx.account_mut().policies.remove(&name);
    Ok(json!({}))
}

/// Answers with the policies attached to somebody.
pub fn attached(account: &Account, policies: &Attached) -> Value {
    let list: Vec<Value> = policies.iter().map(|(name, kind)| entry(account, name, kind)).collect();
    json!({"Policies": {"Policy": list}})
}

/// How to find the policies of whomever a call speaks of.
type Whose = for<'a> fn(&'a mut Cx<'_>) -> Result<&'a mut Attached, ApiError>;

/// Attaches a policy; `there` is the code for one that is attached already.
pub fn attach(cx: &mut Cx<'_>, whose: Whose, there: &str) -> Answer {
    let (name, kind) = (cx.params.text("PolicyName"), kind(cx)?);
    if document(cx.account(), &name, kind).is_none() {
        return Err(refuse("EntityNotExist.Policy"));
    }
    match whose(cx)?.insert(name, kind.to_owned()) {
        Some(_) => Err(refuse(there)),
        None => Ok(json!({})),
    }
}

/// Detaches a policy; `absent` is the code for one that is not attached.
pub fn detach(cx: &mut Cx<'_>, whose: Whose, absent: &str) -> Answer {
    let (name, kind) = (cx.params.text("PolicyName"), kind(cx)?);
    let policies = whose(cx)?;
    if policies.get(&name).is_none_or(|of| of != kind) {
        return Err(refuse(absent));
    }
    policies.remove(&name);
    Ok(json!({}))
}
