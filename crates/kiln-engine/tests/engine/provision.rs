//! Packer's wrappers around a provisioner, and what follows a failed one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kiln_core::error::{Error, ErrorKind};
use kiln_core::event::Outcome;

use super::support::{Bench, build, provisioner};

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.provisioning_builder();
    bench.provisioner("ok", |cx| async move {
        cx.events.say("done").await;
        Ok(())
    });
    bench.provisioner("bad", |_| async { Err(Error::new("exit 3")) });
    // Ends only when it is told to.
    bench.provisioner("slow", |cx| async move {
        cx.cancel.cancelled().await;
        Err(Error::new("was stopped"))
    });
    bench
}

#[tokio::test(start_paused = true)]
async fn a_pause_wins_over_a_timeout() {
    let bench = bench();
    let mut planned = build("plain");
    let mut paused = provisioner("ok");
    paused.pause_before = Duration::from_secs(3600);
    paused.timeout = Duration::from_secs(1);
    planned.provisioners = vec![paused];
    let ran = bench.run(vec![planned]).await;
    assert_eq!(ran.shown(), ["say Pausing 1h0m0s before the next provisioner...", "say done"]);
    assert_eq!(ran.report.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_cancels_and_returns_what_the_provisioner_says() {
    let bench = bench();
    let mut planned = build("plain");
    let mut slow = provisioner("slow");
    slow.timeout = Duration::from_secs(300);
    planned.provisioners = vec![slow, provisioner("ok")];
    let ran = bench.run(vec![planned]).await;
    assert_eq!(
        ran.shown(),
        [
            "say Setting a 5m0s timeout for the next provisioner...",
            "error Cancelling provisioner after a timeout...",
            "say Provisioning step had errors: Running the cleanup provisioner, if present...",
            "hint the provisioner did not end within its `timeout` of 5m0s",
        ]
    );
    assert_eq!((ran.report.outcome, ran.error(0)), (Outcome::Failed, "was stopped"));
}

#[tokio::test(start_paused = true)]
async fn a_provisioner_without_words_of_its_own_is_said_to_be_out_of_time() {
    let mut bench = bench();
    bench.provisioner("speechless", |cx| async move {
        cx.cancel.cancelled().await;
        Err(Error::cancelled())
    });
    let mut planned = build("plain");
    let mut speechless = provisioner("speechless");
    speechless.timeout = Duration::from_secs(2);
    planned.provisioners = vec![speechless];
    let ran = bench.run(vec![planned]).await;
    let error = "the provisioner did not end within its `timeout` of 2s";
    assert_eq!((ran.report.outcome, ran.error(0)), (Outcome::Failed, error));
}

#[tokio::test(start_paused = true)]
async fn each_retry_pauses_anew_and_the_first_error_counts() {
    let mut bench = bench();
    let tries = AtomicU32::new(0);
    bench.provisioner("worse", move |_| {
        let attempt = tries.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Err(Error::new(format!("attempt {attempt}")).kind(ErrorKind::Failed)) }
    });
    let mut planned = build("plain");
    let mut worse = provisioner("worse");
    worse.pause_before = Duration::from_secs(1);
    worse.max_retries = 2;
    planned.provisioners = vec![worse];
    let ran = bench.run(vec![planned]).await;
    assert_eq!(
        ran.shown(),
        [
            "say Pausing 1s before the next provisioner...",
            "say Provisioner failed with \"attempt 1\", retrying with 2 trie(s) left",
            "say Pausing 1s before the next provisioner...",
            "say Provisioner failed with \"attempt 1\", retrying with 1 trie(s) left",
            "say Pausing 1s before the next provisioner...",
            "say retry limit reached.",
            "say Provisioning step had errors: Running the cleanup provisioner, if present...",
        ]
    );
    assert_eq!(ran.error(0), "attempt 1");
}

#[tokio::test]
async fn a_retry_that_succeeds_is_a_success() {
    let mut bench = bench();
    let tries = AtomicU32::new(0);
    bench.provisioner("second", move |_| {
        let first = tries.fetch_add(1, Ordering::Relaxed) == 0;
        async move { if first { Err(Error::new("not yet")) } else { Ok(()) } }
    });
    let mut planned = build("plain");
    let mut second = provisioner("second");
    second.max_retries = 5;
    planned.provisioners = vec![second];
    let ran = bench.run(vec![planned]).await;
    assert_eq!(ran.shown(), ["say Provisioner failed with \"not yet\", retrying with 5 trie(s) left"]);
    assert_eq!(ran.report.outcome, Outcome::Done);
}

#[tokio::test]
async fn an_error_ends_provisioning_of_that_build() {
    let bench = bench();
    let mut planned = build("plain");
    planned.provisioners = vec![provisioner("ok"), provisioner("bad"), provisioner("ok")];
    let ran = bench.run(vec![planned]).await;
    let cleanup = "say Provisioning step had errors: Running the cleanup provisioner, if present...";
    assert_eq!(ran.shown(), ["say done", cleanup]);
    assert_eq!(ran.error(0), "exit 3");
}

#[tokio::test(start_paused = true)]
async fn the_error_cleanup_provisioner_runs_after_a_failure_with_the_same_wrappers() {
    let bench = bench();
    let mut planned = build("plain");
    planned.provisioners = vec![provisioner("bad")];
    let mut cleanup = provisioner("ok");
    cleanup.pause_before = Duration::from_secs(10);
    planned.error_cleanup = Some(cleanup);
    let ran = bench.run(vec![planned]).await;
    assert_eq!(
        ran.shown(),
        [
            "say Provisioning step had errors: Running the cleanup provisioner, if present...",
            "say Pausing 10s before the next provisioner...",
            "say done",
        ]
    );
    assert_eq!(ran.error(0), "exit 3");
}

#[tokio::test]
async fn a_failing_cleanup_names_both_errors() {
    let mut bench = bench();
    bench.provisioner("also bad", |_| async { Err(Error::new("no such file")) });
    let mut planned = build("plain");
    planned.provisioners = vec![provisioner("bad")];
    let mut cleanup = provisioner("also bad");
    cleanup.max_retries = 1;
    planned.error_cleanup = Some(cleanup);
    let ran = bench.run(vec![planned]).await;
    assert_eq!(ran.error(0), "Cleanup failed: no such file. Original Provisioning error: exit 3");
    assert!(ran.shown().contains(&"say retry limit reached.".to_owned()));
}

#[tokio::test]
async fn no_cleanup_provisioner_runs_where_provisioning_succeeded() {
    let mut bench = bench();
    bench.builder("later", |cx| async move {
        cx.step("StepProvision", || {
            cx.provision(std::sync::Arc::new(super::support::NoMachine), Default::default())
        })
        .await?;
        Err(Error::new("no image"))
    });
    let mut planned = build("later");
    planned.provisioners = vec![provisioner("ok")];
    planned.error_cleanup = Some(provisioner("ok"));
    let ran = bench.run(vec![planned]).await;
    assert_eq!(ran.shown(), ["say done"]);
    assert_eq!(ran.error(0), "no image");
}
