//! Who builds and where: the fields of signing in, and what they come to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use alicloud_api::credentials::{
    Asked, Found, Ground, MetadataService, NotFound, Outside, Passed, StaticCredentials, find, fingerprint,
};
use alicloud_api::{Credentials, CredentialsProvider, Endpoints, ErrorKind, Product, RegionId};
use async_trait::async_trait;
use kiln_core::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::{Check, given};
use crate::accounts::Masked;
use crate::cloud::{CUSTOM_ENDPOINT, Setup};

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
    /// Profile of the credentials file; what it says wins over the template. From `ALICLOUD_PROFILE` if nothing else
    /// names credentials.
    pub profile: Option<String>,
    /// The credentials file, as Alibaba's command-line tool writes it. From `ALICLOUD_SHARED_CREDENTIALS_FILE` if
    /// unset, else `~/.aliyun/config.json`.
    pub shared_credentials_file: Option<String>,
    /// Role of the instance that this program runs on; its metadata service gives the credentials. (The role of the
    /// temporary instance is `ecs_ram_role_name`.)
    pub ram_role_name: Option<String>,
    /// Role to assume with the credentials found: `acs:ram::<account>:role/<name>`.
    pub ram_role_arn: Option<String>,
    /// What the role's session is called in the account's logs: 2 to 64 letters, digits and `.@-_`; `packer-` and the
    /// run's id by default.
    pub ram_session_name: Option<String>,
    /// **Required.** Region to build in, such as `cn-beijing`. From the profile, or `ALICLOUD_REGION`, if unset.
    pub region: Option<String>,
    /// Do not check that the region exists.
    pub skip_region_validation: bool,
    /// Also find source images that are not offered any more.
    pub skip_image_validation: bool,
    /// Host (or URL) of the ECS API in `region`, for private clouds; VPC calls follow it unless
    /// `custom_endpoint_vpc` or `ALICLOUD_VPC_ENDPOINT` is set.
    pub custom_endpoint_ecs: Option<String>,
    /// Host (or URL) of the VPC API.
    pub custom_endpoint_vpc: Option<String>,
    /// Host (or URL) of the STS API, where roles are assumed.
    pub custom_endpoint_sts: Option<String>,
    /// Host (or URL) of the RAM API.
    pub custom_endpoint_ram: Option<String>,
    /// Address of the metadata service instead of `http://100.100.100.200`: plain http to this machine.
    pub custom_endpoint_metadata: Option<String>,
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
    /// The sources that did not win.
    pub passed: Vec<Passed>,
    /// Tells this account from others in the same run (builds of one account share a network): the source, and what
    /// names the account there, such as the access key id, the profile or the role. Stands in journals; not secret.
    pub identity: String,
    /// Tells one account's client from another's in this process.
    pub fingerprint: String,
    /// What must not be shown, as far as it is known before anything is asked.
    pub secrets: Vec<Secret>,
    /// Host or URL of the ECS API.
    pub endpoint_ecs: Option<String>,
    /// Hosts or URLs of other APIs, by the field that names them.
    pub endpoints: BTreeMap<&'static str, String>,
    /// What an intent says of the account, so that another process finds the same one: names, never secrets.
    pub place: BTreeMap<String, String>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// What is told once when the first build begins.
    pub note: Option<String>,
}

impl Access {
    /// Returns the access of a plain key, for builders with fields and variables of their own.
    pub(crate) fn from_keys(credentials: Credentials, region: RegionId, source: &str) -> Access {
        let identity = format!("{source}: {}", credentials.access_key_id);
        let mut secrets = vec![Secret::new(credentials.access_key_secret.expose())];
        secrets.extend(credentials.security_token.as_ref().map(|token| Secret::new(token.expose())));
        Access {
            fingerprint: fingerprint(&credentials),
            provider: Arc::new(StaticCredentials(credentials)),
            region,
            source: source.to_owned(),
            passed: Vec::new(),
            identity,
            secrets,
            endpoint_ecs: None,
            endpoints: BTreeMap::new(),
            place: BTreeMap::new(),
            warnings: Vec::new(),
            note: None,
        }
    }

    /// Returns the access of nobody: every call fails before it is sent.
    pub(crate) fn nobody(region: RegionId) -> Access {
        let nothing = Access::from_keys(Credentials::new("", ""), region, "nowhere");
        Access { provider: Arc::new(Nobody), secrets: Vec::new(), ..nothing }
    }

