//! Every environment variable the program reads, in one table, and the only place where the environment is read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// One documented variable.
#[cfg_attr(not(test), expect(dead_code, reason = "read by the test that writes the book's page"))]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// The whole table; `docs/environment.md` is made of it.
#[cfg_attr(not(test), expect(dead_code, reason = "read by the test that writes the book's page"))]
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: PACKER_LOG,
        meaning: "Anything but empty or `0`: write what Kiln does inside to standard error. Its content may change any day.",
    },
    Variable { name: PACKER_LOG_PATH, meaning: "Write that log to this file instead; it is emptied first." },
    Variable { name: PACKER_NO_COLOR, meaning: "Not empty: no colours and no live progress." },
    Variable {
        name: PACKER_RUN_UUID,
        meaning: "Set by Kiln, never read: the run's id, for scripts that `shell-local` runs.",
    },
    Variable { name: KILN_STATE_DIR, meaning: "Where journals of runs are kept. `-state-dir` beats it." },
    Variable {
        name: XDG_STATE_HOME,
        meaning: "Journals are kept in its folder `kiln` if `KILN_STATE_DIR` is not set.",
    },
    Variable {
        name: HOME,
        meaning: "Journals are kept in its folder `.local/state/kiln` if neither of these is set; profile files are looked for in it.",
    },
    Variable {
        name: ALICLOUD_ACCESS_KEY,
        meaning: "Access key id of the `alicloud-ecs` builder, and of the account of `build -local`.",
    },
    Variable { name: ALICLOUD_SECRET_KEY, meaning: "Its secret." },
    Variable {
        name: ALIYUN_ACCESS_KEY_ID,
        meaning: "Access key id of the older builder `aliyun`, and of the account of `build -local`.",
    },
    Variable { name: ALIYUN_ACCESS_KEY_SECRET, meaning: "Its secret." },
    Variable {
        name: ALIYUN_SECURITY_GROUP_ID,
        meaning: "Security group of the builder `aliyun`; its network is built in.",
    },
    Variable { name: ECS_ENDPOINT, meaning: "Host or URL of the ECS API for the builder `aliyun`." },
    Variable {
        name: "SECURITY_TOKEN",
        meaning: "The token that goes with `ALICLOUD_ACCESS_KEY`, if it is temporary.",
    },
    Variable {
        name: "ALICLOUD_PROFILE",
        meaning: "Profile of the credentials file, where neither template nor `ALICLOUD_ACCESS_KEY` name credentials.",
    },
    Variable {
        name: "ALICLOUD_SHARED_CREDENTIALS_FILE",
        meaning: "The credentials file, where a template names none. (Default: `~/.aliyun/config.json`)",
    },
    Variable {
        name: "ALIBABA_CLOUD_ACCESS_KEY_ID, …_ACCESS_KEY_SECRET, …_SECURITY_TOKEN",
        meaning: "Credentials as Alibaba's own tools read them; the ones above come first.",
    },
    Variable {
        name: "ALIBABA_CLOUD_OIDC_PROVIDER_ARN, …_OIDC_TOKEN_FILE, …_ROLE_ARN, …_ROLE_SESSION_NAME",
        meaning: "A role assumed with an identity provider's token, such as a Kubernetes pod's.",
    },
    Variable {
        name: "ALIBABA_CLOUD_PROFILE",
        meaning: "As `ALICLOUD_PROFILE`, later in order; last comes the file's current profile.",
    },
    Variable {
        name: "ALIBABA_CLOUD_ECS_METADATA",
        meaning: "Role of the instance that Kiln runs on, unless `ALIBABA_CLOUD_ECS_METADATA_DISABLED` is `true`.",
    },
    Variable {
        name: "ALIBABA_CLOUD_IMDSV1_DISABLED",
        meaning: "`true`: the metadata service is asked in its second version only.",
    },
    Variable {
        name: "ALIBABA_CLOUD_CREDENTIALS_URI",
        meaning: "Address that answers with temporary credentials. The last source looked at.",
    },
    Variable {
        name: "ALICLOUD_REGION",
        meaning: "Region used where neither template nor its profile names one. `ALIBABA_CLOUD_REGION_ID` comes last.",
    },
    Variable {
        name: "ALICLOUD_<PRODUCT>_ENDPOINT",
        meaning: "Host or URL of one API (`ECS`, `VPC`, `STS`, `RAM`) instead of the public one.",
    },
    Variable {
        name: "ALICLOUD_METADATA_ENDPOINT",
        meaning: "Address of the metadata service instead of `http://100.100.100.200`: plain http to this machine.",
    },
    Variable {
        name: "HTTPS_PROXY, HTTP_PROXY, NO_PROXY",
        meaning: "Proxies for calls to a cloud, in upper or lower case.",
    },
    Variable { name: "SSL_CERT_FILE", meaning: "Certificates to trust besides the system's." },
    Variable { name: "SSH_AUTH_SOCK", meaning: "The SSH agent, where a template asks for it." },
    Variable { name: "TMPDIR", meaning: "Where temporary files and scripts are put." },
    Variable {
        name: "VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE",
        meaning: "The store that the template function `vault` reads.",
    },
    Variable {
        name: "CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN, CONSUL_HTTP_SSL",
        meaning: "The store that the template function `consul_key` reads.",
    },
    Variable {
        name: KILN_ADDRESS_URL,
        meaning: "Address (`https://…`) that answers with its caller's IPv4 address. Temporary security groups then let the communicator in from this machine alone.",
    },
    Variable {
        name: KILN_CRASH_AFTER_RECORDS,
        meaning: "For tests of crash safety: the program kills itself once so many records are in its journal.",
    },
    Variable {
        name: KILN_INTERRUPT_AFTER_RECORDS,
        meaning: "For tests of crash safety: the program interrupts itself (SIGINT) once so many records are in its journal.",
    },
    Variable { name: "TERM", meaning: "`dumb`: no live progress." },
];

