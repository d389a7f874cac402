//! A world of files in memory in which time stands still.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use kiln_core::scope::{FileKind, SecretRequest, World};

/// See the module.
#[derive(Default)]
pub struct TestWorld {
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl World for TestWorld {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.read_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn read_bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.ends_with("folder") {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    fn stat(&self, path: &Path) -> io::Result<FileKind> {
        self.read_bytes(path).map(|_| FileKind::File)
    }

    fn list(&self, _pattern: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn env(&self, name: &str) -> Option<String> {
        match name {
            "ALICLOUD_ACCESS_KEY" => Some("key-of-the-environment".into()),
            "ALICLOUD_SECRET_KEY" => Some("secret-of-the-environment".into()),
            _ => None,
        }
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn working_dir(&self) -> PathBuf {
        "/work".into()
    }

    fn random(&self) -> [u8; 16] {
        [7; 16]
    }

    fn secret(&self, _request: &SecretRequest) -> Result<String, String> {
        Err("no store here".into())
    }
}
