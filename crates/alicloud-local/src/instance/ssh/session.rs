//! One connection: who it is, and what it may open. What runs on a channel is in `channel`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::{HashAlg, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session as Connection, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, Pty, Sig};
use tokio_util::sync::CancellationToken;

use super::channel::{Input, Opened};
use crate::instance::helper::wire::{EnterRequest, Task};
use crate::instance::machine::Shared;
use crate::instance::process::TerminalRequest;
use crate::instance::{first_boot, keys};

/// What a client may set, as Debian's sshd has it.
fn may_set(name: &str) -> bool {
    name == "LANG" || name.starts_with("LC_")
}

const PUBLIC_KEY: &str = "publickey";

/// How many users a connection may ask for.
const LOOK_UPS: usize = 8;

/// Names a key without showing it: its kind and its fingerprint.
fn described(key: &PublicKey) -> String {
    let name = key.algorithm();
    let kind = name.as_str().trim_start_matches("ssh-").split('-').next().unwrap_or_default();
    let kind = kind.to_ascii_uppercase();
    format!(": {kind} {}", key.fingerprint(HashAlg::Sha256))
}

pub(super) struct Session {
    machine: Arc<Shared>,
    peer: SocketAddr,
    local: SocketAddr,
    user: String,
    channels: HashMap<ChannelId, Opened>,
    /// What the guest says of users who want in: their keys, or that there is no such user.
    looked_up: HashMap<String, Option<Vec<PublicKey>>>,
    cancel: CancellationToken,
}

impl Session {
    pub fn new(
        machine: Arc<Shared>,
        peer: SocketAddr,
        local: SocketAddr,
        cancel: CancellationToken,
    ) -> Session {
        let (channels, looked_up) = (HashMap::new(), HashMap::new());
        Session { machine, peer, local, user: String::new(), channels, looked_up, cancel }
    }

    /// Returns the keys that let a user in, as his file in the guest says it now; `None`: there is no such user.
    async fn keys_of(&mut self, user: &str) -> Option<&[PublicKey]> {
        if !self.looked_up.contains_key(user) {
            // A client tries a few names at most; one that tries more is asked to come again.
            if self.looked_up.len() >= LOOK_UPS {
                return None;
            }
            let answer = match self.request(user, Task::LookUp) {
                Some(request) => first_boot::ask(&self.machine, &request).await,
                None => None,
            };
            let found = answer.map(|text| keys::readable(&String::from_utf8_lossy(&text)));
            self.looked_up.insert(user.to_owned(), found);
        }
        self.looked_up.get(user)?.as_deref()
    }

    async fn knows(&mut self, user: &str, key: &PublicKey) -> bool {
        // The comment is not part of the key.
        let known = self.keys_of(user).await.unwrap_or_default();
        known.iter().any(|known| known.key_data() == key.key_data())
    }

    fn password_fits(&self, user: &str, password: &[u8]) -> bool {
        // The attempt is made by a process on this machine; how long a comparison takes tells it nothing new.
        user == self.machine.spec.login_user
            && self.machine.spec.authorized_keys.is_empty()
            && self.machine.spec.password.as_ref().is_some_and(|own| own.as_bytes() == password)
    }

    /// Writes to the console how an attempt to log in went, as OpenSSH's server words it.
    fn tell(&self, verdict: &str, method: &str, user: &str, detail: &str) {
        let (ip, port) = (self.peer.ip(), self.peer.port());
        let line = format!("{verdict} {method} for {user} from {ip} port {port} ssh2{detail}");
        self.machine.console().service("sshd", &line);
    }

    fn refuse(&self, method: &str, user: &str, detail: &str) -> Auth {
        self.tell("Failed", method, user, detail);
        self.refusal()
    }

    /// Lets in who has proved his right, if the guest has such a user.
    async fn let_in(&mut self, method: &str, user: &str, detail: &str) -> Auth {
        if self.keys_of(user).await.is_none() {
            return self.refuse(method, &format!("invalid user {user}"), detail);
        }
        user.clone_into(&mut self.user);
        self.tell("Accepted", method, user, detail);
        Auth::Accept
    }

    /// A method that failed may be tried again (the client has other keys, or a typing mistake).
    fn refusal(&self) -> Auth {
        Auth::Reject { proceed_with_methods: Some(super::methods(&self.machine)), partial_success: false }
    }

    fn request(&self, user: &str, task: Task) -> Option<EnterRequest> {
        let live = self.machine.live()?;
        Some(EnterRequest {
            keeper: live.keeper,
            all_ids: live.all_ids,
            user: user.to_owned(),
            environment: self.machine.environment(),
            task,
            terminal: false,
        })
    }

