//! Who signs. A client asks its provider before every try, so that credentials which expire are renewed in one place.
//!
//! Each provider is a file and useful on its own: a plain key, a role assumed over any other provider, an identity
//! provider's token, the metadata service of an instance, an address, a program, a profile of the command-line tool's
//! file. Those that ask elsewhere ask at every call: [`Renewing`] keeps what they gave until shortly before it
//! expires. [`find`] decides which source wins, and tells of all the others why they do not.
//!
//! Nothing here reads the environment or a file by itself: see [`Outside`].

mod answers;
mod assume_role;
mod chain;
mod ecs_metadata;
mod files;
mod from_profile;
mod oidc;
mod process;
mod profile;
mod renewing;
mod static_keys;
mod uri;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Result, Secret};

pub use assume_role::AssumeRole;
pub use chain::{Asked, Found, NotFound, Passed, REGION_VARIABLES, find, fingerprint};
pub use ecs_metadata::{EcsMetadata, MetadataService};
pub use files::{Files, Lookup, Outside};
pub use from_profile::Ground;
pub use oidc::AssumeRoleWithOidc;
pub use process::Process;
pub use profile::{Mode, Profile, ProfileFile};
pub use renewing::{CredentialsObserver, Renewing};
pub use static_keys::StaticCredentials;
pub use uri::CredentialsUri;

/// An access key, with the security token if it is a temporary one.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The id of the access key (`LTAI…`, or `STS.…` for a temporary one); not a secret.
    pub access_key_id: String,
    /// The secret that signs.
    pub access_key_secret: Secret,
    /// The token of temporary (STS) credentials.
    pub security_token: Option<Secret>,
    /// When they stop working, where the source tells.
    pub expires: Option<Timestamp>,
}

impl Credentials {
    /// A permanent access key.
    pub fn new(access_key_id: impl Into<String>, access_key_secret: impl Into<Secret>) -> Credentials {
        Credentials {
            access_key_id: access_key_id.into(),
            access_key_secret: access_key_secret.into(),
            security_token: None,
            expires: None,
        }
    }

    /// The same with a security token; an empty one counts as absent.
    pub fn with_security_token(mut self, token: impl Into<Secret>) -> Credentials {
        self.security_token = Some(token.into()).filter(|token| !token.is_empty());
        self
    }

    /// The same, valid until `expires`.
    pub fn until(mut self, expires: Timestamp) -> Credentials {
        self.expires = Some(expires);
        self
    }
}

/// Gives the credentials to sign with. Called before every try of every call: an implementation that has to ask
/// elsewhere is wrapped in [`Renewing`].
#[async_trait]
pub trait CredentialsProvider: fmt::Debug + Send + Sync {
    /// Returns credentials valid now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credentials`](crate::ErrorKind::Credentials) when there are none; the message names the source.
    async fn credentials(&self) -> Result<Credentials>;

    /// Is told that the cloud took `credentials` for expired, so that they are not given again: its clock decides,
    /// and it may differ from ours. Returns whether the next credentials may be others.
    fn expired(&self, credentials: &Credentials) -> bool {
        let _ = credentials;
        false
    }
}
