//! Who builds and where: the fields of signing in, and what they come to.

use std::sync::Arc;

use alicloud_api::credentials::StaticCredentials;
use alicloud_api::{Credentials, CredentialsProvider, RegionId};
use kiln_core::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::{Check, given};
use crate::cloud::Setup;

/// The fields of signing in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct AccessConfig {
    /// Access key id. From `ALICLOUD_ACCESS_KEY` if unset.
    pub access_key: Option<String>,
    /// Access key secret. From `ALICLOUD_SECRET_KEY` if unset.
    pub secret_key: Option<Secret>,
    /// Token of temporary credentials. From `SECURITY_TOKEN` if the key comes from the environment.
    pub security_token: Option<Secret>,
    /// **Required.** Region to build in, such as `cn-beijing`. From `ALICLOUD_REGION` if unset.
    pub region: Option<String>,
    /// Do not check that the region exists.
    pub skip_region_validation: bool,
    /// Also find source images that are not offered any more.
    pub skip_image_validation: bool,
    /// Host (or URL) of the ECS API in `region`, for private clouds; VPC calls follow it unless
    /// `ALICLOUD_VPC_ENDPOINT` is set.
    pub custom_endpoint_ecs: Option<String>,
}

/// An account and a region: who signs, and where the source of that stands.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Who signs.
    pub provider: Arc<dyn CredentialsProvider>,
    /// Where to build.
    pub region: RegionId,
    /// Where the credentials come from, in words; nothing secret.
    pub source: String,
    /// Tells this account from others in the same run (builds of one account share a network): the source, and what
    /// names the account there, such as the access key id, the profile or the role. Stands in journals; not secret.
    pub identity: String,
    /// What must not be shown, as far as it is known before anything is asked.
    pub secrets: Vec<Secret>,
    /// Host or URL of the ECS API.
    pub endpoint_ecs: Option<String>,
}

impl Access {
    /// Returns the access of a plain key, for builders with fields and variables of their own.
    pub(crate) fn from_keys(credentials: Credentials, region: RegionId, source: &str) -> Access {
        let identity = format!("{source}: {}", credentials.access_key_id);
        let mut secrets = vec![Secret::new(credentials.access_key_secret.expose())];
        secrets.extend(credentials.security_token.as_ref().map(|token| Secret::new(token.expose())));
        Access {
            provider: Arc::new(StaticCredentials(credentials)),
            region,
            source: source.to_owned(),
            identity,
            secrets,
            endpoint_ecs: None,
        }
    }
}

impl Check<'_> {
    /// Returns who builds and where.
    pub(super) fn access(&mut self, config: &AccessConfig, setup: &Setup) -> Option<Access> {
        let credentials = self.credentials(config, setup);
        let region = self.region(config, setup);
        let (credentials, source) = credentials?;
        let access = Access::from_keys(credentials, region?, source);
        Some(Access { endpoint_ecs: given(&config.custom_endpoint_ecs).map(str::to_owned), ..access })
    }

    /// Template first, environment second; a key is never paired with a secret or a token of another source.
    fn credentials(&mut self, config: &AccessConfig, setup: &Setup) -> Option<(Credentials, &'static str)> {
        let secret = config.secret_key.as_ref().filter(|secret| !secret.is_empty());
        let template = match (given(&config.access_key), secret) {
            (Some(key), Some(secret)) => {
                let credentials = Credentials::new(key, secret.expose());
                Some(match config.security_token.as_ref().filter(|token| !token.is_empty()) {
                    Some(token) => credentials.with_security_token(token.expose()),
                    None => credentials,
                })
            }
            (None, None) => None,
            (key, _) => {
                let (has, lacks) = match key {
                    Some(_) => ("access_key", "secret_key"),
                    None => ("secret_key", "access_key"),
                };
                let hint = format!("`{has}` is given and `{lacks}` is not: give both or neither");
                self.fault(has, NO_CREDENTIALS, &hint);
                return None;
            }
        };
        let template = template.map(|credentials| (credentials, "the template"));
        let found = template.or_else(|| Some((setup.env_credentials()?, "the environment")));
        if found.is_none() {
            let hint = "looked for `access_key` and `secret_key` in the template, then for ALICLOUD_ACCESS_KEY and \
                        ALICLOUD_SECRET_KEY in the environment; `--local` needs none";
            self.fault("access_key", NO_CREDENTIALS, hint);
        }
        found
    }

    fn region(&mut self, config: &AccessConfig, setup: &Setup) -> Option<RegionId> {
        let region = given(&config.region).map(str::to_owned).or_else(|| setup.env("ALICLOUD_REGION"));
        if region.is_none() {
            let message = "region option or ALICLOUD_REGION must be provided in template file or environment variables.";
            self.fault("region", message, "such as `cn-beijing`");
        }
        region.map(RegionId::from)
    }
}

const NO_CREDENTIALS: &str = "(ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY) or ram_role_name option must be set in \
                              template file or environment variables.";
