//! Who signs. A client asks its provider before every try, so that credentials which expire are renewed in one place.
//!
//! Here: the triple itself and the provider that always gives the same one. Which source to use (profile, role,
//! metadata service) is for the caller to decide.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{Result, Secret};

/// An access key, with the security token if it is a temporary one.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The id of the access key (`LTAI…`, or `STS.…` for a temporary one); not a secret.
    pub access_key_id: String,
    /// The secret that signs.
    pub access_key_secret: Secret,
    /// The token of temporary (STS) credentials.
    pub security_token: Option<Secret>,
}

impl Credentials {
    /// A permanent access key.
    pub fn new(access_key_id: impl Into<String>, access_key_secret: impl Into<Secret>) -> Credentials {
        Credentials {
            access_key_id: access_key_id.into(),
            access_key_secret: access_key_secret.into(),
            security_token: None,
        }
    }

    /// The same with a security token; an empty one counts as absent.
    pub fn with_security_token(mut self, token: impl Into<Secret>) -> Credentials {
        self.security_token = Some(token.into()).filter(|token| !token.is_empty());
        self
    }
}

/// Gives the credentials to sign with. Called before every try of every call: an implementation that has to ask
/// elsewhere keeps what it got until shortly before it expires.
#[async_trait]
pub trait CredentialsProvider: fmt::Debug + Send + Sync {
    /// Returns credentials valid now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credentials`](crate::ErrorKind::Credentials) when there are none; the message names the source.
    async fn credentials(&self) -> Result<Credentials>;
}

/// The provider that always gives the same credentials.
#[derive(Clone, Debug)]
pub struct StaticCredentials(pub Credentials);

#[async_trait]
impl CredentialsProvider for StaticCredentials {
    async fn credentials(&self) -> Result<Credentials> {
        Ok(self.0.clone())
    }
}

impl From<Credentials> for Arc<dyn CredentialsProvider> {
    fn from(credentials: Credentials) -> Arc<dyn CredentialsProvider> {
        Arc::new(StaticCredentials(credentials))
    }
}
