//! What providers stand on, and the provider of each mode of a profile.

use std::{sync::Arc, time::Duration};

use super::{
    AssumeRole, AssumeRoleWithOidc, Credentials, CredentialsObserver, CredentialsProvider, CredentialsUri,
    EcsMetadata, MetadataService, Mode, Outside, Process, Profile, ProfileFile, Renewing, StaticCredentials,
};
use crate::{
    Client, ClientConfig, Endpoints, Error, ErrorKind, Freshness, RegionId, Result, RetryPolicy, Secret,
    SystemFreshness, sts,
};

/// What providers are made with. [`Ground::new`] gives the usual; every field may then be replaced.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Environment and files.
    pub outside: Outside,
    /// Where STS is.
    pub endpoints: Endpoints,
    /// Where the metadata service is; an error to be told to who needs it.
    pub metadata: MetadataService,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The clock by which credentials expire.
    pub freshness: Arc<dyn Freshness>,
    /// How often and how long STS is asked.
    pub retry: RetryPolicy,
    /// Sees all credentials before they are used.
    pub observer: Option<Arc<dyn CredentialsObserver>>,
    /// The session name of roles that are assumed under none.
    pub session_name: String,
}

/// STS answers at once, and a session may be as short as a quarter of an hour.
pub(super) const ROLE_MARGIN: Duration = Duration::from_secs(5 * 60);
/// The metadata service has the next credentials well before the old ones end.
pub(super) const METADATA_MARGIN: Duration = Duration::from_secs(15 * 60);

impl Ground {
    /// The usual: public endpoints, the system's clock.
    ///
    /// # Panics
    ///
    /// Never: the metadata service's address is one.
    pub fn new(outside: Outside) -> Ground {
        Ground {
            outside,
            endpoints: Endpoints::new(),
            metadata: MetadataService::at(MetadataService::ADDRESS)
                .expect("the address of the metadata service is a URL"),
            user_agent: concat!("alicloud-api/", env!("CARGO_PKG_VERSION")).to_owned(),
            freshness: Arc::new(SystemFreshness),
            // A renewal has a minute in all.
            retry: RetryPolicy { total_max: Duration::from_secs(30), ..RetryPolicy::default() },
            observer: None,
            session_name: "alicloud-api".to_owned(),
        }
    }

    pub(super) fn client_config(
        &self,
        credentials: Arc<dyn CredentialsProvider>,
        region: RegionId,
    ) -> ClientConfig {
        ClientConfig {
            endpoints: self.endpoints.clone(),
            user_agent: self.user_agent.clone(),
            freshness: Arc::clone(&self.freshness),
            retry: self.retry,
            ..ClientConfig::new(credentials, region)
        }
    }

    pub(super) fn client(
        &self,
        credentials: Arc<dyn CredentialsProvider>,
        region: RegionId,
    ) -> Result<Client> {
        Client::new(self.client_config(credentials, region))
    }

    /// Returns the provider of a plain key, shown to the observer.
    pub(super) fn fixed(&self, credentials: Credentials) -> Arc<dyn CredentialsProvider> {
        if let Some(observer) = &self.observer {
            observer.obtained(&credentials);
        }
        Arc::new(StaticCredentials(credentials))
    }

    /// Returns `provider` made lasting.
    pub(super) fn renewing(
        &self,
        provider: impl CredentialsProvider + 'static,
        source: String,
        margin: Duration,
    ) -> Arc<dyn CredentialsProvider> {
        let renewing = Renewing::new(Arc::new(provider), source, margin, Arc::clone(&self.freshness));
        Arc::new(renewing.observed_by(self.observer.clone()))
    }

    /// Returns the role of the instance.
    pub(super) fn instance_role(&self, role: Option<&str>) -> Arc<dyn CredentialsProvider> {
        let source = match role {
            Some(role) => format!("the metadata service (role `{role}`)"),
            None => "the metadata service".to_owned(),
        };
        let provider = EcsMetadata::new(self.metadata.clone(), role.map(str::to_owned));
        self.renewing(provider, source, METADATA_MARGIN)
    }

    /// Returns a role assumed with `base`.
    pub(super) fn assumed(
        &self,
        base: Arc<dyn CredentialsProvider>,
        role: sts::AssumeRole,
        region: &RegionId,
    ) -> Result<Arc<dyn CredentialsProvider>> {
        let source = format!("assuming the role `{}`", role.role_arn);
        let provider = AssumeRole::over(base, role, self, region.clone())?;
        Ok(self.renewing(provider, source, ROLE_MARGIN))
    }

    /// Returns the provider of a profile of `file`. Roles are assumed in the profile's `sts_region`, or in `region`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]: the profile lacks what its mode needs, chained profiles lead back to one of them, or the
    /// file may not name programs.
    pub fn of_profile(
        &self,
        file: &ProfileFile,
        profile: &Profile,
        region: &RegionId,
    ) -> Result<Arc<dyn CredentialsProvider>> {
        self.of_chained(file, profile, region, &mut vec![profile.name.clone()])
    }

