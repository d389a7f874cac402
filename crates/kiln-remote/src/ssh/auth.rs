//! Logging in: the agent's keys, then each key, the password, and keyboard-interactive with the password for every
//! answer. A method the server does not offer is not tried.

use std::path::Path;
use std::sync::Arc;

use kiln_core::Secret;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet};

use super::client::{Client, Observed};
use crate::connect::{Address, Credentials, Failure, LoginKey};

/// Rounds of questions after which an interactive log-in is given up: a server could ask for ever.
const QUESTION_ROUNDS: usize = 10;

#[derive(Clone, Copy)]
enum Method<'a> {
    Agent(&'a Path),
    Key(&'a LoginKey),
    Password(&'a Secret),
    Interactive(&'a Secret),
}

impl Method<'_> {
    fn kind(self) -> MethodKind {
        match self {
            Method::Agent(_) | Method::Key(_) => MethodKind::PublicKey,
            Method::Password(_) => MethodKind::Password,
            Method::Interactive(_) => MethodKind::KeyboardInteractive,
        }
    }
}

/// Logs in.
pub async fn log_in(
    handle: &mut Handle<Client>,
    address: &Address,
    credentials: &Credentials,
    spare_agent: Option<&Path>,
    observed: &Observed,
) -> Result<(), Failure> {
    let mut methods: Vec<Method<'_>> = Vec::new();
    methods.extend(credentials.agent.as_deref().map(Method::Agent));
    methods.extend(credentials.keys.iter().map(Method::Key));
    methods.extend(credentials.password.as_ref().map(Method::Password));
    methods.extend(credentials.password.as_ref().map(Method::Interactive));
    methods.extend(spare_agent.filter(|_| credentials.agent.is_none()).map(Method::Agent));
    let mut notes = Vec::new();
    if credentials.use_agent && credentials.agent.is_none() {
        notes.push("the agent was to be asked for keys, but SSH_AUTH_SOCK is not set".to_owned());
    }
    let mut log_in = LogIn { handle, user: &credentials.username, tried: vec!["none"], notes };
    let outcome = log_in.all(methods).await;
    let LogIn { tried, notes, .. } = log_in;
    let remaining = match outcome {
        Ok(None) => return Ok(()),
        Ok(Some(remaining)) => remaining,
        Err(error) => {
            let reason = observed.ended().map_or_else(|| error.to_string(), str::to_owned);
            // "Too many authentication failures" is how a server ends a log-in with too many keys.
            if !reason.contains("authenticat") {
                return Err(Failure::Handshake(address.clone(), format!("while logging in: {reason}")));
            }
            return Err(refused(credentials, &tried, &MethodSet::empty(), [notes, vec![reason]].concat()));
        }
    };
    Err(refused(credentials, &tried, &remaining, notes))
}

fn refused(credentials: &Credentials, tried: &[&str], remaining: &MethodSet, notes: Vec<String>) -> Failure {
    Failure::Authentication {
        user: credentials.username.clone(),
        tried: tried.iter().map(|name| (*name).to_owned()).collect(),
        remaining: remaining.iter().map(|kind| <&str>::from(kind).to_owned()).collect(),
        notes,
    }
}

struct LogIn<'a> {
    handle: &'a mut Handle<Client>,
    user: &'a str,
    tried: Vec<&'static str>,
    notes: Vec<String>,
}

impl LogIn<'_> {
    /// Tries the methods until the server is content; returns what it still offers if it is not.
    async fn all(&mut self, mut methods: Vec<Method<'_>>) -> Result<Option<MethodSet>, russh::Error> {
        // The method `none` is refused, and the refusal names what is offered.
        let mut remaining = match self.handle.authenticate_none(self.user).await? {
            AuthResult::Success => return Ok(None),
            AuthResult::Failure { remaining_methods, .. } => remaining_methods,
        };
        let mut next = 0;
        while let Some(method) = methods.get(next).copied() {
            if self.handle.is_closed() {
                return Err(russh::Error::Disconnect);
            }
            if !remaining.contains(&method.kind()) {
                next += 1;
                continue;
            }
            let name = <&str>::from(&method.kind());
            if !self.tried.contains(&name) {
                self.tried.push(name);
            }
            let result = match method {
                Method::Agent(socket) => self.agent(socket).await?,
                Method::Key(key) => self.key(key).await?,
                Method::Password(password) => {
                    Some(self.handle.authenticate_password(self.user, password.expose()).await?)
                }
                Method::Interactive(password) => Some(self.interactive(password).await?),
            };
            match result {
                Some(AuthResult::Success) => return Ok(None),
                Some(AuthResult::Failure { remaining_methods, partial_success: true }) => {
                    // One of several steps is done: what was passed over before may be wanted now.
                    remaining = remaining_methods;
                    methods.remove(next);
                    next = 0;
                }
                Some(AuthResult::Failure { remaining_methods, partial_success: false }) => {
                    // A connection that was closed shows as an empty list, too.
                    if self.handle.is_closed() {
                        return Err(russh::Error::Disconnect);
                    }
                    remaining = remaining_methods;
                    next += 1;
                }
                None => next += 1,
            }
        }
        Ok(Some(remaining))
    }

    async fn key(&mut self, key: &LoginKey) -> Result<Option<AuthResult>, russh::Error> {
        if let Some(certificate) = &key.certificate {
            let result = self
                .handle
                .authenticate_openssh_cert(self.user, Arc::clone(&key.key), certificate.clone())
                .await?;
            if !is_refusal(&result) {
                return Ok(Some(result));
            }
        }
        let mut last = None;
        for hash in self.hashes(key.key.public_key()).await? {
            let signed = PrivateKeyWithHashAlg::new(Arc::clone(&key.key), hash);
            let result = self.handle.authenticate_publickey(self.user, signed).await?;
            if !is_refusal(&result) {
                return Ok(Some(result));
            }
            last = Some(result);
        }
        Ok(last)
    }

    async fn agent(&mut self, socket: &Path) -> Result<Option<AuthResult>, russh::Error> {
        let agent = async {
            let mut agent = AgentClient::connect_uds(socket).await?;
            let identities = agent.request_identities().await?;
            Ok::<_, russh::keys::Error>((agent, identities))
        };
        let (mut agent, identities) = match agent.await {
            Ok(found) => found,
            Err(error) => {
                self.notes.push(format!("the SSH agent at {}: {error}", socket.display()));
                return Ok(None);
            }
        };
        if identities.is_empty() {
            self.notes.push("the SSH agent holds no key".to_owned());
        }
        let mut last = None;
        for identity in identities {
            let key = match &identity {
                AgentIdentity::PublicKey { key, .. } => key.clone(),
                AgentIdentity::Certificate { certificate, .. } => certificate.public_key().clone().into(),
            };
            for hash in self.hashes(&key).await? {
                let result = match &identity {
                    AgentIdentity::PublicKey { key, .. } => {
                        self.handle
                            .authenticate_publickey_with(self.user, key.clone(), hash, &mut agent)
                            .await
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        self.handle
                            .authenticate_certificate_with(self.user, certificate.clone(), hash, &mut agent)
                            .await
                    }
                };
                match result {
                    Ok(result) if is_refusal(&result) => last = Some(result),
                    Ok(result) => return Ok(Some(result)),
                    // An agent may hold a key and not be willing to sign with it.
                    Err(error) => self.notes.push(format!("the SSH agent: {error}")),
                }
                if self.handle.is_closed() {
                    return Err(russh::Error::Disconnect);
                }
            }
        }
        Ok(last)
    }

    /// Returns the hashes to sign with, the best first: RSA keys only have a choice.
    async fn hashes(&self, key: &PublicKey) -> Result<Vec<Option<HashAlg>>, russh::Error> {
        if !key.algorithm().is_rsa() {
            return Ok(vec![None]);
        }
        Ok(match self.handle.best_supported_rsa_hash().await? {
            Some(hash) => vec![hash],
            // A server that names no algorithms is new enough for SHA-2 or old enough to know SHA-1 only.
            None => vec![Some(HashAlg::Sha512), None],
        })
    }

    async fn interactive(&mut self, password: &Secret) -> Result<AuthResult, russh::Error> {
        let mut response =
            self.handle.authenticate_keyboard_interactive_start(self.user, None::<String>).await?;
        for _ in 0..QUESTION_ROUNDS {
            response = match response {
                KeyboardInteractiveAuthResponse::Success => return Ok(AuthResult::Success),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    return Ok(AuthResult::Failure { remaining_methods, partial_success });
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = prompts.iter().map(|_| password.expose().to_owned()).collect();
                    self.handle.authenticate_keyboard_interactive_respond(answers).await?
                }
            };
        }
        Ok(AuthResult::Failure { remaining_methods: MethodSet::empty(), partial_success: false })
    }
}

fn is_refusal(result: &AuthResult) -> bool {
    matches!(result, AuthResult::Failure { partial_success: false, .. })
}
