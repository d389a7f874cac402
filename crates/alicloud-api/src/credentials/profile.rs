//! The file of profiles that Alibaba's command-line tool keeps, `~/.aliyun/config.json`.
//!
//! Only the profile that is asked for is read closely, so that a fault in another does no harm. An empty text is an
//! absent one. What is wrong is told by file, profile and key, never by value: any of them may be a secret.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Outside;
use crate::{Error, ErrorKind, Result, Secret};

/// A profiles file.
#[derive(Clone)]
pub struct ProfileFile {
    /// Where it was read.
    pub path: PathBuf,
    /// The profile that the command-line tool uses when it is told none.
    pub current: Option<String>,
    profiles: Vec<Map<String, Value>>,
    text: Secret,
}

/// One profile.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the file's keys")]
pub struct Profile {
    pub name: String,
    pub mode: Mode,
    pub access_key_id: Option<String>,
    pub access_key_secret: Option<Secret>,
    pub sts_token: Option<Secret>,
    pub sts_region: Option<String>,
    pub ram_role_name: Option<String>,
    pub ram_role_arn: Option<String>,
    pub ram_session_name: Option<String>,
    pub external_id: Option<String>,
    pub policy: Option<String>,
    pub source_profile: Option<String>,
    /// Seconds that assumed roles last.
    pub expired_seconds: Option<u32>,
    pub region_id: Option<String>,
    pub endpoint: Option<String>,
    pub process_command: Option<Secret>,
    pub credentials_uri: Option<Secret>,
    pub oidc_provider_arn: Option<String>,
    pub oidc_token_file: Option<String>,
    /// Of a program's output: when the credentials expire.
    pub expires: Option<Timestamp>,
}

/// How a profile signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A plain key.
    Ak,
    /// A key and its token.
    StsToken,
    /// A role assumed with a key.
    RamRoleArn,
    /// The role of the instance.
    EcsRamRole,
    /// A role assumed with another profile.
    ChainableRamRoleArn,
    /// A role assumed with the role of the instance.
    RamRoleArnWithRoleName,
    /// A program.
    External,
    /// An address.
    CredentialsUri,
    /// A role assumed with an identity provider's token.
    Oidc,
}

impl Mode {
    const ALL: [(&str, Mode); 9] = [
        ("AK", Mode::Ak),
        ("StsToken", Mode::StsToken),
        ("RamRoleArn", Mode::RamRoleArn),
        ("EcsRamRole", Mode::EcsRamRole),
        ("ChainableRamRoleArn", Mode::ChainableRamRoleArn),
        ("RamRoleArnWithRoleName", Mode::RamRoleArnWithRoleName),
        ("External", Mode::External),
        ("CredentialsURI", Mode::CredentialsUri),
        ("OIDC", Mode::Oidc),
    ];
    /// Known to the command-line tool; here they need a person at a browser, or sign nothing that ECS takes.
    const OTHERS: [&str; 5] = ["RsaKeyPair", "CloudSSO", "OAuth", "BearerToken", "Anonymous"];

    /// Returns the mode's name in the file.
    pub fn name(self) -> &'static str {
        let found = Mode::ALL.iter().find(|(_, mode)| *mode == self);
        found.map_or("", |(name, _)| name)
    }

    /// Returns whether the profile itself names a role that is assumed.
    pub fn assumes_a_role(self) -> bool {
        match self {
            Mode::RamRoleArn | Mode::ChainableRamRoleArn | Mode::RamRoleArnWithRoleName | Mode::Oidc => true,
            Mode::Ak | Mode::StsToken | Mode::EcsRamRole | Mode::External | Mode::CredentialsUri => false,
        }
    }

    fn of(name: &str) -> Result<Mode, String> {
        let same = |known: &&(&str, Mode)| known.0.eq_ignore_ascii_case(name);
        if let Some((_, mode)) = Mode::ALL.iter().find(same) {
            return Ok(*mode);
        }
        let known = Mode::ALL.map(|(name, _)| name).join(", ");
        match Mode::OTHERS.iter().find(|other| other.eq_ignore_ascii_case(name)) {
            Some(other) => Err(format!("mode `{other}` cannot be used here; use one of {known}")),
            None => {
                let shown: String = name.chars().take(40).collect();
                Err(format!("mode `{shown}` is not known; known are {known}"))
            }
        }
    }
}