    /// Returns what `config` and the environment come to; `None` as region: nothing names one. Asks nobody.
    pub(crate) fn resolve(
        config: &AccessConfig,
        setup: &Setup,
    ) -> Result<(Access, Option<RegionId>), Refusal> {
        if setup.is_embedded {
            return Access::in_embedded_cloud(config, setup);
        }
        let ground = config.ground(setup).map_err(Refusal::of_endpoint)?;
        let found = find(&config.asked(), &ground).map_err(|not_found| Refusal::NotFound { not_found })?;
        let region = found.region.clone();
        Ok((Access::of_found(found, config), region))
    }

    fn of_found(found: Found, config: &AccessConfig) -> Access {
        let own = given(&config.custom_endpoint_ecs).map(str::to_owned);
        let endpoint_ecs = match found.endpoint_ecs_wins {
            true => found.endpoint_ecs.or(own),
            false => own.or(found.endpoint_ecs),
        };
        Access {
            provider: found.provider,
            region: found.region.unwrap_or_else(|| DEFAULT_REGION.into()),
            identity: found.source.clone(),
            source: found.source,
            passed: found.passed,
            fingerprint: found.fingerprint,
            secrets: Vec::new(),
            endpoint_ecs,
            endpoints: config.endpoints(),
            place: config.place(found.file.as_deref()),
            warnings: found.warnings,
            note: None,
        }
    }

    /// In the embedded cloud no source of a real account is looked at, and nothing of one is sent: a key that stands
    /// in the template is tried as it is, and everything else is the embedded cloud's own key.
    fn in_embedded_cloud(
        config: &AccessConfig,
        setup: &Setup,
    ) -> Result<(Access, Option<RegionId>), Refusal> {
        let secret = config.secret_key.as_ref().filter(|secret| !secret.is_empty());
        let names = config.names();
        let access = match (given(&config.access_key), secret) {
            (Some(key), Some(secret)) if names.is_empty() => {
                let token = config.security_token.as_ref().map(Secret::expose).unwrap_or_default();
                let credentials = Credentials::new(key, secret.expose()).with_security_token(token);
                Access::from_keys(credentials, DEFAULT_REGION.into(), "the template")
            }
            _ => {
                let pair = setup.env("ALICLOUD_ACCESS_KEY").zip(setup.env("ALICLOUD_SECRET_KEY"));
                let (key, secret) = pair.ok_or(Refusal::NoKeyOfEmbeddedCloud)?;
                Access::from_keys(Credentials::new(key, secret), DEFAULT_REGION.into(), "the embedded cloud")
            }
        };
        let mut ignored: Vec<&str> = names.keys().copied().collect();
        ignored.extend(given(&config.custom_endpoint_ecs).map(|_| "custom_endpoint_ecs"));
        ignored.extend(config.endpoints().into_keys());
        let note = (!ignored.is_empty()).then(|| {
            let fields = ignored.join(", ");
            format!("in the embedded cloud its own key serves instead of {fields}: no source of a real account is looked at")
        });
        let region = given(&config.region).map(str::to_owned).or_else(|| setup.env("ALICLOUD_REGION"));
        // A profile that is not looked at may have one.
        let region = region.or_else(|| names.contains_key("profile").then(|| DEFAULT_REGION.to_owned()));
        let region = region.map(RegionId::from);
        let access =
            Access { note, region: region.clone().unwrap_or_else(|| access.region.clone()), ..access };
        Ok((access, region))
    }

    /// Returns the advice to a failure that says that these credentials are wrong: where they come from.
    pub(crate) fn advice(&self, error: &kiln_core::Error) -> Option<String> {
        const REFUSALS: [&str; 6] = [
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "InvalidSecurityToken",
            "no credentials from",
            "Forbidden.AccessKeyDisabled",
        ];
        REFUSALS.iter().any(|refusal| error.message.contains(refusal)).then(|| {
            let tried = sources(&self.passed);
            let others =
                if tried.is_empty() { String::new() } else { format!("; the other sources: {tried}") };
            format!("the credentials come from {}{others}; `kiln whoami` shows more", self.source)
        })
    }
}

