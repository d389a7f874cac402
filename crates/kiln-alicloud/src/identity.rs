//! Who one is in the cloud: which source of credentials won, and whom the cloud takes its key for.

use alicloud_api::Credentials;
use alicloud_api::sts::GetCallerIdentity;
use jiff::Timestamp;
use kiln_core::decode::decode;
use kiln_core::diagnostic::Fault;
use kiln_core::error::{Error, Result};
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use crate::cloud::{Cloud, Setup};
use crate::config::{Access, AccessConfig, Config};
use crate::failure::Doing as _;

/// Somebody who may be signed in: the source that won, before the cloud is asked.
pub struct SignIn {
    cloud: Cloud,
    /// Where the credentials come from, in words.
    pub source: String,
    /// The other sources, each with why it was passed over.
    pub passed: Vec<(String, String)>,
    /// Where builds would run, if anything says so.
    pub region: Option<String>,
    /// What the user should know of the source.
    pub warnings: Vec<String>,
    /// What is said of it in the embedded cloud.
    pub note: Option<String>,
}

/// Whom the cloud knows.
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// User or role.
    pub arn: String,
    /// `Account`, `RAMUser` or `AssumedRoleUser`.
    pub kind: String,
    /// The id of the access key; not a secret.
    pub key: String,
    /// When the key expires, if it does.
    pub expires: Option<Timestamp>,
}

/// Returns as whom a build with these settings signs in; `None`: its builder is none of this room.
///
/// # Errors
///
/// Faults of the settings, or no source, with those that were tried.
pub fn sign_in_of_build(
    setup: &Setup,
    builder_type: &str,
    settings: &Value,
    scope: &Scope,
) -> Option<Result<SignIn, Vec<Fault>>> {
    match builder_type {
        "alicloud-ecs" => Some(decode::<Config>(settings, scope).and_then(|config| {
            sign_in(&config.access, setup).map_err(|error| vec![crate::failure::fault(&error)])
        })),
        _ => None,
    }
}

/// Returns as whom one signs in where no template says anything.
///
/// # Errors
///
/// There is no source; the sources tried are in the hints.
pub fn sign_in_of_environment(setup: &Setup) -> Result<SignIn> {
    sign_in(&AccessConfig::default(), setup)
}

fn sign_in(config: &AccessConfig, setup: &Setup) -> Result<SignIn> {
    let (access, region) = Access::resolve(config, setup).map_err(|refusal| refusal.error())?;
    of_access(setup, access, region.map(|region| region.to_string()))
}

fn of_access(setup: &Setup, access: Access, region: Option<String>) -> Result<SignIn> {
    let passed = access.passed.iter().map(|passed| (passed.source.to_owned(), passed.why.clone())).collect();
    Ok(SignIn {
        cloud: Cloud::connect(setup, &access)?,
        source: access.source,
        passed,
        region,
        warnings: access.warnings,
        note: access.note,
    })
}

impl SignIn {
    /// Asks the cloud. Needs no permission.
    ///
    /// # Errors
    ///
    /// The source gives nothing, or the cloud refuses what it gives.
    pub async fn ask(&self) -> Result<Identity> {
        let from = || format!("sign in with {}", self.source);
        let Credentials { access_key_id, expires, .. } = self.cloud.credentials().await.doing(from())?;
        let answer = self.cloud.sts().get_caller_identity(&GetCallerIdentity {}).await.doing(from())?;
        Ok(Identity {
            account: answer.account_id,
            arn: answer.arn,
            kind: answer.identity_type,
            key: access_key_id,
            expires,
        })
    }
}

impl crate::config::Refusal {
    /// Returns the refusal as an error, with the sources tried as advice.
    pub(crate) fn error(&self) -> Error {
        let (_, message, hint) = self.told();
        let error = Error::new(format!("no credentials: {message}"));
        if hint.is_empty() { error } else { error.hint(hint) }
    }
}
