//! Which source of credentials wins, and why the others do not. Nothing is sent here: a source wins by being named,
//! and whether it gives anything shows at the first call.
//!
//! The order keeps what users of Packer's plug-in were promised, and goes on with the official chain of Alibaba's
//! libraries. A key is never paired with the secret or the token of another source.

use std::{path::PathBuf, sync::Arc};

use sha2::{Digest, Sha256};

use super::{Credentials, CredentialsProvider, Ground, Outside, Profile, ProfileFile};
use crate::{Error, RegionId, Result, Secret, sts};

/// What the caller was told, before any other source is looked at: the fields of a template. Empty texts count as
/// absent.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are the template's")]
pub struct Asked {
    pub access_key: Option<String>,
    pub secret_key: Option<Secret>,
    pub security_token: Option<Secret>,
    pub profile: Option<String>,
    pub shared_credentials_file: Option<String>,
    pub ram_role_name: Option<String>,
    pub ram_role_arn: Option<String>,
    pub ram_session_name: Option<String>,
    pub region: Option<String>,
}

/// The source that won.
#[derive(Debug, Clone)]
pub struct Found {
    /// Who signs. What it gets is kept until it expires.
    pub provider: Arc<dyn CredentialsProvider>,
    /// The source in words; nothing secret.
    pub source: String,
    /// The other sources, in their order.
    pub passed: Vec<Passed>,
    /// Where to work, if anything says so.
    pub region: Option<RegionId>,
    /// What says so, in words.
    pub region_source: &'static str,
    /// Host or URL of the ECS API that the profile names; it comes before a template's if the template names the
    /// profile.
    pub endpoint_ecs: Option<String>,
    /// Whether [`Found::endpoint_ecs`] comes before the caller's own.
    pub endpoint_ecs_wins: bool,
    /// The credentials file, if the source is a profile.
    pub file: Option<PathBuf>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Tells one account's source from another's; nothing can be read from it.
    pub fingerprint: String,
}

/// A source that did not win.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The source in words.
    pub source: &'static str,
    /// Why.
    pub why: String,
}

/// There is no source, or one that is named cannot be used.
#[derive(Debug)]
pub struct NotFound {
    /// The field to blame, if one is.
    pub field: Option<&'static str>,
    /// What is wrong with it; `None`: no source at all.
    pub error: Option<Error>,
    /// The sources looked at, in their order.
    pub passed: Vec<Passed>,
}

/// Where credentials come from, before anything is made of it.
enum Base {
    Keys(Credentials),
    Profile { file: Box<ProfileFile>, profile: Box<Profile>, of_template: bool },
    InstanceRole(Option<String>),
    Token { provider_arn: String, token_file: String, role: sts::AssumeRole },
    Uri(Secret),
}

/// What a look at a source gives.
enum Look {
    Wins(Base),
    No(String),
}

/// A fault of a source that the user named: no other is taken in its place.
struct Fault {
    field: Option<&'static str>,
    error: Error,
}

type Looked = Result<Look, Fault>;
type Source = (&'static str, fn(&mut Search<'_>) -> Looked);

/// The precedence. A role of the template (`ram_role_arn`) is assumed on top of whichever wins.
const ORDER: [Source; 11] = [
    ("`profile` of the template", |search| search.template_profile()),
    ("`ram_role_name` of the template", |search| search.template_role()),
    ("`access_key` and `secret_key` of the template", |search| search.template_keys()),
    ("ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY", |search| search.variables()),
    ("the profile that ALICLOUD_PROFILE names", |search| search.profile_of_variable("ALICLOUD_PROFILE")),
    ("ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET", |search| search.official_variables()),
    ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN, …_OIDC_TOKEN_FILE and …_ROLE_ARN", |search| {
        search.identity_token()
    }),
    ("the profile that ALIBABA_CLOUD_PROFILE names", |search| {
        search.profile_of_variable("ALIBABA_CLOUD_PROFILE")
    }),
    ("the current profile of the credentials file", |search| search.current_profile()),
    ("ALIBABA_CLOUD_ECS_METADATA", |search| search.instance_role()),
    ("ALIBABA_CLOUD_CREDENTIALS_URI", |search| search.address()),
];