/// Has no credentials.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl CredentialsProvider for Nobody {
    async fn credentials(&self) -> alicloud_api::Result<Credentials> {
        let why =
            "there are no credentials: set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY, or ALICLOUD_PROFILE";
        Err(alicloud_api::Error::new(ErrorKind::Credentials, why))
    }
}

/// A field that a place repeats.
const FILE: &str = "shared_credentials_file";

/// Where an account is asked who it is when nothing names a region.
pub(crate) const DEFAULT_REGION: &str = "cn-hangzhou";

/// Why there is no access.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No source, or one that cannot be used.
    NotFound {
        /// Why.
        not_found: Box<NotFound>,
    },
    /// An endpoint's field is no endpoint.
    Endpoint {
        /// Which one and why.
        error: alicloud_api::Error,
    },
    /// The embedded cloud has no key: a fault of the program.
    NoKeyOfEmbeddedCloud,
}

impl Refusal {
    fn of_endpoint(error: alicloud_api::Error) -> Refusal {
        Refusal::Endpoint { error }
    }

    /// Returns the field to blame, what is wrong, and what was tried.
    pub(crate) fn told(&self) -> (&'static str, String, String) {
        match self {
            Refusal::NotFound { not_found } => {
                let tried = sources(&not_found.passed);
                let tried = if tried.is_empty() { tried } else { format!("sources tried: {tried}") };
                match (&not_found.error, not_found.field) {
                    (None, _) => {
                        ("access_key", NO_CREDENTIALS.to_owned(), format!("{tried}; `--local` needs none"))
                    }
                    // Packer's line for half a key.
                    (Some(error), Some(field @ ("access_key" | "secret_key"))) => {
                        (field, NO_CREDENTIALS.to_owned(), error.to_string())
                    }
                    (Some(error), field) => (field.unwrap_or("access_key"), error.to_string(), tried),
                }
            }
            Refusal::Endpoint { error } => ("custom_endpoint_sts", error.to_string(), String::new()),
            Refusal::NoKeyOfEmbeddedCloud => {
                ("access_key", NO_CREDENTIALS.to_owned(), "the embedded cloud told no key".to_owned())
            }
        }
    }
}

/// Returns all sources and why they were passed over, on one line.
pub(crate) fn sources(passed: &[Passed]) -> String {
    passed.iter().map(|Passed { source, why }| format!("{source} ({why})")).collect::<Vec<_>>().join(", ")
}

impl AccessConfig {
    /// Returns the configuration that an intent's place repeats.
    pub(crate) fn of_place(place: &BTreeMap<String, String>) -> AccessConfig {
        let field = |name: &str| place.get(name).cloned();
        AccessConfig {
            profile: field("profile"),
            shared_credentials_file: field(FILE),
            ram_role_name: field("ram_role_name"),
            ram_role_arn: field("ram_role_arn"),
            ram_session_name: field("ram_session_name"),
            region: field(crate::cloud::REGION),
            custom_endpoint_ecs: field(CUSTOM_ENDPOINT),
            custom_endpoint_vpc: field("custom_endpoint_vpc"),
            custom_endpoint_sts: field("custom_endpoint_sts"),
            custom_endpoint_ram: field("custom_endpoint_ram"),
            custom_endpoint_metadata: field("custom_endpoint_metadata"),
            ..AccessConfig::default()
        }
    }

    /// Returns what an intent says of the account: the fields that name it, none of them secret, and where the file of
    /// the profile that they name was found.
    fn place(&self, file: Option<&Path>) -> BTreeMap<String, String> {
        let names = self.names().into_iter().chain(self.endpoints());
        let mut place: BTreeMap<_, _> = names.map(|(field, value)| (field.to_owned(), value)).collect();
        match file.filter(|_| place.contains_key("profile")) {
            Some(file) => {
                let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
                place.insert(FILE.to_owned(), file.display().to_string());
            }
            None => {
                place.remove(FILE);
            }
        }
        place
    }

    /// Returns whether two places name the same account.
    pub(crate) fn is_same_account(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
        let of = |place| {
            let config = AccessConfig::of_place(place);
            (config.names(), config.endpoints())
        };
        of(one) == of(other)
    }

