//! Every way to log in, and the ways it fails.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use kiln_core::Secret;
use kiln_core::communicator::Communicator;
use kiln_remote::config::CommunicatorConfig;
use kiln_remote::connect::LoginKey;
use kiln_remote::keys::{KeyKind, KeyPair};

use crate::support::{Sshd, TestUser, TestWorld, connect_to, quick, sshd, write_private};

const REFUSED: &str = "Error waiting for SSH: Packer experienced an authentication error when trying to connect via \
    SSH. This can happen if your username/password are wrong. You may want to double-check your credentials as part \
    of your debugging process. original error: ssh: handshake failed: ssh: unable to authenticate, attempted methods ";

async fn works(ssh: &dyn Communicator) {
    let exit = ssh.start(kiln_core::communicator::Command::new("exit 6")).await.unwrap().wait().await;
    assert_eq!(exit, kiln_core::communicator::Exit::Code(6));
}

fn with_password(user: &TestUser, password: &str) -> CommunicatorConfig {
    CommunicatorConfig {
        ssh_username: Some(user.name.clone()),
        ssh_password: Some(Secret::new(password)),
        ..CommunicatorConfig::default()
    }
}

#[tokio::test]
async fn a_password_logs_in() {
    let Some(user) = TestUser::create() else { return };
    let sshd = sshd!("PasswordAuthentication yes");
    works(&sshd.connect(&sshd.config_of(&with_password(&user, &user.password))).await.unwrap()).await;

    let wrong = sshd.config_of(&with_password(&user, "not it"));
    let (result, lines) = connect_to(&wrong, sshd.address()).await;
    let error = result.err().unwrap();
    let text = format!("{REFUSED}[none password], no supported methods remain");
    assert_eq!(error.message, text);
    assert_eq!(
        error.hints,
        [format!(
            "tried password as `{}`; the server would take publickey, password: check `ssh_username` and the key \
             or password",
            user.name
        )]
    );
    assert_eq!(
        lines,
        [
            "say Using SSH communicator to connect: 127.0.0.1".to_owned(),
            "say Waiting for SSH to become available...".to_owned(),
            format!("error {text}"),
        ]
    );
    // As often as `ssh_handshake_attempts` says.
    assert_eq!(sshd.log().matches("Failed password").count(), 2);
}

#[tokio::test]
async fn questions_are_answered_with_the_password() {
    let Some(user) = TestUser::create() else { return };
    let sshd =
        sshd!("UsePAM yes", "KbdInteractiveAuthentication yes", "AuthenticationMethods keyboard-interactive");
    works(&sshd.connect(&sshd.config_of(&with_password(&user, &user.password))).await.unwrap()).await;
    assert!(sshd.log().contains("Accepted keyboard-interactive/pam"), "{}", sshd.log());

    let error = sshd.connect(&sshd.config_of(&with_password(&user, "not it"))).await.err().unwrap();
    assert_eq!(error.message, format!("{REFUSED}[none keyboard-interactive], no supported methods remain"));
}

#[tokio::test]
async fn two_steps_are_taken_one_after_the_other() {
    let Some(user) = TestUser::create() else { return };
    let sshd = sshd!("PasswordAuthentication yes", "AuthenticationMethods password,publickey");
    let mut config = sshd.config_of(&with_password(&user, &user.password));
    config.credentials.keys = vec![LoginKey::from(&sshd.key)];
    works(&sshd.connect(&config).await.unwrap()).await;
}

fn allow(sshd: &Sshd, lines: &str) {
    std::fs::write(sshd.path("authorized_keys"), lines).unwrap();
}

fn key_file(sshd: &Sshd, path: &str) -> CommunicatorConfig {
    CommunicatorConfig { ssh_private_key_file: Some(sshd.path(path)), ..CommunicatorConfig::default() }
}

