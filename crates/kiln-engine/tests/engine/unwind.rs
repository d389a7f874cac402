//! The end of a build: what is deleted when, how often, and which lines are shown.

use std::sync::Arc;

use kiln_core::component::BuildContext;
use kiln_core::error::{Error, ErrorKind};
use kiln_core::event::Outcome;
use kiln_core::run::Acquired;

use super::support::{Bench, Cloud, Ran, build, intent, make};

/// Makes these things: kind, key, needs.
async fn run(bench: &mut Bench, things: &'static [(&str, &str, &[&str])]) -> Ran {
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            for (kind, key, needs) in things {
                make(&cx, &cloud, kind, key, needs).await?;
            }
            Ok(None)
        }
    });
    bench.run(vec![build("web")]).await
}

const BUILD: &[(&str, &str, &[&str])] = &[
    ("net", "net", &[]),
    ("group", "group", &["net"]),
    ("key", "key", &[]),
    ("machine", "vm", &["net", "group", "key"]),
];

fn deletions(cloud: &Cloud) -> Vec<String> {
    cloud.log().iter().filter_map(|line| line.strip_prefix("delete ").map(str::to_owned)).collect()
}

#[tokio::test]
async fn dependants_go_first() {
    let mut bench = Bench::new();
    let ran = run(&mut bench, BUILD).await;
    let order = deletions(&bench.cloud);
    let at = |id: &str| order.iter().position(|it| it == id).unwrap();
    assert!(at("vm") < at("group") && at("vm") < at("key") && at("group") < at("net"), "{order:?}");
    // The order of ranks, whatever the order of deeds.
    let lines = ["say Cleaning up vm", "say Cleaning up group", "say Cleaning up net", "say Cleaning up key"];
    assert_eq!(ran.shown(), lines);
    assert_eq!((ran.report.outcome, bench.cloud.left()), (Outcome::Done, Vec::new()));
}

#[tokio::test]
async fn what_is_independent_goes_at_once() {
    let mut bench = Bench::new();
    let gates = [bench.cloud.gate("net"), bench.cloud.gate("key")];
    let cloud = Arc::clone(&bench.cloud);
    let both_are_under_way = async {
        while deletions(&cloud).len() < 2 {
            tokio::task::yield_now().await;
        }
        gates.iter().for_each(|gate| gate.notify_one());
    };
    let building = run(&mut bench, &[("net", "net", &[]), ("key", "key", &[])]);
    futures_util::join!(building, both_are_under_way);
    assert_eq!(bench.cloud.left(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_repeated_until_it_succeeds() {
    let mut bench = Bench::new();
    bench.cloud.fail("vm", &[ErrorKind::Failed; 5]);
    let ran = run(&mut bench, BUILD).await;
    assert_eq!(deletions(&bench.cloud).iter().filter(|id| *id == "vm").count(), 6);
    assert_eq!(bench.cloud.left(), [""; 0]);
    // Said once.
    assert_eq!(ran.shown().iter().filter(|line| *line == "say Cleaning up vm").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_resists_to_the_end_is_left_with_all_it_stands_on() {
    let mut bench = Bench::new();
    bench.cloud.fail("group", &[ErrorKind::Failed; 1000]);
    let ran = run(&mut bench, BUILD).await;
    assert_eq!(bench.cloud.left(), ["group", "net"]);
    let journal = ran.journal();
    assert!(journal.contains(&"left group: group resists".to_owned()), "{journal:?}");
    assert!(journal.contains(&"left net: something that depends on it is still there".to_owned()));
    let hint = "hint left behind: `group`, `net`; `kiln gc 11111111-2222-4333-8444-555555555555` deletes it";
    assert_eq!(ran.shown().last().unwrap(), hint);
    // The image is there: what is left does not make the build a failure.
    assert_eq!(ran.report.outcome, Outcome::Done);
    assert_eq!(kiln_engine::runs::list(bench.dir.path()).unwrap().0[0].left.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_hangs_is_given_up() {
    let mut bench = Bench::new();
    bench.cloud.gate("key");
    let ran = run(&mut bench, &[("key", "key", &[])]).await;
    assert!(ran.journal().contains(&"left key: it was not gone in time".to_owned()), "{:?}", ran.journal());
}

#[tokio::test]
async fn a_refusal_is_not_argued_with() {
    let mut bench = Bench::new();
    bench.cloud.fail("vm", &[ErrorKind::Refused; 9]);
    run(&mut bench, BUILD).await;
    assert_eq!(deletions(&bench.cloud), ["vm"]);
    assert_eq!(bench.cloud.left(), ["group", "key", "net", "vm"]);
}

#[tokio::test]
async fn what_was_released_early_is_told_with_the_rest() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            make(&cx, &cloud, "key", "key", &[]).await?;
            make(&cx, &cloud, "net", "net", &[]).await?;
            cx.run.release("key").await;
            cx.run.release("key").await;
            cx.run.release("never made").await;
            cx.events.say("working").await;
            Ok(None)
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(ran.shown(), ["say working", "say Cleaning up net", "say Cleaning up key"]);
    assert_eq!(deletions(&bench.cloud), ["key", "net"]);
}

#[tokio::test]
async fn an_early_release_that_fails_is_made_up_for() {
    let mut bench = Bench::new();
    bench.cloud.fail("key", &[ErrorKind::Failed]);
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            make(&cx, &cloud, "key", "key", &[]).await?;
            cx.run.release("key").await;
            Ok(None)
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!((ran.shown(), bench.cloud.left()), (vec!["say Cleaning up key".to_owned()], Vec::new()));
}

#[tokio::test]
async fn an_effect_whose_answer_was_lost_is_found_by_its_token() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            let intent = intent(&cx, "net", "net", &[]);
            let token = intent.token.clone();
            let lost = || async {
                cloud.create("net-7", &token);
                Err::<Acquired, _>(Error::new("connection reset"))
            };
            cx.run.acquire(intent, lost).await?;
            Ok(None)
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(bench.cloud.log(), ["create net-7", "find net", "delete net-7"]);
    assert_eq!(ran.journal(), ["intended net", "released net", "web failed", "run failed"]);
    assert_eq!(ran.error(0), "connection reset");
}

#[tokio::test]
async fn what_is_kept_stays() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            let image = make(&cx, &cloud, "image", "image", &[]).await?;
            cx.run.keep(&image).await?;
            cx.run.keep(&image).await.expect_err("it is held no longer");
            Err(Error::new("sharing failed"))
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(bench.cloud.left(), ["image"]);
    assert_eq!(ran.journal(), ["intended image", "acquired image", "kept image", "web failed", "run failed"]);
}
