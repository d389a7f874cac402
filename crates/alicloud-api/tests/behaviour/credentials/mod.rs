//! Who signs: which source wins, what each provider asks and takes for an answer, and renewing.

mod chain;
mod metadata;
mod profiles;
mod program;
mod renewing;
mod sts;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use alicloud_api::{
    Credentials, CredentialsProvider, Error, Product,
    credentials::{CredentialsObserver, Files, Ground, MetadataService, Outside},
};

use crate::fake::Fake;

/// Files in memory; those of `foreign` belong to somebody else.
#[derive(Debug, Default)]
pub struct Memory {
    pub files: Mutex<BTreeMap<PathBuf, String>>,
    pub foreign: bool,
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.lock().unwrap().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn distrusted(&self, _: &Path) -> io::Result<Option<String>> {
        Ok(self.foreign.then(|| "the file belongs to user 0, not to you".to_owned()))
    }
}

/// Remembers the keys it was shown.
#[derive(Debug, Default)]
pub struct Watch(pub Mutex<Vec<String>>);

impl CredentialsObserver for Watch {
    fn obtained(&self, credentials: &Credentials) {
        self.0.lock().unwrap().push(credentials.access_key_id.clone());
    }
}

pub const FILE: &str = "/home/u/.aliyun/config.json";

/// A ground of these variables and this credentials file.
pub fn ground(variables: &[(&str, &str)], file: &str) -> Ground {
    let memory = Memory::default();
    if !file.is_empty() {
        memory.files.lock().unwrap().insert(FILE.into(), file.to_owned());
    }
    ground_of(variables, memory)
}

pub fn ground_of(variables: &[(&str, &str)], memory: Memory) -> Ground {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut variables: BTreeMap<String, String> = owned.collect();
    variables.entry("HOME".to_owned()).or_insert_with(|| "/home/u".to_owned());
    let env = Arc::new(move |name: &str| variables.get(name).cloned());
    Ground::new(Outside::new(env, Arc::new(memory)))
}

/// The same with STS and metadata service at `fake`.
pub fn at(fake: &Fake, ground: Ground) -> Ground {
    let address = format!("http://127.0.0.1:{}", fake.port);
    let endpoints = ground.endpoints.clone().with(Product::Sts, &address).unwrap();
    let retry = fake.config().retry;
    Ground { endpoints, metadata: MetadataService::at(&address).unwrap(), retry, ..ground }
}

/// Returns the error and its causes on one line.
pub fn chain_of(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

pub async fn key(provider: &dyn CredentialsProvider) -> Result<String, String> {
    provider.credentials().await.map(|it| it.access_key_id).map_err(|error| chain_of(&error))
}
