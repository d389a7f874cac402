//! What all builds of the process share of their accounts: one client per account and endpoints, with its connections,
//! its limiter and its credentials; and what is said once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use alicloud_api::credentials::{CredentialsObserver, Files};
use alicloud_api::{Client, ClientConfig, Credentials};
use kiln_core::secret::SecretFilter;

use crate::looks::Looks;

/// The accounts that builds of this process work in.
#[derive(Default)]
pub struct Accounts {
    clients: Mutex<BTreeMap<String, Client>>,
    said: Mutex<BTreeSet<String>>,
    looks: Looks,
}

impl Accounts {
    /// Returns the client of the account that `fingerprint` tells from others, at the endpoints of `config`; makes it
    /// if nobody has.
    pub(crate) fn client(&self, fingerprint: &str, config: ClientConfig) -> alicloud_api::Result<Client> {
        let key = format!("{fingerprint} {:?} {:?}", config.endpoints, config.poll_floor);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = Client::new(config)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Returns the pollers that builds share.
    pub(crate) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// Returns whether `text` is said for the first time.
    pub(crate) fn says_first(&self, text: &str) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Accounts").field("clients", &clients).finish()
    }
}

/// Keeps everything that signs out of every output, before it is used for the first time.
#[derive(Debug)]
pub(crate) struct Masked(pub SecretFilter);

impl CredentialsObserver for Masked {
    fn obtained(&self, credentials: &Credentials) {
        self.0.register(credentials.access_key_secret.expose());
        if let Some(token) = &credentials.security_token {
            self.0.register(token.expose());
        }
    }
}

/// No files at all: for a cloud that no credentials of this machine concern.
#[derive(Debug)]
pub(crate) struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn distrusted(&self, _: &Path) -> io::Result<Option<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
