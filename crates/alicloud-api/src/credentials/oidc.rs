//! A role, assumed with the token of an identity provider: what a pod of Kubernetes has instead of a key.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;

use super::{Credentials, CredentialsProvider, Files, Ground, StaticCredentials};
use crate::{Client, Error, ErrorKind, RegionId, Result, Secret, SignatureMethod, sts};

/// Credentials of a role: STS `AssumeRoleWithOIDC`, 2015-04-01. The call is not signed; the token in its body is the
/// proof. Its file is read anew each time, since whoever runs the machine replaces it.
///
/// Every call assumes the role anew; wrap it in [`Renewing`](super::Renewing).
#[derive(Debug)]
pub struct AssumeRoleWithOidc {
    client: Client,
    /// All but the token.
    role: sts::AssumeRoleWithOIDC,
    token_file: PathBuf,
    files: Arc<dyn Files>,
}

impl AssumeRoleWithOidc {
    /// Returns the provider of `role`, whose token is read from `token_file`. `region` is whose STS is asked.
    ///
    /// # Errors
    ///
    /// Those of [`Client::new`].
    pub fn new(
        role: sts::AssumeRoleWithOIDC,
        token_file: PathBuf,
        files: Arc<dyn Files>,
        ground: &Ground,
        region: RegionId,
    ) -> Result<AssumeRoleWithOidc> {
        let nobody = Arc::new(StaticCredentials(Credentials::new("", "")));
        let mut config = ground.client_config(nobody, region);
        config.signature = SignatureMethod::Unsigned;
        Ok(AssumeRoleWithOidc { client: Client::new(config)?, role, token_file, files })
    }

    async fn token(&self) -> Result<Secret> {
        let (files, path) = (Arc::clone(&self.files), self.token_file.clone());
        let shown = path.display().to_string();
        let wrong = |why: String| Error::new(ErrorKind::Credentials, format!("token file `{shown}`: {why}"));
        // A file may be on a disk that takes its time.
        let read = tokio::task::spawn_blocking(move || files.read(&path)).await;
        let text = match read {
            Ok(Ok(text)) => Secret::new(text),
            Ok(Err(error)) => return Err(wrong(error.to_string())),
            Err(error) => return Err(wrong(error.to_string())),
        };
        match text.expose().trim() {
            "" => Err(wrong("it is empty".to_owned())),
            token => Ok(Secret::new(token)),
        }
    }
}

#[async_trait]
impl CredentialsProvider for AssumeRoleWithOidc {
    async fn credentials(&self) -> Result<Credentials> {
        let request = sts::AssumeRoleWithOIDC { oidc_token: Some(self.token().await?), ..self.role.clone() };
        let answer = self.client.sts().assume_role_with_oidc(&request).await?;
        Ok(Credentials::from(&answer.credentials))
    }
}