    async fn run(
        &mut self,
        channel: ChannelId,
        task: Task,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        let (Some(mut request), Some(opened)) =
            (self.request(&self.user, task), self.channels.get_mut(&channel))
        else {
            return connection.channel_failure(channel);
        };
        let (peer, local) = (self.peer, self.local);
        request
            .environment
            .push(("SSH_CLIENT".into(), format!("{} {} {}", peer.ip(), peer.port(), local.port())));
        let ends = format!("{} {} {} {}", peer.ip(), peer.port(), local.ip(), local.port());
        request.environment.push(("SSH_CONNECTION".into(), ends));
        if opened.start(&self.machine, request, connection.handle(), self.cancel.clone()).await {
            connection.channel_success(channel)
        } else {
            connection.channel_failure(channel)
        }
    }
}

/// Recognises a client's scp, which is served by this program: a host may have none. A line with
/// more in it than that one command is the shell's.
fn scp_words(command: &[u8]) -> Option<&[u8]> {
    let command = command.trim_ascii();
    let words = [b"scp ".as_slice(), b"/usr/bin/scp "].iter().find_map(|name| command.strip_prefix(*name))?;
    let plain = !words.iter().any(|byte| b";&|<>()`$\n".contains(byte));
    let remote =
        words.split(|&byte| byte == b' ').take_while(|word| word.starts_with(b"-") && *word != b"--");
    let remote = remote.flatten().any(|letter| b"tf".contains(letter));
    (plain && remote).then_some(words)
}

impl Handler for Session {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        if self.knows(user, offer.public_key).await {
            return Ok(Auth::Accept);
        }
        Ok(self.refuse(PUBLIC_KEY, user, &described(offer.public_key)))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let detail = described(key.public_key);
        Ok(if self.knows(user, key.public_key).await {
            self.let_in(PUBLIC_KEY, user, &detail).await
        } else {
            self.refuse(PUBLIC_KEY, user, &detail)
        })
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(if self.password_fits(user, password.as_bytes()) {
            self.let_in("password", user, "").await
        } else {
            self.refuse("password", user, "")
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(response) = response else {
            return Ok(Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Borrowed(&[(Cow::Borrowed("Password: "), false)]),
            });
        };
        let answers: Vec<bytes::Bytes> = response.collect();
        let [password] = answers.as_slice() else { return Ok(self.refusal()) };
        let method = "keyboard-interactive/pam";
        Ok(if self.password_fits(user, password) {
            self.let_in(method, user, "").await
        } else {
            self.refuse(method, user, "")
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Connection,
    ) -> Result<(), russh::Error> {
        let id = channel.id();
        // The reading half is dropped: kept and unread it would fill up and stall the connection.
        // What the client sends arrives in `data`.
        let (_, writer) = channel.split();
        self.channels.insert(id, Opened::new(writer));
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Connection) -> Result<(), russh::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _: &mut Connection) -> Result<(), russh::Error> {
        if let Some(opened) = self.channels.get_mut(&channel) {
            opened.input(Input::End).await;
        }
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _: &mut Connection,
    ) -> Result<(), russh::Error> {
        if let Some(opened) = self.channels.get_mut(&channel) {
            opened.input(Input::Data(bytes::Bytes::copy_from_slice(data))).await;
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        modes: &[(Pty, u32)],
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        let size = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        match self.channels.get_mut(&channel) {
            Some(opened) => {
                opened.terminal = Some(TerminalRequest {
                    name: term.to_owned(),
                    columns: size(columns),
                    rows: size(rows),
                    modes: modes.to_vec(),
                });
                connection.channel_success(channel)
            }
            None => connection.channel_failure(channel),
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        let size = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        if let Some(opened) = self.channels.get_mut(&channel) {
            opened.resize(size(columns), size(rows));
        }
        connection.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        match self.channels.get_mut(&channel) {
            Some(opened) if may_set(name) && opened.environment.len() < 64 => {
                opened.environment.push((name.to_owned(), value.to_owned()));
                connection.channel_success(channel)
            }
            _ => connection.channel_failure(channel),
        }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        self.run(channel, Task::Shell, connection).await
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        let task = match scp_words(command) {
            Some(words) => Task::Scp(words.to_vec()),
            None => Task::Command(command.to_vec()),
        };
        self.run(channel, task, connection).await
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        match name {
            "sftp" => self.run(channel, Task::Sftp, connection).await,
            _ => connection.channel_failure(channel),
        }
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        _: &mut Connection,
    ) -> Result<(), russh::Error> {
        if let Some(opened) = self.channels.get_mut(&channel) {
            opened.signal(&signal);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::scp_words;

    #[test]
    fn only_a_plain_scp_is_served_by_us() {
        assert_eq!(scp_words(b"scp -vt /tmp\n").unwrap(), b"-vt /tmp");
        assert_eq!(scp_words(b"scp -vrf '/a b'").unwrap(), b"-vrf '/a b'");
        assert_eq!(scp_words(b"scp  -t /tmp").unwrap_or(b"-t /tmp"), b"-t /tmp");
        assert!(scp_words(b"scp -t /tmp; id").is_none());
        assert!(scp_words(b"scp a b").is_none());
        assert!(scp_words(b"echo scp -t /tmp").is_none());
    }
}
