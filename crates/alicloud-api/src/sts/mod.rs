//! Security Token Service, 2015-04-01: who am I, and be somebody else for a while.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Credentials, Secret, action::action};

crate::action::handle! {
    /// The Sts calls; from [`Client::sts`](crate::Client::sts).
    Sts
}

/// Asks whose keys these are. Needs no permission.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GetCallerIdentity {}

/// Whose keys they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetCallerIdentityAnswer {
    /// The account.
    pub account_id: String,
    /// The user or role: `acs:ram::…:user/…`.
    pub arn: String,
    /// `Account`, `RAMUser` or `AssumedRoleUser`.
    pub identity_type: String,
    /// The id of user or role.
    pub principal_id: String,
    /// The id of the user, if it is one.
    pub user_id: String,
}

action!(
    /// Returns whose keys these are.
    Sts.get_caller_identity(GetCallerIdentity) -> GetCallerIdentityAnswer, Read, 10 s
);

/// Assumes a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRole {
    /// The role: `acs:ram::<account>:role/<name>`.
    pub role_arn: String,
    /// What the session is called in logs: 2–64 of letters, digits, `. @ - _`.
    pub role_session_name: String,
    /// Seconds, 900 to the role's maximum; the API's default is 3600.
    pub duration_seconds: Option<u32>,
    /// A policy that narrows the role's rights further.
    pub policy: Option<String>,
    /// What the role's owner agreed on with the caller.
    pub external_id: Option<String>,
}

/// The role's credentials.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRoleAnswer {
    /// What to sign with from now on.
    pub credentials: SessionCredentials,
    /// Who one is now.
    #[serde(default)]
    pub assumed_role_user: AssumedRoleUser,
}

/// Credentials that expire.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionCredentials {
    /// `STS.…`.
    pub access_key_id: String,
    /// The secret.
    pub access_key_secret: Secret,
    /// The token.
    pub security_token: Secret,
    /// When they expire.
    pub expiration: Timestamp,
}

impl From<&SessionCredentials> for Credentials {
    fn from(session: &SessionCredentials) -> Credentials {
        Credentials::new(session.access_key_id.clone(), session.access_key_secret.clone())
            .with_security_token(session.security_token.clone())
            .until(session.expiration)
    }
}

/// A role in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AssumedRoleUser {
    /// `acs:sts::<account>:assumed-role/<role>/<session>`.
    pub arn: String,
    /// `<role id>:<session>`.
    pub assumed_role_id: String,
}

action!(
    /// Returns credentials of a role.
    Sts.assume_role(AssumeRole) -> AssumeRoleAnswer, Safe, 10 s
);

/// Assumes a role with the token of an identity provider. Not signed: see
/// [`SignatureMethod::Unsigned`](crate::SignatureMethod::Unsigned).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRoleWithOIDC {
    /// The role: `acs:ram::<account>:role/<name>`.
    pub role_arn: String,
    /// The identity provider: `acs:ram::<account>:oidc-provider/<name>`.
    #[serde(rename = "OIDCProviderArn")]
    pub oidc_provider_arn: String,
    /// What the identity provider says of the caller.
    #[serde(
        rename = "OIDCToken",
        serialize_with = "Secret::to_wire",
        skip_serializing_if = "Option::is_none"
    )]
    pub oidc_token: Option<Secret>,
    /// What the session is called in logs: 2–64 of letters, digits, `. @ - _`.
    pub role_session_name: String,
    /// Seconds, 900 to the role's maximum; the API's default is 3600.
    pub duration_seconds: Option<u32>,
    /// A policy that narrows the role's rights further.
    pub policy: Option<String>,
}

action!(
    /// Returns credentials of a role.
    Sts.assume_role_with_oidc(AssumeRoleWithOIDC) -> AssumeRoleAnswer, Safe, 10 s, private: ["OIDCToken"]
);