fn ssh_keygen(arguments: &[&str]) {
    let done = Command::new("ssh-keygen").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn key_files_of_every_form_log_in() {
    let sshd = sshd!();
    for (name, arguments) in [
        ("openssh-ed25519", vec!["-t", "ed25519"]),
        ("openssh-rsa", vec!["-t", "rsa", "-b", "2048"]),
        ("pem-rsa", vec!["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("pkcs8-rsa", vec!["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        ("openssh-ecdsa", vec!["-t", "ecdsa", "-b", "256"]),
        ("pem-ecdsa", vec!["-t", "ecdsa", "-b", "521", "-m", "PEM"]),
        ("pkcs8-ecdsa", vec!["-t", "ecdsa", "-b", "384", "-m", "PKCS8"]),
    ] {
        let path = sshd.path(name);
        ssh_keygen(&[&["-q", "-N", "", "-f", &path], &arguments[..]].concat());
        allow(&sshd, &std::fs::read_to_string(format!("{path}.pub")).unwrap());
        works(&sshd.connect(&sshd.config_of(&key_file(&sshd, name))).await.unwrap()).await;
    }
}

#[tokio::test]
async fn an_rsa_key_signs_with_sha_2() {
    let sshd = sshd!("PubkeyAcceptedAlgorithms rsa-sha2-512");
    let key = KeyPair::generate(KeyKind::Rsa(2048)).await.unwrap();
    allow(&sshd, &key.public_line());
    let mut config = sshd.config();
    config.credentials.keys = vec![LoginKey::from(&key)];
    works(&sshd.connect(&config).await.unwrap()).await;
}

#[tokio::test]
async fn temporary_keys_of_every_kind_log_in() {
    let sshd = sshd!();
    for kind in
        [KeyKind::Rsa(2048), KeyKind::Ecdsa(256), KeyKind::Ecdsa(384), KeyKind::Ecdsa(521), KeyKind::Ed25519]
    {
        let key = KeyPair::generate(kind).await.unwrap();
        let text = key.private_text().unwrap();
        // What OpenSSH makes of the private half is the public half.
        write_private(Path::new(&sshd.path("key")), text.expose());
        let derived = Command::new("ssh-keygen").args(["-y", "-f", &sshd.path("key")]).output().unwrap();
        assert_eq!(String::from_utf8(derived.stdout).unwrap(), key.public_line(), "{kind:?}");
        // And so do we.
        let read = KeyPair::from_private("key", &text).unwrap();
        assert_eq!((read.public_line(), read.fingerprint()), (key.public_line(), key.fingerprint()));
        allow(&sshd, &key.public_line());
        let mut config = sshd.config();
        config.credentials.keys = vec![LoginKey::from(&read)];
        works(&sshd.connect(&config).await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let sshd = sshd!();
    let mut config = sshd.config();
    config.credentials.keys = vec![LoginKey::from(&KeyPair::generate(KeyKind::Ed25519).await.unwrap())];
    let error = sshd.connect(&config).await.err().unwrap();
    assert_eq!(error.message, format!("{REFUSED}[none publickey], no supported methods remain"));
    assert!(error.shown);
}

#[tokio::test]
async fn a_certificate_logs_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let trusted = format!("TrustedUserCAKeys {}", path("ca.pub"));
    let sshd = sshd!(trusted.as_str());
    for name in ["ca", "key"] {
        ssh_keygen(&["-q", "-N", "", "-t", "ed25519", "-f", &path(name)]);
    }
    ssh_keygen(&[
        "-q",
        "-s",
        &path("ca"),
        "-I",
        "test",
        "-n",
        &crate::support::user_name(),
        &path("key.pub"),
    ]);
    let mut template =
        CommunicatorConfig { ssh_private_key_file: Some(path("key")), ..CommunicatorConfig::default() };
    assert!(sshd.connect(&sshd.config_of(&template)).await.is_err());
    template.ssh_certificate_file = Some(path("key-cert.pub"));
    works(&sshd.connect(&sshd.config_of(&template)).await.unwrap()).await;
}

/// An agent with one key, ended with the handle.
struct Agent {
    child: Child,
    socket: String,
}

impl Agent {
    async fn start(sshd: &Sshd, keys: &[&KeyPair]) -> Agent {
        let socket = sshd.path("agent");
        let child =
            Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn().unwrap();
        let agent = Agent { child, socket };
        while !Path::new(&agent.socket).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        for key in keys {
            write_private(Path::new(&sshd.path("agent-key")), key.private_text().unwrap().expose());
            let added = Command::new("ssh-add")
                .args(["-q", &sshd.path("agent-key")])
                .env("SSH_AUTH_SOCK", &agent.socket)
                .status()
                .unwrap();
            assert!(added.success());
        }
        agent
    }

    fn config(&self, template: &CommunicatorConfig) -> kiln_remote::connect::ConnectConfig {
        let template =
            CommunicatorConfig { ssh_username: Some(crate::support::user_name()), ..template.clone() };
        let world = TestWorld([("SSH_AUTH_SOCK", self.socket.clone())].into());
        match template.resolve(&world) {
            Ok(kiln_remote::config::Resolved::Ssh(config)) => quick(*config),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_agents_keys_log_in() {
    let sshd = sshd!();
    let rsa = KeyPair::generate(KeyKind::Rsa(2048)).await.unwrap();
    let agent = Agent::start(&sshd, &[&KeyPair::generate(KeyKind::Ed25519).await.unwrap(), &rsa]).await;
    allow(&sshd, &rsa.public_line());
    let template = CommunicatorConfig { ssh_agent_auth: true, ..CommunicatorConfig::default() };
    works(&sshd.connect(&agent.config(&template)).await.unwrap()).await;
}

#[tokio::test]
async fn the_agent_is_lent_to_the_machine_unless_forbidden() {
    let sshd = sshd!();
    let agent = Agent::start(&sshd, &[&sshd.key]).await;
    for (forbidden, seen) in [(false, sshd.key.public_line()), (true, String::new())] {
        let template = CommunicatorConfig {
            ssh_agent_auth: true,
            ssh_disable_agent_forwarding: forbidden,
            ..CommunicatorConfig::default()
        };
        let ssh = sshd.connect(&agent.config(&template)).await.unwrap();
        let mut running =
            ssh.start(kiln_core::communicator::Command::new("ssh-add -L 2>/dev/null")).await.unwrap();
        let mut listed = String::new();
        while let Some((_, bytes)) = running.output.recv().await {
            listed.push_str(&String::from_utf8(bytes).unwrap());
        }
        let listed = listed.split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert_eq!(listed.trim(), seen.trim());
    }
}

#[tokio::test]
async fn an_agent_that_is_gone_is_named() {
    let sshd = sshd!();
    let mut config = sshd.config();
    config.credentials.keys.clear();
    config.credentials.agent = Some("/nonexistent/agent".into());
    let error = sshd.connect(&config).await.err().unwrap();
    assert!(error.hints[0].starts_with("the SSH agent at /nonexistent/agent: "), "{:?}", error.hints);
}