/// See the table.
pub const PACKER_LOG: &str = "PACKER_LOG";
/// See the table.
pub const PACKER_LOG_PATH: &str = "PACKER_LOG_PATH";
/// See the table.
pub const PACKER_NO_COLOR: &str = "PACKER_NO_COLOR";
/// See the table.
pub const PACKER_RUN_UUID: &str = "PACKER_RUN_UUID";
/// See the table.
pub const KILN_STATE_DIR: &str = "KILN_STATE_DIR";
/// See the table.
pub const KILN_ADDRESS_URL: &str = "KILN_ADDRESS_URL";
/// See the table.
pub const KILN_CRASH_AFTER_RECORDS: &str = "KILN_CRASH_AFTER_RECORDS";
/// See the table.
pub const KILN_INTERRUPT_AFTER_RECORDS: &str = "KILN_INTERRUPT_AFTER_RECORDS";
/// See the table.
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// See the table.
pub const HOME: &str = "HOME";
/// See the table.
pub const ALICLOUD_ACCESS_KEY: &str = "ALICLOUD_ACCESS_KEY";
/// See the table.
pub const ALICLOUD_SECRET_KEY: &str = "ALICLOUD_SECRET_KEY";
/// See the table.
pub const ALIYUN_ACCESS_KEY_ID: &str = "ALIYUN_ACCESS_KEY_ID";
/// See the table.
pub const ALIYUN_ACCESS_KEY_SECRET: &str = "ALIYUN_ACCESS_KEY_SECRET";
/// See the table.
pub const ALIYUN_SECURITY_GROUP_ID: &str = "ALIYUN_SECURITY_GROUP_ID";
/// See the table.
pub const ECS_ENDPOINT: &str = "ECS_ENDPOINT";

/// A snapshot of the environment, which `--local` lays something over.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Arc<BTreeMap<String, String>>,
}

impl Environment {
    /// Returns the environment of this process. Names or values that are not Unicode are none of ours.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn of_process() -> Environment {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Environment { variables: Arc::new(std::env::vars_os().filter_map(unicode).collect()) }
    }

    /// Returns a variable, empty or not.
    pub fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// Returns a variable unless it is empty.
    pub fn filled(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns the environment with `overlay` laid over it.
    #[must_use]
    pub fn with(&self, overlay: impl IntoIterator<Item = (String, String)>) -> Environment {
        let mut variables = (*self.variables).clone();
        variables.extend(overlay);
        Environment { variables: Arc::new(variables) }
    }

    /// Returns the folder where journals are kept, or `None` where nothing names one.
    pub fn state_dir(&self) -> Option<PathBuf> {
        self.filled(KILN_STATE_DIR)
            .map(PathBuf::from)
            .or_else(|| self.filled(XDG_STATE_HOME).map(|home| PathBuf::from(home).join("kiln")))
            .or_else(|| self.filled(HOME).map(|home| PathBuf::from(home).join(".local/state/kiln")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_dir(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::default().with(variables).state_dir()
    }

    #[test]
    fn the_nearest_wish_decides_where_journals_are_kept() {
        assert_eq!(state_dir(&[("KILN_STATE_DIR", "/k"), ("HOME", "/h")]), Some("/k".into()));
        assert_eq!(state_dir(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]), Some("/x/kiln".into()));
        assert_eq!(state_dir(&[("KILN_STATE_DIR", ""), ("HOME", "/h")]), Some("/h/.local/state/kiln".into()));
        assert_eq!(state_dir(&[]), None);
    }

    /// The page is made of the table; `KILN_REWRITE_DOCS=1 cargo test -p kiln environment_page` writes it anew.
    #[test]
    fn environment_page_says_what_the_table_says() {
        let mut page = String::from(
            "# Environment variables\n\nEvery variable the program reads. This page is made of \
             `crates/kiln/src/env_vars.rs`.\n\n| variable | meaning |\n| --- | --- |\n",
        );
        for Variable { name, meaning } in VARIABLES {
            page.push_str(&format!("| `{name}` | {meaning} |\n"));
        }
        crate::commands::tests::assert_page("environment.md", &page);
    }
}