/// The variables that may name a region, the first first.
pub const REGION_VARIABLES: [&str; 2] = ["ALICLOUD_REGION", "ALIBABA_CLOUD_REGION_ID"];

/// Where STS is asked when nothing names a region.
const STS_REGION: &str = "cn-hangzhou";

/// Why a source below the winner did not win.
const LATER: &str = "comes later";

/// Returns the source that wins, or why there is none. Reads the environment and perhaps the credentials file; asks
/// nobody.
///
/// # Errors
///
/// No source is named, or one that is cannot be used.
pub fn find(asked: &Asked, ground: &Ground) -> Result<Found, Box<NotFound>> {
    let mut search = Search { asked, outside: &ground.outside, warnings: Vec::new() };
    let mut passed = Vec::new();
    let mut won = None;
    for (source, look) in ORDER {
        if won.is_some() {
            passed.push(Passed { source, why: LATER.to_owned() });
            continue;
        }
        match look(&mut search) {
            Ok(Look::Wins(base)) => won = Some((source, base)),
            Ok(Look::No(why)) => passed.push(Passed { source, why }),
            Err(Fault { field, error }) => {
                return Err(Box::new(NotFound { field, error: Some(error), passed }));
            }
        }
    }
    let Some((source, base)) = won else {
        return Err(Box::new(NotFound { field: None, error: None, passed }));
    };
    let field = match &base {
        Base::Profile { of_template: true, .. } => Some("profile"),
        _ => None,
    };
    search.finish(source, base, ground, passed.clone()).map_err(|fault| {
        // Those that come later were not tried.
        passed.retain(|passed| passed.why != LATER);
        Box::new(NotFound { field: fault.field.or(field), error: Some(fault.error), passed })
    })
}

/// Returns what tells these credentials from others; nothing can be read from it.
pub fn fingerprint(credentials: &Credentials) -> String {
    Mark::of(&Base::Keys(credentials.clone())).finish()
}

struct Search<'a> {
    asked: &'a Asked,
    outside: &'a Outside,
    warnings: Vec<String>,
}

