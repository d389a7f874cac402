//! Who there is: keys, users, roles, policies, and providers of identities.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// An access key: of the account itself, of a user, or a temporary one of a role.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// The secret.
    pub secret: String,
    /// The token that must come along with a temporary key.
    pub token: Option<String>,
    /// When a temporary key ends.
    pub expires: Option<Moment>,
    /// Whose key it is: `acs:ram::<account>:root`, `…:user/<name>`, `…:role/<name>/<session>`.
    pub arn: String,
    /// What a temporary key may do at most, where whoever asked for it said so.
    #[serde(default)]
    pub policy: Option<String>,
    /// Whether it was switched off.
    #[serde(default)]
    pub inactive: bool,
    /// When a user's key was made.
    #[serde(default)]
    pub created: Option<Moment>,
}

impl AccessKey {
    /// A key that does not end.
    pub fn lasting(secret: String, arn: String) -> AccessKey {
        AccessKey { secret, token: None, expires: None, arn, policy: None, inactive: false, created: None }
    }
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("AccessKey")
            .field("arn", &self.arn)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Policies that are attached to somebody: their types (`System`, `Custom`) by their names.
pub type Attached = BTreeMap<String, String>;

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub id: String,
    pub trust: String,
    pub description: String,
    pub policies: Attached,
    pub created: Moment,
    /// The longest a session may last, in seconds.
    #[serde(default = "an_hour")]
    pub max_session_seconds: u64,
}

/// The longest session of a role that says nothing else, in seconds.
pub fn an_hour() -> u64 {
    3600
}

/// A user of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub id: String,
    pub display_name: String,
    pub comments: String,
    pub policies: Attached,
    pub created: Moment,
}

/// A policy of an account's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Policy {
    pub name: String,
    pub description: String,
    pub document: String,
    pub created: Moment,
}

/// Somebody outside whose tokens are accepted (OpenID Connect).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OidcProvider {
    pub name: String,
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// What its tokens may say in `aud`.
    pub client_ids: Vec<String>,
    /// The key of tokens signed with HS256.
    pub secret: Option<String>,
    /// Subjects by tokens that are accepted as they are.
    pub tokens: BTreeMap<String, String>,
}
