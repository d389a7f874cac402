//! What a component may know of the build it is part of, and of the world outside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::value::Value;

/// What `-on-error` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Clean everything up.
    #[default]
    Cleanup,
    /// Leave everything as it is.
    Abort,
    /// Ask the person at the build.
    Ask,
    /// Run the error-cleanup provisioner, then leave everything as it is.
    RunCleanupProvisioner,
}

/// Everything templates and components may ask of the outside, so that evaluation is a pure function and tests hand
/// in a world of their own. Synchronous: evaluation runs on a blocking thread.
pub trait World: Send + Sync {
    /// Returns the text of a file.
    fn read(&self, path: &Path) -> std::io::Result<String>;
    /// Returns the bytes of a file.
    fn read_bytes(&self, path: &Path) -> std::io::Result<Vec<u8>>;
    /// Returns whether something is there, and whether it is a folder.
    fn stat(&self, path: &Path) -> std::io::Result<FileKind>;
    /// Returns the paths a glob pattern matches, sorted.
    fn list(&self, pattern: &str) -> std::io::Result<Vec<PathBuf>>;
    /// Returns an environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// Returns the instant the process started: all time functions agree on it.
    fn now(&self) -> jiff::Timestamp;
    /// Returns the working directory.
    fn working_dir(&self) -> PathBuf;
    /// Returns random bytes.
    fn random(&self) -> [u8; 16];
    /// Returns a value from a service that keeps secrets: Consul, Vault, AWS Secrets Manager.
    fn secret(&self, request: &SecretRequest) -> Result<String, String>;
}

/// A value asked of a service by a template function; names are the functions'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRequest {
    /// `consul_key`.
    Consul {
        /// Key in the store.
        key: String,
    },
    /// `vault`.
    Vault {
        /// Path of the secret.
        path: String,
        /// Key within it.
        key: String,
    },
    /// `aws_secretsmanager` and `aws_secretsmanager_raw`.
    AwsSecretsManager {
        /// Name of the secret.
        name: String,
        /// Key within it, if it is JSON.
        key: Option<String>,
        /// Whether the whole text is wanted.
        raw: bool,
    },
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file, or something that reads like one.
    File,
    /// A folder.
    Folder,
}

/// What is known of the machine being built: Packer's "generated data".
#[derive(Debug, Clone, Default, PartialEq)]
pub enum BuildValues {
    /// Nothing: outside a build.
    #[default]
    None,
    /// Before the build: these names will exist besides [`BUILD_VALUE_NAMES`].
    Expected(BTreeSet<String>),
    /// During the build.
    Known(BTreeMap<String, Value>),
}

/// Names that `{{ build `…` }}` always knows.
pub const BUILD_VALUE_NAMES: [&str; 13] = [
    "ID",
    "Host",
    "Port",
    "User",
    "Password",
    "ConnType",
    "PackerRunUUID",
    "PackerHTTPPort",
    "PackerHTTPIP",
    "PackerHTTPAddr",
    "SSHPublicKey",
    "SSHPrivateKey",
    "WinRMPassword",
];

/// What every component of a build is told.
#[derive(Clone)]
pub struct Scope {
    /// The last part of the build's name: what `build_name` and `PACKER_BUILD_NAME` give.
    pub build_name: String,
    /// The builder's type.
    pub builder_type: String,
    /// The version templates see (`packer_version`): the Packer version Kiln stands for.
    pub core_version: String,
    /// `-debug`.
    pub debug: bool,
    /// `-force`.
    pub force: bool,
    /// `-on-error`.
    pub on_error: OnError,
    /// Absolute path of the template, if it is a file.
    pub template_path: Option<PathBuf>,
    /// User variables, rendered.
    pub user_variables: BTreeMap<String, String>,
    /// The run's UUID.
    pub run_uuid: String,
    /// Generated data.
    pub values: BuildValues,
    /// The outside.
    pub world: Arc<dyn World>,
}

impl std::fmt::Debug for Scope {
    // User variables may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("build_name", &self.build_name)
            .field("builder_type", &self.builder_type)
            .finish()
    }
}

impl Scope {
    /// Returns the same scope with other generated data.
    #[must_use]
    pub fn with_values(&self, values: BuildValues) -> Scope {
        Scope { values, ..self.clone() }
    }
}
