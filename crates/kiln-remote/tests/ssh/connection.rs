//! The way to the machine: waiting for it, losing it, going through others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kiln_core::communicator::{Command, Communicator, Exit};
use kiln_core::error::ErrorKind;
use kiln_core::secret::SecretFilter;
use kiln_core::{Error, Events};
use kiln_remote::connect::{Address, Bastion, HostKeyPolicy, LoginKey, Route, SocksProxy, Tunnel, connect};
use kiln_remote::dial::{Dialer, Direct};
use kiln_remote::keys::{KeyKind, KeyPair};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{connect_to, lines, new_host_key, signal, sshd, write_private};

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn run(ssh: &dyn Communicator, line: &str) -> Exit {
    ssh.start(Command::new(line)).await.unwrap().wait().await
}

/// Returns the error of connecting to `address` for a while.
async fn fails(config: &kiln_remote::connect::ConnectConfig, address: Address) -> Error {
    let mut config = config.clone();
    config.timeout = Some(Duration::from_millis(300));
    let begun = Instant::now();
    let error = connect_to(&config, address).await.0.err().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    error
}

#[tokio::test]
async fn a_timeout_names_what_failed_last() {
    let sshd = sshd!();
    let config = sshd.config();
    let at = |port| Address { host: "127.0.0.1".to_owned(), port };

    let refused = fails(&config, at(free_port().await)).await;
    assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::TimedOut, "Timeout waiting for SSH."));
    assert!(refused.hints[0].ends_with(": connection refused"), "{:?}", refused.hints);
    assert!(refused.hints[1].contains("nobody listens on port"), "{:?}", refused.hints);

    // A port that is open and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = fails(&config, at(silent.local_addr().unwrap().port())).await;
    assert!(error.hints[0].contains("at last: Timeout during SSH handshake ("), "{:?}", error.hints);

    // A port that is open and speaks something else.
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = fails(&config, at(port)).await;
    assert!(error.hints[0].contains("SSH handshake failed"), "{:?}", error.hints);

    let error = fails(&config, Address { host: "no-such-host.invalid".to_owned(), port: 22 }).await;
    assert!(error.hints[0].contains("no-such-host.invalid:22: "), "{:?}", error.hints);
}

/// Swallows everything.
struct BlackHole;

#[async_trait::async_trait]
impl Dialer for BlackHole {
    async fn dial(&self, _: &str, _: u16) -> std::io::Result<TcpStream> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn silence_is_named() {
    let mut config = crate::support::resolve(&kiln_remote::config::CommunicatorConfig {
        ssh_username: Some("me".to_owned()),
        ..Default::default()
    });
    config.timeout = Some(Duration::from_millis(100));
    let (events, _receiver) = Events::channel(SecretFilter::default());
    let find = || std::future::ready(Ok(Address { host: "192.0.2.1".to_owned(), port: 22 }));
    let cancel = CancellationToken::new();
    let error = connect(&config, Arc::new(BlackHole), find, &events, &cancel).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::TimedOut);
    assert_eq!(error.chain(), "Timeout waiting for SSH.");
    assert_eq!(error.hints[0], "waited 100ms; at last: 192.0.2.1:22: no answer");
    assert!(error.hints[1].contains("check the security group"), "{:?}", error.hints);
}

#[tokio::test]
async fn no_common_algorithm_names_both_lists() {
    let sshd = sshd!("Ciphers aes128-ctr");
    let mut config = sshd.config();
    config.algorithms.ciphers = vec!["aes256-gcm@openssh.com".to_owned()];
    let error = fails(&config, sshd.address()).await;
    let both = "offered aes256-gcm@openssh.com, the server has aes128-ctr";
    assert!(error.hints[0].contains(both), "{:?}", error.hints);
    config.algorithms.ciphers.push("aes128-ctr".to_owned());
    config.algorithms.key_exchange = vec!["ecdh-sha2-nistp256".to_owned()];
    sshd.connect(&config).await.unwrap();
}

