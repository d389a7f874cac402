//! A role, assumed with the credentials of any other provider.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Credentials, CredentialsProvider, Ground};
use crate::{Client, RegionId, Result, sts};

/// Credentials of a role: STS `AssumeRole`, 2015-04-01, in the region's own STS or else the central one.
///
/// Every call assumes the role anew; wrap it in [`Renewing`](super::Renewing).
#[derive(Debug)]
pub struct AssumeRole {
    client: Client,
    role: sts::AssumeRole,
}

impl AssumeRole {
    /// Returns the provider of `role` for who has the credentials of `base`. `region` is whose STS is asked.
    ///
    /// # Errors
    ///
    /// Those of [`Client::new`].
    pub fn over(
        base: Arc<dyn CredentialsProvider>,
        role: sts::AssumeRole,
        ground: &Ground,
        region: RegionId,
    ) -> Result<AssumeRole> {
        Ok(AssumeRole { client: ground.client(base, region)?, role })
    }
}

#[async_trait]
impl CredentialsProvider for AssumeRole {
    async fn credentials(&self) -> Result<Credentials> {
        let answer = self.client.sts().assume_role(&self.role).await?;
        Ok(Credentials::from(&answer.credentials))
    }
}
