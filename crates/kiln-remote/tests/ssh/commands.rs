//! Commands: status, streams, how they end.

use std::time::Duration;

use kiln_core::Events;
use kiln_core::communicator::{Command, Communicator, Exit, Stream};
use kiln_core::secret::SecretFilter;
use kiln_remote::output::run_and_report;
use kiln_remote::ssh::SshCommunicator;
use tokio_util::sync::CancellationToken;

use crate::support::{lines, sshd};

async fn run(ssh: &SshCommunicator, line: &str) -> (Exit, String, String) {
    run_with(ssh, Command::new(line)).await
}

async fn run_with(ssh: &SshCommunicator, command: Command) -> (Exit, String, String) {
    let mut running = ssh.start(command).await.unwrap();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some((stream, bytes)) = running.output.recv().await {
        match stream {
            Stream::Stdout => stdout.extend(bytes),
            Stream::Stderr => stderr.extend(bytes),
        }
    }
    let exit = running.exit.await.unwrap();
    (exit, String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn status_and_both_streams_come_back() {
    let sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let (exit, stdout, stderr) = run(&ssh, "echo out; echo err >&2; exit 3").await;
    assert_eq!((exit, stdout.as_str(), stderr.as_str()), (Exit::Code(3), "out\n", "err\n"));
    let (exit, stdout, _) = run(&ssh, "head -c 20000000 /dev/zero | tr '\\0' x").await;
    assert_eq!((exit, stdout.len()), (Exit::Code(0), 20_000_000));
    let (exit, ..) = run(&ssh, "kill -TERM $$").await;
    assert_eq!(exit, Exit::Signal("TERM".to_owned()));
    assert_eq!(run(&ssh, "no-such-program").await.0, Exit::Code(127));
}

#[tokio::test]
async fn a_command_reads_what_it_is_given() {
    let sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let stdin = vec![b'y'; 3_000_000];
    let (exit, stdout, _) = run_with(&ssh, Command { line: "wc -c".to_owned(), stdin: Some(stdin) }).await;
    assert_eq!((exit, stdout.trim()), (Exit::Code(0), "3000000"));
    // Without input, it sees the end at once.
    assert_eq!(run(&ssh, "cat").await, (Exit::Code(0), String::new(), String::new()));
    // A command that does not read does not keep us waiting.
    let stdin = Some(vec![b'y'; 5_000_000]);
    let (exit, ..) = run_with(&ssh, Command { line: "exit 7".to_owned(), stdin }).await;
    assert_eq!(exit, Exit::Code(7));
}

#[tokio::test]
async fn a_pseudo_terminal_is_one() {
    let sshd = sshd!();
    let mut config = sshd.config();
    config.pty = true;
    let ssh = sshd.connect(&config).await.unwrap();
    let (exit, stdout, stderr) =
        run(&ssh, "test -t 1 && stty size && echo $TERM; echo err >&2; exit 4").await;
    assert_eq!((exit, stdout.as_str(), stderr.as_str()), (Exit::Code(4), "40 80\r\nxterm\r\nerr\r\n", ""));
}

#[tokio::test]
async fn a_lost_connection_is_no_status() {
    let sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let mut running = ssh.start(Command::new("echo ready; sleep 60")).await.unwrap();
    assert!(running.output.recv().await.is_some());
    sshd.kill_sessions();
    assert_eq!(running.wait().await, Exit::Disconnected);
    // The next command gets a new connection.
    assert_eq!(run(&ssh, "echo again").await, (Exit::Code(0), "again\n".to_owned(), String::new()));
}

#[tokio::test]
async fn many_commands_run_at_once() {
    let sshd = sshd!("MaxSessions 40");
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let all = (0..20).map(|n| {
        let ssh = &ssh;
        async move { run(ssh, &format!("head -c 200000 /dev/zero; exit {n}")).await }
    });
    for (n, (exit, stdout, _)) in futures_util::future::join_all(all).await.into_iter().enumerate() {
        assert_eq!((exit, stdout.len()), (Exit::Code(n as u32), 200_000));
    }
}

#[tokio::test]
async fn more_commands_than_the_server_allows_get_another_connection() {
    let sshd = sshd!("MaxSessions 1");
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let first = ssh.start(Command::new("sleep 1; exit 5")).await.unwrap();
    assert_eq!(run(&ssh, "echo second").await.1, "second\n");
    assert_eq!(first.wait().await, Exit::Code(5));
}

#[tokio::test]
async fn output_is_shown_line_by_line() {
    let sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let (events, receiver) = Events::channel(SecretFilter::default());
    let cancel = CancellationToken::new();
    let command = Command::new("printf 'one  \\n\\n10%%\\r20%%\\rlast'; exit 2");
    let exit = run_and_report(&ssh, command, &events, &cancel).await.unwrap();
    drop(events);
    assert_eq!(exit, Exit::Code(2));
    assert_eq!(lines(receiver).await, ["Stdout one", "Stdout ", "Stdout last"]);
}

#[tokio::test]
async fn cancelling_ends_the_wait() {
    let sshd = sshd!();
    let ssh = sshd.connect(&sshd.config()).await.unwrap();
    let (events, _receiver) = Events::channel(SecretFilter::default());
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    });
    let work = run_and_report(&ssh, Command::new("sleep 60"), &events, &cancel);
    let error = tokio::time::timeout(Duration::from_secs(5), work).await.unwrap().unwrap_err();
    assert!(error.is_cancelled());
    // The connection is as good as before.
    assert_eq!(run(&ssh, "echo still").await.1, "still\n");
}