#[tokio::test]
async fn an_address_and_a_server_that_come_late_are_waited_for() {
    let mut sshd = sshd!();
    sshd.stop();
    let asked = AtomicUsize::new(0);
    let address = sshd.address();
    let find = || {
        let result = match asked.fetch_add(1, Ordering::Relaxed) {
            0..3 => Err(Error::new("the machine has no address yet")),
            _ => Ok(address.clone()),
        };
        std::future::ready(result)
    };
    let (events, receiver) = Events::channel(SecretFilter::default());
    let (config, cancel) = (sshd.config(), CancellationToken::new());
    let waiting = connect(&config, Arc::new(Direct), find, &events, &cancel);
    let start = async {
        while asked.load(Ordering::Relaxed) < 6 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sshd.start_again();
    };
    let (result, ()) = tokio::join!(waiting, start);
    assert_eq!(run(&result.unwrap(), "true").await, Exit::Code(0));
    drop(events);
    // Without an address at first, there is no line about it; and no try is shown.
    assert_eq!(
        lines(receiver).await,
        ["say Waiting for SSH to become available...", "say Connected to SSH!"]
    );
}

#[tokio::test]
async fn a_pause_is_followed_by_a_second_connection() {
    let sshd = sshd!();
    let mut config = sshd.config();
    config.pause = Some(Duration::from_millis(50));
    let (result, lines) = connect_to(&config, sshd.address()).await;
    assert_eq!(run(&result.unwrap(), "true").await, Exit::Code(0));
    assert_eq!(
        lines,
        [
            "say Using SSH communicator to connect: 127.0.0.1",
            "say Waiting for SSH to become available...",
            "say Connected to SSH!",
            "say Pausing 50ms before connecting...",
            "say Waiting for SSH to become available...",
            "say Connected to SSH!",
        ]
    );
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 2);
}

#[tokio::test]
async fn cancelling_ends_the_waiting_at_once() {
    let sshd = sshd!();
    let (events, _receiver) = Events::channel(SecretFilter::default());
    let cancel = CancellationToken::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address { host: "127.0.0.1".to_owned(), port: silent.local_addr().unwrap().port() };
    let find = || std::future::ready(Ok(address.clone()));
    let config = sshd.config();
    let waiting = connect(&config, Arc::new(Direct), find, &events, &cancel);
    let stop = async {
        silent.accept().await.unwrap();
        cancel.cancel();
    };
    let (result, ()) =
        tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(waiting, stop) }).await.unwrap();
    assert!(result.err().unwrap().is_cancelled());
}

#[tokio::test]
async fn a_restarted_machine_is_reached_again() {
    let mut sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    assert_eq!(run(&ssh, "exit 1").await, Exit::Code(1));
    sshd.restart().await;
    assert_eq!(run(&ssh, "exit 2").await, Exit::Code(2));
    sshd.restart().await;
    ssh.upload(&sshd.path("after"), &mut &b"fine"[..], None).await.unwrap();
    sshd.kill_sessions();
    sshd.stop();
    let error = ssh.start(Command::new("true")).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Disconnected);
    assert!(error.chain().ends_with("connection refused"), "{}", error.chain());
}

#[tokio::test]
async fn another_host_key_is_another_machine() {
    let mut sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let HostKeyPolicy::Pinned(first) = ssh.host_key_policy() else { panic!("the key was learnt") };
    new_host_key(sshd.folder.path()).await;
    sshd.restart().await;
    // The connection that knows the first key does not come back …
    let error = ssh.start(Command::new("true")).await.err().unwrap();
    assert!(error.chain().contains("is expected"), "{}", error.chain());
    // … a wait with that key ends at once, without asking again …
    let mut config = sshd.config();
    config.timeout = None;
    config.host_keys = HostKeyPolicy::Pinned(first);
    let error = sshd.connect(&config).await.err().unwrap();
    assert!(error.message.starts_with("Error waiting for SSH: "), "{}", error.message);
    // … and one that takes any goes on.
    config.host_keys = HostKeyPolicy::AcceptAny;
    let ssh = sshd.connect(&config).await.unwrap();
    new_host_key(sshd.folder.path()).await;
    sshd.restart().await;
    assert_eq!(run(&ssh, "true").await, Exit::Code(0));
}

