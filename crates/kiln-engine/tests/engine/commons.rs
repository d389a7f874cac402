//! What the builds of a run make once and use together.

use std::sync::Arc;

use kiln_core::artifact::Artifact;
use kiln_core::component::BuildContext;
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::Outcome;
use kiln_core::ledger::Intent;
use kiln_core::run::{Acquired, Held};
use kiln_core::scope::OnError;
use tokio::sync::Barrier;

use super::support::{Bench, Cloud, build, make};

const NET: &str = "net/cn";

/// Returns the run's one network, whoever makes it.
async fn shared_net(cx: &BuildContext, cloud: &Arc<Cloud>) -> Result<Held> {
    let intent = Intent {
        key: NET.to_owned(),
        kind: "net".to_owned(),
        token: cx.commons.token(NET),
        ..Intent::default()
    };
    let (cloud, token) = (Arc::clone(cloud), intent.token.clone());
    let effect = || async move {
        cloud.create("net", &token);
        Ok(Acquired::id("net"))
    };
    cx.commons.acquire(intent, &cx.cancel, effect).await
}

/// Makes a machine called `name` on the shared network; all builds have one before any goes on.
async fn on_the_net(
    cx: BuildContext,
    cloud: Arc<Cloud>,
    together: Arc<Barrier>,
    name: &'static str,
) -> Result<Option<Artifact>> {
    shared_net(&cx, &cloud).await?;
    make(&cx, &cloud, "machine", name, &[NET]).await?;
    together.wait().await;
    Ok(None)
}

fn bench(builds: &[&'static str]) -> Bench {
    let mut bench = Bench::new();
    let together = Arc::new(Barrier::new(builds.len()));
    for &name in builds {
        let (cloud, together) = (Arc::clone(&bench.cloud), Arc::clone(&together));
        bench.builder(name, move |cx| on_the_net(cx, Arc::clone(&cloud), Arc::clone(&together), name));
    }
    bench
}

fn count(log: &[String], what: &str) -> usize {
    log.iter().filter(|line| *line == what).count()
}

#[tokio::test]
async fn it_is_made_once_and_goes_after_the_last_machine() {
    let bench = bench(&["a", "b", "c"]);
    let ran = bench.run(vec![build("a"), build("b"), build("c")]).await;
    assert_eq!(ran.report.outcome, Outcome::Done);
    let log = bench.cloud.log();
    assert_eq!((count(&log, "create net"), count(&log, "delete net")), (1, 1), "{log:?}");
    assert_eq!(log.last().map(String::as_str), Some("delete net"));
    assert_eq!(bench.cloud.left(), [""; 0]);
    let shown = ran.shown();
    assert_eq!(count(&shown, "say Cleaning up net"), 1, "{shown:?}");
}

#[tokio::test]
async fn a_single_build_shows_its_lines_in_the_order_of_ranks() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx| {
        let cloud = Arc::clone(&cloud);
        async move {
            make(&cx, &cloud, "key", "key", &[]).await?;
            shared_net(&cx, &cloud).await?;
            make(&cx, &cloud, "machine", "vm", &[NET, "key"]).await?;
            Ok(None)
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(ran.shown(), ["say Cleaning up vm", "say Cleaning up net", "say Cleaning up key"]);
}

#[tokio::test]
async fn whoever_comes_after_a_failure_tries_for_himself() {
    let mut bench = Bench::new();
    bench.options.parallel_builds = 1;
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("unlucky", move |cx: BuildContext| async move {
        let intent = Intent { key: NET.to_owned(), kind: "net".to_owned(), ..Intent::default() };
        cx.commons.acquire(intent, &cx.cancel, || async { Err(Error::new("no quota")) }).await?;
        Ok(None)
    });
    bench.builder("lucky", move |cx| {
        let cloud = Arc::clone(&cloud);
        async move { shared_net(&cx, &cloud).await.map(|_| None) }
    });
    let ran = bench.run(vec![build("unlucky"), build("lucky")]).await;
    assert_eq!((ran.error(0), ran.error(1)), ("no quota", ""));
    assert_eq!(bench.cloud.left(), [""; 0]);
}

#[tokio::test]
async fn it_goes_when_the_last_build_never_began() {
    let mut bench = bench(&["a"]);
    bench.options.parallel_builds = 1;
    let (cloud, stop) = (Arc::clone(&bench.cloud), bench.interrupt.stop.clone());
    bench.builder("stopping", move |cx| {
        let (cloud, stop) = (Arc::clone(&cloud), stop.clone());
        async move {
            shared_net(&cx, &cloud).await?;
            stop.cancel();
            Err(Error::cancelled())
        }
    });
    let ran = bench.run(vec![build("stopping"), build("a")]).await;
    assert_eq!(ran.report.outcome, Outcome::Cancelled);
    assert_eq!(bench.cloud.left(), [""; 0]);
    assert_eq!(count(&ran.journal(), &format!("released {NET}")), 1);
}

#[tokio::test]
async fn an_aborted_build_keeps_it_for_everybody() {
    let mut bench = bench(&["a"]);
    bench.options.on_error = OnError::Abort;
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("failing", move |cx| {
        let cloud = Arc::clone(&cloud);
        async move {
            shared_net(&cx, &cloud).await?;
            cx.step("StepFail", || async { Err::<(), _>(Error::new("broken")) }).await?;
            Ok(None)
        }
    });
    bench.options.parallel_builds = 1;
    let ran = bench.run(vec![build("failing"), build("a")]).await;
    assert_eq!(bench.cloud.left(), ["net"]);
    assert!(
        ran.shown().iter().any(|line| line.contains("left behind: `net`; `kiln gc")),
        "{:?}",
        ran.shown()
    );
}

#[tokio::test]
async fn it_is_left_with_the_machine_that_resists() {
    let bench = bench(&["a"]);
    bench.cloud.fail("a", &[ErrorKind::Refused]);
    let ran = bench.run(vec![build("a")]).await;
    assert_eq!(bench.cloud.left(), ["a", "net"]);
    let journal = ran.journal();
    assert!(
        journal.contains(&format!("left {NET}: something that depends on it is still there")),
        "{journal:?}"
    );
}

#[tokio::test]
async fn the_last_build_does_not_fight_for_what_another_ones_remains_stand_on() {
    let mut bench = bench(&["a"]);
    bench.options.parallel_builds = 1;
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("last", move |cx| {
        let cloud = Arc::clone(&cloud);
        async move { shared_net(&cx, &cloud).await.map(|_| None) }
    });
    bench.cloud.fail("a", &[ErrorKind::Refused]);
    let ran = bench.run(vec![build("a"), build("last")]).await;
    assert_eq!(bench.cloud.left(), ["a", "net"]);
    assert!(!bench.cloud.log().contains(&"delete net".to_owned()));
    assert!(ran.shown().iter().any(|line| line.contains("left behind: `a`, `net`")), "{:?}", ran.shown());
}
