//! What a template may say, and what is said about what it may not.

use std::sync::Arc;
use std::time::Duration;

use kiln_core::decode::decode;
use kiln_core::scope::{BuildValues, OnError, Scope};
use kiln_core::{Source, Span, Value};
use kiln_remote::config::{CommunicatorConfig, Resolved, place};
use kiln_remote::connect::{ConnectConfig, Route, Transfer};
use kiln_remote::keys::{KeyKind, KeyPair};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::support::{TestWorld, write_private};

/// A builder's configuration.
#[derive(Debug, Deserialize, JsonSchema)]
struct Builder {
    #[serde(flatten)]
    communicator: CommunicatorConfig,
    region: String,
}

fn scope() -> Scope {
    Scope {
        build_name: "test".to_owned(),
        builder_type: "test".to_owned(),
        core_version: "1.16.0".to_owned(),
        debug: false,
        force: false,
        on_error: OnError::Cleanup,
        template_path: None,
        user_variables: Default::default(),
        run_uuid: String::new(),
        values: BuildValues::None,
        world: Arc::new(TestWorld::default()),
    }
}

fn config(fields: &[(&str, Value)]) -> CommunicatorConfig {
    let region = ("region", text("cn-beijing"));
    let user = ("ssh_username", text("root"));
    let value = Value::object([region, user].into_iter().chain(fields.iter().cloned()));
    let builder: Builder = decode(&value, &scope()).unwrap();
    assert_eq!(builder.region, "cn-beijing");
    builder.communicator
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn resolved(fields: &[(&str, Value)]) -> ConnectConfig {
    match config(fields).resolve(&TestWorld::default()).unwrap() {
        Resolved::Ssh(config) => *config,
        Resolved::None => panic!("ssh is the default"),
    }
}

fn faults(fields: &[(&str, Value)]) -> Vec<String> {
    let world = TestWorld([("HOME", "/nonexistent".to_owned())].into());
    let faults = config(fields).validate(&world);
    faults.into_iter().map(|(field, fault)| format!("{field}: {}", fault.message)).collect()
}

#[test]
fn the_defaults_are_packers() {
    let config = resolved(&[]);
    assert_eq!(config.port, 22);
    assert_eq!((config.timeout, config.handshake_attempts), (Some(Duration::from_secs(300)), Some(10)));
    assert_eq!(config.keep_alive, Some(Duration::from_secs(5)));
    assert_eq!((config.read_write_timeout, config.pause, config.pty), (None, None, false));
    assert_eq!(config.transfer, Transfer::Scp);
    assert_eq!(config.temporary_key, KeyKind::Rsa(4096));
    assert!(matches!(config.route, Route::Direct));
}

#[test]
fn one_limit_given_lifts_the_other() {
    let limits = |fields: &[(&str, Value)]| {
        let config = resolved(fields);
        (config.timeout.map(|timeout| timeout.as_secs()), config.handshake_attempts)
    };
    assert_eq!(limits(&[("ssh_timeout", text("20m"))]), (Some(1200), None));
    assert_eq!(limits(&[("ssh_handshake_attempts", text("3"))]), (None, Some(3)));
    assert_eq!(limits(&[("ssh_timeout", text("1m")), ("ssh_wait_timeout", text("2m"))]), (Some(120), None));
}

#[test]
fn values_are_taken_as_templates_write_them() {
    let config = resolved(&[
        ("ssh_port", text("2222")),
        ("ssh_pty", text("true")),
        ("ssh_keep_alive_interval", text("-1s")),
        ("ssh_ciphers", text("aes128-ctr")),
        ("ssh_file_transfer_method", text("sftp")),
        ("ssh_proxy_host", text("proxy")),
        ("ssh_local_tunnels", text("8080:localhost:80")),
        ("pause_before_connecting", text("1m30s")),
        ("temporary_key_pair_type", text("ed25519")),
    ]);
    assert_eq!((config.port, config.pty, config.keep_alive), (2222, true, None));
    assert_eq!(config.algorithms.ciphers, ["aes128-ctr"]);
    assert_eq!((config.transfer, config.pause), (Transfer::Sftp, Some(Duration::from_secs(90))));
    assert!(matches!(&config.route, Route::Socks(proxy) if proxy.port == 1080));
    assert_eq!(config.local_tunnels[0].target.to_string(), "localhost:80");
    assert_eq!(config.temporary_key, KeyKind::Ed25519);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    assert_eq!(
        faults(&[
            ("ssh_username", text("")),
            ("ssh_private_key_file", text("~/missing")),
            ("ssh_file_transfer_method", text("ftp")),
            ("ssh_bastion_host", text("a")),
            ("ssh_proxy_host", text("b")),
            ("ssh_ciphers", text("none")),
            ("ssh_remote_tunnels", text("80:")),
            ("temporary_key_pair_bits", text("512")),
            ("ssh_keep_alive_interval", text("soon")),
        ]),
        [
            "ssh_username: An ssh_username must be specified\n  \
             Note: some builders used to default ssh_username to \"root\".",
            "ssh_private_key_file: ssh_private_key_file is invalid: stat /nonexistent/missing: no such file or directory",
            "temporary_key_pair_bits: sshkey: invalid private key rsa size: must be more than 1024",
            "ssh_proxy_host: please specify either ssh_bastion_host or ssh_proxy_host, not both",
            "ssh_ciphers: ssh_ciphers: the cipher `none` is unknown",
            "ssh_keep_alive_interval: ssh_keep_alive_interval: time: invalid duration \"soon\"",
            "ssh_file_transfer_method: ssh_file_transfer_method ('ftp') is invalid, valid methods: sftp, scp",
            "ssh_remote_tunnels: ssh_remote_tunnels ('80:') is invalid: PORT:HOST:PORT is wanted, such as 8080:localhost:80",
        ]
    );
    assert_eq!(
        faults(&[("ssh_bastion_host", text("a"))]),
        [
            "ssh_bastion_host: ssh_bastion_password, ssh_bastion_private_key_file or ssh_bastion_agent_auth must be specified"
        ]
    );
    let interactive = faults(&[("ssh_bastion_host", text("a")), ("ssh_bastion_interactive", text("true"))]);
    assert_eq!(interactive.len(), 1);
    assert_eq!(
        faults(&[("communicator", text("telnet"))]),
        ["communicator: Communicator type telnet is invalid"]
    );
    assert_eq!(
        faults(&[("communicator", text("winrm"))]),
        [
            "winrm_username: winrm_username must be specified.",
            "communicator: the communicator `winrm` is not in this version of Kiln",
        ]
    );
    // Nothing else matters when nobody connects.
    assert!(faults(&[("communicator", text("none")), ("ssh_file_transfer_method", text("ftp"))]).is_empty());
}

#[test]
fn an_agent_that_is_not_there_is_warned_of() {
    let config = config(&[("ssh_agent_auth", text("true"))]);
    let warnings = config.warnings(&TestWorld::default());
    assert_eq!(
        warnings,
        ["ssh_agent_auth is set, but SSH_AUTH_SOCK is not: no agent will be asked for keys"]
    );
    let world = TestWorld([("SSH_AUTH_SOCK", "/agent".to_owned())].into());
    assert!(config.warnings(&world).is_empty() && config.validate(&world).is_empty());
}

#[test]
fn a_fault_is_placed_at_its_field() {
    let source = Source::new("t.json", "{ \"communicator\": \"winrm\" }");
    let span = Span::new(&source, 18, 25);
    let settings = Value::object([("communicator", text("winrm").at(span.clone()))]);
    let config = CommunicatorConfig { communicator: Some("winrm".to_owned()), ..Default::default() };
    let faults = place(config.validate(&TestWorld::default()), &settings);
    assert_eq!(faults[1].span, Some(span));
}

#[tokio::test]
async fn key_files_are_read_when_the_template_is() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().display().to_string();
    let world = TestWorld([("HOME", home.clone())].into());
    let key = KeyPair::generate(KeyKind::Ed25519).await.unwrap();
    let pem = KeyPair::generate(KeyKind::Ecdsa(256)).await.unwrap();
    let file = |name: &str, text: &str| write_private(&folder.path().join(name), text);
    file("good", key.private_text().unwrap().expose());
    file("indented", &pem.private_text().unwrap().expose().replace('\n', "\r\n  "));
    file("text", "hello");
    file("cut", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    for (name, arguments) in
        [("locked", ["-m", "RFC4716"]), ("locked-pem", ["-m", "PEM"]), ("locked-8", ["-m", "PKCS8"])]
    {
        let path = folder.path().join(name);
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "rsa", "-b", "2048", "-N", "secret", "-f"])
            .arg(&path)
            .args(arguments)
            .status();
        assert!(made.unwrap().success());
    }
    let resolve = |name: &str| {
        let config = CommunicatorConfig {
            ssh_username: Some("root".to_owned()),
            ssh_private_key_file: Some(format!("~/{name}")),
            ..Default::default()
        };
        match config.resolve(&world) {
            Ok(Resolved::Ssh(config)) => format!("{:?}", config.credentials.keys),
            Ok(Resolved::None) => panic!("ssh is the default"),
            Err(faults) => faults.into_iter().map(|(_, fault)| fault.message).collect(),
        }
    };
    assert_eq!(resolve("good"), format!("[LoginKey(\"{}\")]", key.fingerprint()));
    assert_eq!(resolve("indented"), format!("[LoginKey(\"{}\")]", pem.fingerprint()));
    assert_eq!(resolve("text"), "ssh_private_key_file is invalid: Failed to read key '~/text': no key found");
    assert!(
        resolve("cut").starts_with("ssh_private_key_file is invalid: Failed to read key '~/cut': "),
        "{}",
        resolve("cut")
    );
    for name in ["locked", "locked-pem", "locked-8"] {
        assert_eq!(
            resolve(name),
            format!(
                "ssh_private_key_file is invalid: Failed to read key '~/{name}': password protected keys are\n\
                 not supported. Please decrypt the key prior to use."
            )
        );
    }
}
