//! A key that is given and stays.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Credentials, CredentialsProvider};
use crate::Result;

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