    /// Returns the fields that name a source of credentials.
    fn names(&self) -> BTreeMap<&'static str, String> {
        let fields = [
            ("profile", &self.profile),
            (FILE, &self.shared_credentials_file),
            ("ram_role_name", &self.ram_role_name),
            ("ram_role_arn", &self.ram_role_arn),
            ("ram_session_name", &self.ram_session_name),
        ];
        filled(fields)
    }

    /// Returns the endpoints besides ECS's, by their fields.
    fn endpoints(&self) -> BTreeMap<&'static str, String> {
        filled([
            ("custom_endpoint_vpc", &self.custom_endpoint_vpc),
            ("custom_endpoint_sts", &self.custom_endpoint_sts),
            ("custom_endpoint_ram", &self.custom_endpoint_ram),
            ("custom_endpoint_metadata", &self.custom_endpoint_metadata),
        ])
    }

    fn asked(&self) -> Asked {
        let secret = |field: &Option<Secret>| field.as_ref().map(|text| text.expose().into());
        Asked {
            access_key: self.access_key.clone(),
            secret_key: secret(&self.secret_key),
            security_token: secret(&self.security_token),
            profile: self.profile.clone(),
            shared_credentials_file: self.shared_credentials_file.clone(),
            ram_role_name: self.ram_role_name.clone(),
            ram_role_arn: self.ram_role_arn.clone(),
            ram_session_name: self.ram_session_name.clone(),
            region: self.region.clone(),
        }
    }

    fn ground(&self, setup: &Setup) -> alicloud_api::Result<Ground> {
        let outside = Outside::new(Arc::clone(&setup.env), Arc::clone(&setup.files));
        let mut ground = Ground::new(outside);
        ground.endpoints = endpoints(setup, None, &self.endpoints())?;
        let metadata = given(&self.custom_endpoint_metadata).map(str::to_owned);
        if let Some(base) = metadata.or_else(|| setup.env("ALICLOUD_METADATA_ENDPOINT")) {
            ground.metadata = MetadataService::at(&base)?;
        }
        ground.user_agent = crate::cloud::USER_AGENT.to_owned();
        ground.observer = Some(Arc::new(Masked(setup.secrets.clone())));
        ground.session_name = setup.session_name.clone();
        Ok(ground)
    }
}

/// Returns the endpoints of the environment with those of the template laid over them.
pub(crate) fn endpoints(
    setup: &Setup,
    ecs: Option<&str>,
    others: &BTreeMap<&'static str, String>,
) -> alicloud_api::Result<Endpoints> {
    let mut endpoints = Endpoints::from_env(|name| setup.env(name))?;
    if let Some(ecs) = ecs {
        endpoints = endpoints.with(Product::Ecs, ecs)?;
    }
    let products = [
        ("custom_endpoint_vpc", Product::Vpc),
        ("custom_endpoint_sts", Product::Sts),
        ("custom_endpoint_ram", Product::Ram),
    ];
    for (field, product) in products {
        if let Some(endpoint) = others.get(field) {
            endpoints = endpoints.with(product, endpoint)?;
        }
    }
    Ok(endpoints)
}

fn filled<const N: usize>(fields: [(&'static str, &Option<String>); N]) -> BTreeMap<&'static str, String> {
    let filled = fields.into_iter().filter_map(|(name, value)| Some((name, given(value)?.to_owned())));
    filled.collect()
}

impl Check<'_> {
    /// Returns who builds and where.
    pub(super) fn access(&mut self, config: &AccessConfig, setup: &Setup) -> Option<Access> {
        let resolved = Access::resolve(config, setup);
        let (access, region) = match resolved {
            Ok((access, region)) => (Some(access), region),
            Err(refusal) => {
                let (field, message, hint) = refusal.told();
                self.fault(field, message, &hint);
                // A profile's region is not known now.
                let region =
                    given(&config.region).map(str::to_owned).or_else(|| setup.env("ALICLOUD_REGION"));
                let region = region.or_else(|| given(&config.profile).map(str::to_owned));
                (None, region.map(RegionId::from))
            }
        };
        if region.is_none() {
            let message = "region option or ALICLOUD_REGION must be provided in template file or environment variables.";
            self.fault("region", message, "such as `cn-beijing`");
            return None;
        }
        access
    }
}

const NO_CREDENTIALS: &str = "(ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY) or ram_role_name option must be set in \
                              template file or environment variables.";