impl Search<'_> {
    fn template_profile(&mut self) -> Looked {
        let Some(name) = given(&self.asked.profile) else {
            return no("not given");
        };
        let base = self.profile(name, true).map_err(|error| Fault { field: Some("profile"), error })?;
        let Base::Profile { profile, .. } = &base else {
            return Ok(Look::Wins(base));
        };
        let differs =
            |theirs: Option<&str>, ours: Option<&str>| theirs.is_some_and(|text| Some(text) != ours);
        let key = differs(given(&self.asked.access_key), profile.access_key_id.as_deref());
        let secret = self.asked.secret_key.as_ref().map(Secret::expose).filter(|text| !text.is_empty());
        if key || differs(secret, profile.access_key_secret.as_ref().map(Secret::expose)) {
            self.warnings.push(format!(
                "access_key and secret_key of the template are not used: the profile `{name}` wins, and its \
                 credentials are others"
            ));
        }
        if given(&self.asked.ram_role_name).is_some() {
            self.warnings.push(format!("ram_role_name is not used: the profile `{name}` wins"));
        }
        Ok(Look::Wins(base))
    }

    fn template_role(&mut self) -> Looked {
        match given(&self.asked.ram_role_name) {
            None => no("not given"),
            Some(role) => Ok(Look::Wins(Base::InstanceRole(Some(role.to_owned())))),
        }
    }

    fn template_keys(&mut self) -> Looked {
        let secret = self.asked.secret_key.as_ref().filter(|secret| !secret.is_empty());
        let (has, lacks) = match (given(&self.asked.access_key), secret) {
            (None, None) => return no("not given"),
            (Some(id), Some(secret)) => {
                let credentials = Credentials::new(id, secret.clone());
                let token = self.asked.security_token.clone().filter(|token| !token.is_empty());
                // The template's own key may be the environment's, by way of a variable: then its token is too.
                let token =
                    token.or_else(|| match self.env_pair("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY") {
                        Ok((known, known_secret)) if known == id && known_secret == *secret => {
                            self.env_token()
                        }
                        _ => None,
                    });
                let credentials = match token {
                    Some(token) => credentials.with_security_token(token),
                    None => credentials,
                };
                return Ok(Look::Wins(Base::Keys(credentials)));
            }
            (Some(_), None) => ("access_key", "secret_key"),
            (None, Some(_)) => ("secret_key", "access_key"),
        };
        let why = format!("`{has}` is given and `{lacks}` is not: give both or neither");
        Err(Fault { field: Some(has), error: Error::new(crate::ErrorKind::Credentials, why) })
    }

    fn variables(&mut self) -> Looked {
        let look = self.pair_of_variables("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "SECURITY_TOKEN")?;
        if matches!(look, Look::Wins(_))
            && self.asked.security_token.as_ref().is_some_and(|it| !it.is_empty())
        {
            let text = "security_token of the template is not used: the key comes from the environment, and so does \
                        its token (SECURITY_TOKEN)";
            self.warnings.push(text.to_owned());
        }
        Ok(look)
    }

    fn official_variables(&mut self) -> Looked {
        self.pair_of_variables(
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALIBABA_CLOUD_SECURITY_TOKEN",
        )
    }

    fn pair_of_variables(&self, id: &str, secret: &str, token: &str) -> Looked {
        match self.env_pair(id, secret) {
            Err(why) => no(why),
            Ok((id, secret)) => {
                let credentials = Credentials::new(id, secret);
                let credentials = match self.outside.env(token) {
                    Some(token) => credentials.with_security_token(token),
                    None => credentials,
                };
                Ok(Look::Wins(Base::Keys(credentials)))
            }
        }
    }

    fn profile_of_variable(&mut self, variable: &str) -> Looked {
        match self.outside.env(variable) {
            None => no("not set"),
            Some(name) => match self.profile(&name, false) {
                Ok(base) => Ok(Look::Wins(base)),
                Err(error) => Err(Fault { field: None, error: error.in_context(variable) }),
            },
        }
    }

    /// The file's own choice was not asked for here: what is wrong with it is a reason to pass on.
    fn current_profile(&mut self) -> Looked {
        let Some(path) = self.file() else {
            return no("there is no home folder");
        };
        let looked = ProfileFile::read(&path, self.outside).and_then(|file| match file.current.clone() {
            None => Ok(Look::No(format!("`{}` names none", path.display()))),
            Some(name) => {
                let profile = Box::new(file.profile(&name)?);
                Ok(Look::Wins(Base::Profile { file: Box::new(file), profile, of_template: false }))
            }
        });
        looked.or_else(|error| no(error.to_string()))
    }

    fn identity_token(&mut self) -> Looked {
        const NAMES: [&str; 3] =
            ["ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABA_CLOUD_ROLE_ARN"];
        let [Some(provider_arn), Some(token_file), Some(role_arn)] = NAMES.map(|name| self.outside.env(name))
        else {
            let missing: Vec<&str> =
                NAMES.into_iter().filter(|name| self.outside.env(name).is_none()).collect();
            return no(match missing.len() {
                3 => "not set".to_owned(),
                _ => format!("{} is not set", missing.join(" and ")),
            });
        };
        let role_session_name = self.outside.env("ALIBABA_CLOUD_ROLE_SESSION_NAME").unwrap_or_default();
        let role = sts::AssumeRole { role_arn, role_session_name, ..sts::AssumeRole::default() };
        Ok(Look::Wins(Base::Token { provider_arn, token_file, role }))
    }

    fn instance_role(&mut self) -> Looked {
        match self.outside.env("ALIBABA_CLOUD_ECS_METADATA") {
            None => no("not set"),
            Some(_) if self.is_on("ALIBABA_CLOUD_ECS_METADATA_DISABLED") => {
                no("ALIBABA_CLOUD_ECS_METADATA_DISABLED is true")
            }
            Some(role) => Ok(Look::Wins(Base::InstanceRole(Some(role)))),
        }
    }

    fn address(&mut self) -> Looked {
        match self.outside.env("ALIBABA_CLOUD_CREDENTIALS_URI") {
            None => no("not set"),
            Some(uri) => Ok(Look::Wins(Base::Uri(Secret::new(uri)))),
        }
    }

    fn env_pair(&self, id: &str, secret: &str) -> Result<(String, Secret), String> {
        match (self.outside.env(id), self.outside.env(secret)) {
            (Some(id), Some(secret)) => Ok((id, Secret::new(secret))),
            (None, None) => Err("not set".to_owned()),
            (Some(_), None) => Err(format!("{secret} is not set")),
            (None, Some(_)) => Err(format!("{id} is not set")),
        }
    }

    fn env_token(&self) -> Option<Secret> {
        self.outside.env("SECURITY_TOKEN").map(Secret::new)
    }

    fn is_on(&self, variable: &str) -> bool {
        self.outside.env(variable).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    fn file(&self) -> Option<PathBuf> {
        let named = given(&self.asked.shared_credentials_file).map(str::to_owned);
        let named = named.or_else(|| self.outside.env("ALICLOUD_SHARED_CREDENTIALS_FILE"));
        ProfileFile::place(named.as_deref(), self.outside)
    }

    fn profile(&self, name: &str, of_template: bool) -> Result<Base> {
        let path = self.file().ok_or_else(|| {
            let why = "there is no credentials file: the home folder is not known; name the file in \
                       `shared_credentials_file`";
            Error::new(crate::ErrorKind::Config, why)
        })?;
        let file = Box::new(ProfileFile::read(&path, self.outside)?);
        let profile = Box::new(file.profile(name)?);
        Ok(Base::Profile { file, profile, of_template })
    }

    /// Profile of the template, then the template, then the environment, then any other profile.
    fn region(&self, base: &Base) -> (Option<String>, &'static str) {
        let of_profile = match base {
            Base::Profile { profile, of_template, .. } => {
                profile.region_id.clone().map(|region| (region, *of_template))
            }
            _ => None,
        };
        if let Some((region, true)) = &of_profile {
            return (Some(region.clone()), "the profile");
        }
        if let Some(region) = given(&self.asked.region) {
            return (Some(region.to_owned()), "the template");
        }
        let [first, last] = REGION_VARIABLES;
        if let Some(region) = self.outside.env(first) {
            return (Some(region), first);
        }
        match of_profile {
            Some((region, _)) => (Some(region), "the profile"),
            None => (self.outside.env(last), last),
        }
    }

    fn finish(
        mut self,
        source: &'static str,
        base: Base,
        ground: &Ground,
        passed: Vec<Passed>,
    ) -> Result<Found, Fault> {
        let (region, region_source) = self.region(&base);
        let sts_region = RegionId::from(region.clone().unwrap_or_else(|| STS_REGION.to_owned()));
        let mut ground = ground.clone();
        ground.metadata.v1_allowed &= !self.is_on("ALIBABA_CLOUD_IMDSV1_DISABLED");
        let (mut source, mut mark) = (describe(source, &base), Mark::of(&base));
        let (endpoint_ecs, endpoint_ecs_wins) = match &base {
            Base::Profile { profile, of_template, .. } => (profile.endpoint.clone(), *of_template),
            _ => (None, false),
        };
        let file = match &base {
            Base::Profile { file, .. } => Some(file.path.clone()),
            _ => None,
        };
        let role = self.role(&base, &ground)?;
        let mut provider =
            provider(base, &ground, &sts_region).map_err(|error| Fault { field: None, error })?;
        if let Some(role) = role {
            source = format!("{source}, then assuming `{}`", role.role_arn);
            mark.add(&[&role.role_arn, &role.role_session_name]);
            provider = ground
                .assumed(provider, role, &sts_region)
                .map_err(|error| Fault { field: Some("ram_role_arn"), error })?;
        }
        Ok(Found {
            provider,
            source,
            passed,
            region: region.map(RegionId::from),
            region_source,
            endpoint_ecs,
            endpoint_ecs_wins,
            file,
            warnings: self.warnings,
            fingerprint: mark.finish(),
        })
    }

    /// Returns the template's role, to be assumed with what was found.
    fn role(&mut self, base: &Base, ground: &Ground) -> Result<Option<sts::AssumeRole>, Fault> {
        let session = given(&self.asked.ram_session_name);
        if let Some(session) = session
            && !is_session_name(session)
        {
            let why = "`ram_session_name`: 2 to 64 letters, digits and `.@-_` are wanted";
            let error = Error::new(crate::ErrorKind::Config, why);
            return Err(Fault { field: Some("ram_session_name"), error });
        }
        let Some(arn) = given(&self.asked.ram_role_arn) else {
            if session.is_some() {
                self.warnings.push("ram_session_name is not used: there is no ram_role_arn".to_owned());
            }
            return Ok(None);
        };
        if let Base::Profile { profile, .. } = base
            && profile.mode.assumes_a_role()
        {
            let (name, mode) = (&profile.name, profile.mode.name());
            self.warnings.push(format!(
                "ram_role_arn is not used: the profile `{name}` (mode {mode}) says which role is assumed"
            ));
            return Ok(None);
        }
        Ok(Some(sts::AssumeRole {
            role_arn: arn.to_owned(),
            role_session_name: session.unwrap_or(&ground.session_name).to_owned(),
            ..sts::AssumeRole::default()
        }))
    }
}

fn provider(base: Base, ground: &Ground, region: &RegionId) -> Result<Arc<dyn CredentialsProvider>> {
    match base {
        Base::Keys(credentials) => Ok(ground.fixed(credentials)),
        Base::Profile { file, profile, .. } => ground.of_profile(&file, &profile, region),
        Base::InstanceRole(role) => Ok(ground.instance_role(role.as_deref())),
        Base::Token { provider_arn, token_file, mut role } => {
            if role.role_session_name.is_empty() {
                role.role_session_name = ground.session_name.clone();
            }
            ground.of_token(provider_arn, &token_file, role, region)
        }
        Base::Uri(uri) => ground.of_uri(&uri),
    }
}

fn describe(source: &'static str, base: &Base) -> String {
    match base {
        Base::Keys(credentials) => format!("{source} (key `{}`)", credentials.access_key_id),
        Base::Profile { file, profile, .. } => {
            let (name, mode, file) = (&profile.name, profile.mode.name(), file.path.display());
            format!("{source}: `{name}` (mode {mode}) in `{file}`")
        }
        Base::InstanceRole(Some(role)) => format!("{source}: role `{role}` of this instance"),
        Base::InstanceRole(None) => format!("{source}: the role of this instance"),
        Base::Token { role, .. } => format!("{source}: role `{}`", role.role_arn),
        Base::Uri(_) => source.to_owned(),
    }
}

/// 2 to 64 of letters, digits and `.@-_`: the API's rule.
fn is_session_name(name: &str) -> bool {
    (2..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || ".@-_".contains(c))
}

fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn no(why: impl Into<String>) -> Looked {
    Ok(Look::No(why.into()))
}

/// A hash of everything that decides whose credentials a source gives.
struct Mark(Sha256);

impl Mark {
    fn of(base: &Base) -> Mark {
        let mut mark = Mark(Sha256::new());
        match base {
            Base::Keys(credentials) => {
                let token = credentials.security_token.as_ref().map_or("", Secret::expose);
                mark.add(&[
                    "keys",
                    &credentials.access_key_id,
                    credentials.access_key_secret.expose(),
                    token,
                ]);
            }
            Base::Profile { file, profile, .. } => {
                let path = file.path.to_string_lossy();
                mark.add(&["profile", &path, &profile.name, file.text().expose()]);
            }
            Base::InstanceRole(role) => mark.add(&["instance", role.as_deref().unwrap_or_default()]),
            Base::Token { provider_arn, token_file, role } => {
                mark.add(&["token", provider_arn, token_file, &role.role_arn, &role.role_session_name]);
            }
            Base::Uri(uri) => mark.add(&["uri", uri.expose()]),
        }
        mark
    }

    fn add(&mut self, parts: &[&str]) {
        for part in parts {
            // The length before the text, so that no two lists read alike.
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part.as_bytes());
        }
    }

    fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