impl ProfileFile {
    /// Returns where the file is: `named`, or `.aliyun/config.json` in the home folder.
    pub fn place(named: Option<&str>, outside: &Outside) -> Option<PathBuf> {
        match named {
            Some(path) => Some(outside.expand(path)),
            None => Some(outside.home()?.join(".aliyun").join("config.json")),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with the path: it cannot be read, or is not what the command-line tool writes.
    pub fn read(path: &Path, outside: &Outside) -> Result<ProfileFile> {
        let shown = path.display();
        let wrong = |why: String| Error::new(ErrorKind::Config, format!("credentials file `{shown}`: {why}"));
        let text = outside.files().read(path).map_err(|error| wrong(reason(&error)))?;
        ProfileFile::parse(path, text).map_err(wrong)
    }

    fn parse(path: &Path, text: String) -> Result<ProfileFile, String> {
        // A mark that editors of another system leave.
        let whole: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| format!("it is not JSON (line {}, column {})", error.line(), error.column()))?;
        let Value::Object(mut whole) = whole else {
            return Err(format!("{} is in it; an object with `profiles` is wanted", kind(&whole)));
        };
        let current = match whole.remove("current") {
            None | Some(Value::Null) => None,
            Some(Value::String(current)) => Some(current).filter(|current| !current.is_empty()),
            Some(other) => return Err(format!("`current` is {}; a text is wanted", kind(&other))),
        };
        let list = match whole.remove("profiles") {
            None | Some(Value::Null) => return Err("there is no list `profiles` in it".to_owned()),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(format!("`profiles` is {}; a list is wanted", kind(&other))),
        };
        let mut profiles = Vec::new();
        for (index, profile) in list.into_iter().enumerate() {
            match profile {
                Value::Object(profile) => profiles.push(profile),
                other => {
                    return Err(format!("`profiles[{index}]` is {}; an object is wanted", kind(&other)));
                }
            }
        }
        Ok(ProfileFile { path: path.to_owned(), current, profiles, text: Secret::new(text) })
    }

    /// A file without profiles, for what is no file.
    pub(crate) fn empty() -> ProfileFile {
        let (path, text) = (PathBuf::new(), Secret::default());
        ProfileFile { path, current: None, profiles: Vec::new(), text }
    }

    /// Returns the names of all profiles, in the file's order.
    pub fn names(&self) -> Vec<&str> {
        self.profiles.iter().filter_map(|profile| profile.get("name")?.as_str()).collect()
    }

    /// Returns the profile of this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with the file: there is none (the known ones are named), or something in it has the wrong
    /// type, or its mode cannot be used.
    pub fn profile(&self, name: &str) -> Result<Profile> {
        let wrong = |why: String| {
            let shown = self.path.display();
            Error::new(ErrorKind::Config, format!("credentials file `{shown}`: {why}"))
        };
        let named = |profile: &&Map<String, Value>| profile.get("name").and_then(Value::as_str) == Some(name);
        let Some(found) = self.profiles.iter().find(named) else {
            let known = self.names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {known}") };
            return Err(wrong(format!("there is no profile `{name}`; {known}")));
        };
        read_profile(name, found).map_err(|why| wrong(format!("profile `{name}`: {why}")))
    }

    /// The whole text, to tell one state of the file from another.
    pub(crate) fn text(&self) -> &Secret {
        &self.text
    }
}

impl std::fmt::Debug for ProfileFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.names();
        f.debug_struct("ProfileFile")
            .field("path", &self.path)
            .field("profiles", &names)
            .finish_non_exhaustive()
    }
}

impl Profile {
    /// Reads the one profile that a program prints.
    pub(crate) fn printed(text: &str) -> Result<Profile> {
        let wrong = |why: String| Error::new(ErrorKind::Credentials, why);
        match serde_json::from_str(text) {
            Ok(Value::Object(profile)) => read_profile("", &profile).map_err(wrong),
            Ok(other) => Err(wrong(format!("it is {}; a profile's object is wanted", kind(&other)))),
            Err(error) => {
                Err(wrong(format!("it is not JSON (line {}, column {})", error.line(), error.column())))
            }
        }
    }

    /// Returns what a text field holds, or why the profile cannot do without it.
    pub(crate) fn needs<'a, T>(&self, field: &'a Option<T>, name: &str) -> Result<&'a T> {
        field.as_ref().ok_or_else(|| {
            let (profile, mode) = (&self.name, self.mode.name());
            let why = format!("profile `{profile}`: mode {mode} needs `{name}`");
            Error::new(ErrorKind::Config, why)
        })
    }
}

fn read_profile(name: &str, keys: &Map<String, Value>) -> Result<Profile, String> {
    let text = |key: &str| match keys.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(other) => Err(format!("`{key}` is {}; a text is wanted", kind(other))),
    };
    let secret = |key: &str| Ok::<_, String>(text(key)?.map(Secret::new));
    let sts_token = secret("sts_token")?;
    let mode = match text("mode")? {
        Some(mode) => Mode::of(&mode)?,
        None if sts_token.is_some() => Mode::StsToken,
        None => Mode::Ak,
    };
    let expires = match (text("expiration")?, text("Expiration")?) {
        (Some(time), _) | (None, Some(time)) => Some(
            time.parse().map_err(|_| "`expiration` is no time such as 2026-01-02T03:04:05Z".to_owned())?,
        ),
        (None, None) => None,
    };
    Ok(Profile {
        name: name.to_owned(),
        mode,
        access_key_id: text("access_key_id")?,
        access_key_secret: secret("access_key_secret")?,
        sts_token,
        sts_region: text("sts_region")?,
        ram_role_name: text("ram_role_name")?,
        ram_role_arn: text("ram_role_arn")?,
        ram_session_name: text("ram_session_name")?,
        external_id: text("external_id")?,
        policy: text("policy")?,
        source_profile: text("source_profile")?,
        expired_seconds: seconds(keys.get("expired_seconds"))?,
        region_id: text("region_id")?,
        endpoint: text("endpoint")?,
        process_command: secret("process_command")?,
        credentials_uri: secret("credentials_uri")?,
        oidc_provider_arn: text("oidc_provider_arn")?,
        oidc_token_file: text("oidc_token_file")?,
        expires,
    })
}

/// Zero is how the command-line tool writes "not given".
fn seconds(value: Option<&Value>) -> Result<Option<u32>, String> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => return Err(format!("`expired_seconds` is {}; a number is wanted", kind(other))),
    };
    match number {
        Some(0) => Ok(None),
        Some(number @ 900..=43200) => Ok(u32::try_from(number).ok()),
        _ => Err("`expired_seconds` is not within 900 and 43200".to_owned()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    }
}
