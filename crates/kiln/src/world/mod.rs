//! The outside as templates and components may ask for it: files, environment, one clock, secret stores.

mod stores;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use kiln_core::scope::{FileKind, SecretRequest, World};

use crate::env_vars::Environment;

/// The real world, with the environment it is given.
pub struct RealWorld {
    environment: Environment,
    started: Timestamp,
}

impl RealWorld {
    /// Returns the world as of now: all time functions agree on this instant.
    pub fn new(environment: Environment) -> RealWorld {
        RealWorld { environment, started: Timestamp::now() }
    }
}

impl World for RealWorld {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn read_bytes(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn stat(&self, path: &Path) -> std::io::Result<FileKind> {
        Ok(match std::fs::metadata(path)?.is_dir() {
            true => FileKind::Folder,
            false => FileKind::File,
        })
    }

    fn list(&self, pattern: &str) -> std::io::Result<Vec<PathBuf>> {
        let paths = glob::glob(pattern)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error.to_string()))?;
        // A folder that may not be read holds nothing for this user.
        let mut paths: Vec<PathBuf> = paths.filter_map(Result::ok).collect();
        paths.sort();
        Ok(paths)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name)
    }

    fn now(&self) -> Timestamp {
        self.started
    }

    fn working_dir(&self) -> PathBuf {
        // A working directory that has been deleted has no name; `.` still leads to it.
        std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
    }

    fn random(&self) -> [u8; 16] {
        rand::random()
    }

    fn secret(&self, request: &SecretRequest) -> Result<String, String> {
        stores::fetch(request, &self.environment)
    }
}