#[tokio::test]
async fn a_server_with_several_keys_shows_the_one_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let pair = KeyPair::generate(KeyKind::Ecdsa(256)).await.unwrap();
    let second = folder.path().join("second_key");
    write_private(&second, pair.private_text().unwrap().expose());
    let sshd = sshd!(&format!("HostKey {}", second.display()));
    let mut config = sshd.config();
    config.host_keys = HostKeyPolicy::Pinned(vec![pair.public_key().clone()]);
    let ssh = sshd.connect(&config).await.unwrap();
    assert_eq!(run(&ssh, "true").await, Exit::Code(0));
    // One that it does not have is not found under any algorithm.
    let other = KeyPair::generate(KeyKind::Ecdsa(256)).await.unwrap();
    config.host_keys = HostKeyPolicy::Pinned(vec![other.public_key().clone()]);
    let error = sshd.connect(&config).await.err().unwrap();
    assert!(error.message.contains(&other.fingerprint()), "{}", error.message);
}

#[tokio::test]
async fn a_machine_that_stops_answering_is_noticed() {
    let sshd = sshd!();
    let mut config = sshd.config();
    config.keep_alive = Some(Duration::from_millis(100));
    // A command that waits.
    let ssh = sshd.connect(&config).await.unwrap();
    let mut running = ssh.start(Command::new("echo ready; sleep 60")).await.unwrap();
    running.output.recv().await.unwrap();
    freeze(&sshd);
    let exit = tokio::time::timeout(Duration::from_secs(10), running.wait()).await.unwrap();
    assert_eq!(exit, Exit::Disconnected);
    // A transfer that is stuck.
    let ssh = sshd.connect(&config).await.unwrap();
    let mut endless = tokio::io::repeat(1);
    let path = sshd.path("endless");
    let info = Some(kiln_core::communicator::FileInfo { mode: 0o644, size: 1 << 40 });
    let upload = ssh.upload(&path, &mut endless, info);
    let stop = async {
        while std::fs::metadata(&path).map_or(0, |metadata| metadata.len()) < 100_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        freeze(&sshd);
    };
    let both = async { tokio::join!(upload, stop) };
    let (result, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    assert_eq!(result.unwrap_err().kind, ErrorKind::Disconnected);
}

fn freeze(sshd: &crate::support::Sshd) {
    for pid in sshd.sessions() {
        signal(pid, Signal::SIGSTOP);
    }
}

#[tokio::test]
async fn a_read_that_takes_too_long_ends_the_connection() {
    let sshd = sshd!();
    let mut config = sshd.config();
    config.keep_alive = None;
    config.read_write_timeout = Some(Duration::from_millis(500));
    let ssh = sshd.connect(&config).await.unwrap();
    let exit = tokio::time::timeout(Duration::from_secs(10), run(&ssh, "sleep 60")).await.unwrap();
    assert_eq!(exit, Exit::Disconnected);
}

#[tokio::test]
async fn nothing_is_left_open() {
    let sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    run(&ssh, "true").await;
    let mut endless = tokio::io::repeat(1);
    let info = Some(kiln_core::communicator::FileInfo { mode: 0o644, size: 1 << 40 });
    let path = sshd.path("given-up");
    let upload = ssh.upload(&path, &mut endless, info);
    let has_helper = || sshd.sessions().into_iter().any(|pid| command_line(pid).contains("scp -vt"));
    tokio::select! {
        _ = upload => panic!("it has no end"),
        () = until(has_helper) => {}
    }
    // An upload that is given up leaves no helper …
    until(|| !has_helper()).await;
    // … and a communicator that is dropped no connection.
    assert!(!sshd.sessions().is_empty());
    drop(ssh);
    until(|| sshd.sessions().is_empty()).await;
}

fn command_line(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

async fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn no_communicator_does_nothing() {
    let none = kiln_remote::none::NoneCommunicator;
    assert_eq!(run(&none, "exit 1").await, Exit::Code(0));
    let error = none.upload("/x", &mut &b"x"[..], None).await.unwrap_err();
    assert_eq!(error.chain(), "Upload is not implemented when communicator = 'none'");
}

#[tokio::test]
async fn a_slow_command_is_not_taken_for_a_dead_machine() {
    let sshd = sshd!();
    let mut config = sshd.config();
    config.keep_alive = Some(Duration::from_millis(50));
    let ssh = sshd.connect(&config).await.unwrap();
    assert_eq!(run(&ssh, "sleep 1; exit 3").await, Exit::Code(3));
}

#[tokio::test]
async fn a_bastion_leads_to_the_machine() {
    let (bastion, sshd) = (sshd!(), sshd!());
    let credentials = |server: &crate::support::Sshd| server.config().credentials;
    let way =
        Bastion { host: "127.0.0.1".to_owned(), port: bastion.port, credentials: credentials(&bastion) };
    let mut config = sshd.config();
    config.route = Route::Bastion(Box::new(way.clone()));
    let ssh = sshd.connect(&config).await.unwrap();
    assert_eq!(run(&ssh, "exit 9").await, Exit::Code(9));
    let content = vec![1u8; 2_000_000];
    ssh.upload(&sshd.path("through"), &mut &content[..], None).await.unwrap();
    assert!(std::fs::read(sshd.path("through")).unwrap() == content);
    assert_eq!(bastion.log().matches("Accepted publickey").count(), 1);

    // The bastion goes down and comes back.
    let mut bastion = bastion;
    bastion.restart().await;
    assert_eq!(run(&ssh, "exit 8").await, Exit::Code(8));

    let refused = Bastion { credentials: Default::default(), ..way };
    config.route = Route::Bastion(Box::new(refused));
    let error = sshd.connect(&config).await.err().unwrap();
    assert!(error.message.starts_with("Error waiting for SSH: the bastion 127.0.0.1:"), "{}", error.message);
}

/// A SOCKS5 proxy that wants a user name and a password.
async fn proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut greeting = [0; 3];
                stream.read_exact(&mut greeting).await.unwrap();
                assert_eq!(greeting, [5, 1, 2]);
                stream.write_all(&[5, 2]).await.unwrap();
                let mut login = [0; 10];
                stream.read_exact(&mut login).await.unwrap();
                let is_right = &login == b"\x01\x02me\x05right";
                stream.write_all(&[1, u8::from(!is_right)]).await.unwrap();
                if !is_right {
                    return;
                }
                let mut request = [0; 10];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(&request[..8], &[5, 1, 0, 1, 127, 0, 0, 1]);
                let port = u16::from_be_bytes([request[8], request[9]]);
                let mut target = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut target).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_proxy_leads_to_the_machine() {
    let sshd = sshd!();
    let port = proxy().await;
    let proxy = |password: &str| {
        Route::Socks(SocksProxy {
            host: "127.0.0.1".to_owned(),
            port,
            username: Some("me".to_owned()),
            password: Some(password.into()),
        })
    };
    let mut config = sshd.config();
    config.route = proxy("right");
    assert_eq!(run(&sshd.connect(&config).await.unwrap(), "exit 9").await, Exit::Code(9));
    config.route = proxy("wrong");
    let error = fails(&config, sshd.address()).await;
    assert!(error.hints[0].contains("the user name or the password is wrong"), "{:?}", error.hints);
}

#[tokio::test]
async fn tunnels_lead_both_ways() {
    let sshd = sshd!();
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Address { host: "127.0.0.1".to_owned(), port: echo.local_addr().unwrap().port() };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = echo.accept().await {
            let mut text = [0; 5];
            stream.read_exact(&mut text).await.unwrap();
            text.reverse();
            stream.write_all(&text).await.unwrap();
        }
    });
    let (local, remote) = (free_port().await, free_port().await);
    let mut config = sshd.config();
    config.local_tunnels = vec![Tunnel { port: local, target: target.clone() }];
    config.remote_tunnels = vec![Tunnel { port: remote, target }];
    let ssh = sshd.connect(&config).await.unwrap();
    for port in [local, remote] {
        let mut stream = TcpStream::connect(("localhost", port)).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(Duration::from_secs(5), read).await.unwrap().unwrap();
        assert_eq!(&answer, b"olleh");
    }
    // A port that is taken fails the connection, at once.
    let error = sshd.connect(&config).await.err().unwrap();
    assert!(error.message.contains("the tunnel "), "{}", error.message);
    drop(ssh);
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_given() {
    let sshd = sshd!();
    let key = KeyPair::generate(KeyKind::Ed25519).await.unwrap();
    let mut config = sshd.config();
    config.credentials.keys.insert(0, LoginKey::from(&key));
    // A wrong key first does not keep the right one from being tried.
    let ssh = sshd.connect(&config).await.unwrap();
    assert_eq!(run(&ssh, "test -z \"$SSH_AUTH_SOCK\"").await, Exit::Code(0));
}
