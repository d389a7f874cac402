//! Users, roles, policies and providers of identities in an inventory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{InventoryError, Owned};
use crate::access::{Document, system_policy};
use crate::clock::Moment;
use crate::ids::Ids;
use crate::model::{AccessKey, Account, Attached, OidcProvider, Policy, Role, User, an_hour};

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedRole {
    pub name: String,
    /// The trust policy; without one the role trusts every account of the cloud, and instances.
    #[serde(default)]
    pub trust: Option<Value>,
    /// The names of policies, the account's or the provider's; without them the role may do everything.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
    /// The longest session, in seconds.
    #[serde(default = "an_hour")]
    pub max_session_seconds: u64,
}

/// A user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedUser {
    pub name: String,
    /// Secrets by the ids of keys.
    #[serde(default)]
    pub access_keys: BTreeMap<String, String>,
    /// The names of policies, the account's or the provider's.
    #[serde(default)]
    pub policies: Vec<String>,
}

/// A policy of the account's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedPolicy {
    pub name: String,
    pub document: Value,
}

/// A provider of identities (OpenID Connect).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedOidcProvider {
    pub name: String,
    pub issuer: String,
    pub client_ids: Vec<String>,
    /// The key of tokens signed with HS256.
    #[serde(default)]
    pub secret: Option<String>,
    /// Subjects by tokens that are accepted as they are.
    #[serde(default)]
    pub tokens: BTreeMap<String, String>,
}

/// Adds them to an account; `uids` are all accounts of the cloud. What is there already stays as it is.
pub(super) fn apply(
    account: &mut Account,
    ids: &mut Ids,
    owned: &Owned,
    uids: &[String],
    created: Moment,
) -> Result<(), InventoryError> {
    for policy in &owned.policies {
        let document = policy.document.to_string();
        Document::read(&document).map_err(|why| wrong("policy", &policy.name, &why))?;
        let made = Policy { name: policy.name.clone(), description: String::new(), document, created };
        account.policies.entry(policy.name.clone()).or_insert(made);
    }
    for role in &owned.roles {
        let trust = role.trust.clone().unwrap_or_else(|| trusting(uids)).to_string();
        Document::read_trust(&trust).map_err(|why| wrong("role", &role.name, &why))?;
        let everything = vec!["AdministratorAccess".to_owned()];
        let policies = attached(account, &role.name, role.policies.as_ref().unwrap_or(&everything))?;
        account.roles.entry(role.name.clone()).or_insert_with(|| Role {
            name: role.name.clone(),
            id: format!("3{:017}", ids.number("role", u32::MAX)),
            trust,
            description: String::new(),
            policies,
            created,
            max_session_seconds: role.max_session_seconds,
        });
    }
    for user in &owned.users {
        let policies = attached(account, &user.name, &user.policies)?;
        account.users.entry(user.name.clone()).or_insert_with(|| User {
            name: user.name.clone(),
            id: format!("2{:017}", ids.number("user", u32::MAX)),
            display_name: user.name.clone(),
            comments: String::new(),
            policies,
            created,
        });
        for (id, secret) in &user.access_keys {
            let key =
                AccessKey::lasting(secret.clone(), format!("acs:ram::{}:user/{}", account.uid, user.name));
            account.access_keys.insert(id.clone(), AccessKey { created: Some(created), ..key });
        }
    }
    for provider in &owned.oidc_providers {
        let made = OidcProvider {
            name: provider.name.clone(),
            issuer: provider.issuer.clone(),
            client_ids: provider.client_ids.clone(),
            secret: provider.secret.clone(),
            tokens: provider.tokens.clone(),
        };
        account.oidc_providers.entry(provider.name.clone()).or_insert(made);
    }
    Ok(())
}

fn wrong(kind: &str, name: &str, why: &str) -> InventoryError {
    InventoryError::Wrong(format!("the document of {kind} `{name}` cannot be used: {why}"))
}

/// Returns the usual trust policy.
fn trusting(uids: &[String]) -> Value {
    let everyone: Vec<String> = uids.iter().map(|uid| format!("acs:ram::{uid}:root")).collect();
    let principals = json!({"RAM": everyone, "Service": ["ecs.aliyuncs.com"]});
    json!({
        "Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": principals}], "Version": "1",
    })
}

fn attached(account: &Account, whose: &str, names: &[String]) -> Result<Attached, InventoryError> {
    let kind = |name: &String| {
        if account.policies.contains_key(name) {
            Ok("Custom")
        } else if system_policy(name).is_some() {
            Ok("System")
        } else {
            let text = format!(
                "`{whose}` is said to have the policy `{name}`, which neither the account nor the provider has"
            );
            Err(InventoryError::Wrong(text))
        }
    };
    names.iter().map(|name| Ok((name.clone(), kind(name)?.to_owned()))).collect()
}
