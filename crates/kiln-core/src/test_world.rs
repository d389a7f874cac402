//! A world that holds still, for tests.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::scope::{BuildValues, FileKind, OnError, Scope, SecretRequest, World};

/// Nothing but an environment, a clock that stands still, and one secret.
#[derive(Default)]
pub(crate) struct TestWorld {
    pub(crate) environment: BTreeMap<String, String>,
}

impl World for TestWorld {
    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn read_bytes(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn stat(&self, _: &Path) -> io::Result<FileKind> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    fn now(&self) -> jiff::Timestamp {
        "2026-11-21T00:53:02Z".parse().unwrap()
    }

    fn working_dir(&self) -> PathBuf {
        PathBuf::from("/here")
    }

    fn random(&self) -> [u8; 16] {
        [0xab; 16]
    }

    fn secret(&self, request: &SecretRequest) -> Result<String, String> {
        match request {
            SecretRequest::Vault { path, key } => Ok(format!("{path}/{key} of the vault")),
            _ => Err("nobody there".to_owned()),
        }
    }
}

/// Returns what the component of a build called `null` is told.
pub(crate) fn scope() -> Scope {
    Scope {
        build_name: "web".to_owned(),
        builder_type: "null".to_owned(),
        core_version: "1.16.0".to_owned(),
        debug: false,
        force: false,
        on_error: OnError::Cleanup,
        template_path: Some(PathBuf::from("/here/folder/t.json")),
        user_variables: BTreeMap::from([
            ("name".to_owned(), "world".to_owned()),
            ("number".to_owned(), "42".to_owned()),
            ("list".to_owned(), "a,b,c".to_owned()),
        ]),
        run_uuid: "00000000-0000-4000-8000-000000000000".to_owned(),
        values: BuildValues::None,
        world: Arc::new(TestWorld { environment: BTreeMap::from([("HERE".to_owned(), "yes".to_owned())]) }),
    }
}