    fn of_chained(
        &self,
        file: &ProfileFile,
        profile: &Profile,
        region: &RegionId,
        way: &mut Vec<String>,
    ) -> Result<Arc<dyn CredentialsProvider>> {
        let region = &profile.sts_region.as_deref().map_or_else(|| region.clone(), RegionId::from);
        match profile.mode {
            Mode::Ak => Ok(self.fixed(keys(profile)?)),
            Mode::StsToken => {
                let token = profile.needs(&profile.sts_token, "sts_token")?;
                Ok(self.fixed(keys(profile)?.with_security_token(token.clone())))
            }
            Mode::RamRoleArn => {
                let base = keys(profile)?;
                let base = match &profile.sts_token {
                    Some(token) => base.with_security_token(token.clone()),
                    None => base,
                };
                let role = self.role(profile)?;
                self.assumed(self.fixed(base), role, region)
            }
            Mode::EcsRamRole => Ok(self.instance_role(profile.ram_role_name.as_deref())),
            Mode::RamRoleArnWithRoleName => {
                let role = self.role(profile)?;
                self.assumed(self.instance_role(profile.ram_role_name.as_deref()), role, region)
            }
            Mode::ChainableRamRoleArn => {
                let role = self.role(profile)?;
                let next = profile.needs(&profile.source_profile, "source_profile")?;
                way.push(next.clone());
                if way[..way.len() - 1].contains(next) {
                    let way = way.join("` → `");
                    let why = format!("profile `{}`: `source_profile` goes round: `{way}`", profile.name);
                    return Err(Error::new(ErrorKind::Config, why));
                }
                let base = self.of_chained(file, &file.profile(next)?, region, way)?;
                self.assumed(base, role, region)
            }
            Mode::External => {
                let command = profile.needs(&profile.process_command, "process_command")?;
                self.trusted(file)?;
                let source = format!("the program of profile `{}`", profile.name);
                let provider = Process::new(command.expose(), self, region.clone())?;
                Ok(self.renewing(provider, source, ROLE_MARGIN))
            }
            Mode::CredentialsUri => {
                let uri = profile.needs(&profile.credentials_uri, "credentials_uri")?;
                self.of_uri(uri)
            }
            Mode::Oidc => {
                let provider_arn = profile.needs(&profile.oidc_provider_arn, "oidc_provider_arn")?.clone();
                let token_file = profile.needs(&profile.oidc_token_file, "oidc_token_file")?;
                self.of_token(provider_arn, token_file, self.role(profile)?, region)
            }
        }
    }

    /// Returns what an address answers.
    pub(super) fn of_uri(&self, uri: &Secret) -> Result<Arc<dyn CredentialsProvider>> {
        let provider = CredentialsUri::new(uri.expose())?;
        let source = format!("the address `{}`", provider.shown());
        Ok(self.renewing(provider, source, ROLE_MARGIN))
    }

    /// Returns `role` assumed with an identity provider's token.
    pub(super) fn of_token(
        &self,
        oidc_provider_arn: String,
        token_file: &str,
        role: sts::AssumeRole,
        region: &RegionId,
    ) -> Result<Arc<dyn CredentialsProvider>> {
        let source = format!("assuming the role `{}` with the token in `{token_file}`", role.role_arn);
        let role = sts::AssumeRoleWithOIDC {
            role_arn: role.role_arn,
            oidc_provider_arn,
            oidc_token: None,
            role_session_name: role.role_session_name,
            duration_seconds: role.duration_seconds,
            policy: role.policy,
        };
        let (path, files) = (self.outside.expand(token_file), Arc::clone(self.outside.files()));
        let provider = AssumeRoleWithOidc::new(role, path, files, self, region.clone())?;
        Ok(self.renewing(provider, source, ROLE_MARGIN))
    }

    fn role(&self, profile: &Profile) -> Result<sts::AssumeRole> {
        Ok(sts::AssumeRole {
            role_arn: profile.needs(&profile.ram_role_arn, "ram_role_arn")?.clone(),
            role_session_name: profile.ram_session_name.clone().unwrap_or_else(|| self.session_name.clone()),
            duration_seconds: profile.expired_seconds,
            policy: profile.policy.clone(),
            external_id: profile.external_id.clone(),
        })
    }

    /// A file that somebody else may write could make this user start anything.
    fn trusted(&self, file: &ProfileFile) -> Result<()> {
        let shown = file.path.display();
        let wrong = |why: String| {
            let why = format!("credentials file `{shown}`: `process_command` is not started: {why}");
            Error::new(ErrorKind::Config, why)
        };
        match self.outside.files().distrusted(&file.path) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(wrong(why)),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

fn keys(profile: &Profile) -> Result<Credentials> {
    let id = profile.needs(&profile.access_key_id, "access_key_id")?;
    let secret = profile.needs(&profile.access_key_secret, "access_key_secret")?;
    Ok(Credentials::new(id.clone(), secret.clone()))
}
