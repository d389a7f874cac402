//! Chains of post-processors: what is kept, what is destroyed, and how errors are told.

use std::sync::Arc;

use kiln_core::component::{KeepInput, PostProcessed};
use kiln_core::error::{Error, ErrorKind};
use kiln_core::event::Outcome;
use kiln_core::ledger::Intent;
use kiln_core::plan::PlannedPostProcessor;
use kiln_core::run::Acquired;

use super::support::{Bench, Ran, artifact, build, post_processor};

/// Post-processors `a`, `b` (their output bears their name and is in the cloud), `forced`, `silent`, `bad`.
fn bench() -> Bench {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |_| {
        let cloud = Arc::clone(&cloud);
        async move { Ok(Some(artifact(&cloud, "image"))) }
    });
    for (name, keep_input) in [
        ("a", KeepInput::No),
        ("b", KeepInput::No),
        ("keeper", KeepInput::Default),
        ("forced", KeepInput::Forced),
    ] {
        let cloud = Arc::clone(&bench.cloud);
        bench.post_processor(name, move |_, _| {
            let artifact = Some(artifact(&cloud, name));
            async move { Ok(PostProcessed { artifact, keep_input }) }
        });
    }
    bench.post_processor("silent", |_, _| async {
        Ok(PostProcessed { artifact: None, keep_input: KeepInput::Default })
    });
    bench.post_processor("bad", |_, _| async { Err(Error::new("disk full")) });
    bench
}

async fn run(bench: &Bench, chains: &[&[PlannedPostProcessor]]) -> Ran {
    let mut planned = build("web");
    planned.post_processors = chains.iter().map(|chain| chain.to_vec()).collect();
    bench.run(vec![planned]).await
}

fn made(ran: &Ran) -> Vec<&str> {
    ran.report.results[0].artifacts.iter().map(|artifact| artifact.id.as_str()).collect()
}

fn keeping(name: &str, keep: bool) -> PlannedPostProcessor {
    PlannedPostProcessor { keep_input_artifact: Some(keep), ..post_processor(name) }
}

#[tokio::test]
async fn without_post_processors_the_artifact_is_the_result() {
    let bench = bench();
    let ran = run(&bench, &[]).await;
    assert_eq!((made(&ran), bench.cloud.left()), (vec!["image"], vec!["image".to_owned()]));
}

#[tokio::test]
async fn what_nobody_keeps_is_destroyed() {
    let bench = bench();
    let ran = run(&bench, &[&[post_processor("a"), post_processor("b")]]).await;
    assert_eq!((made(&ran), bench.cloud.left()), (vec!["b"], vec!["b".to_owned()]));
    assert_eq!(
        ran.shown(),
        ["say Running post-processor: a (type fake)", "say Running post-processor: b (type fake)"]
    );
}

#[tokio::test]
async fn kept_inputs_stand_in_order_the_builders_first() {
    let bench = bench();
    let chain = [keeping("a", true), keeping("b", true), post_processor("keeper")];
    let ran = run(&bench, &[&chain]).await;
    assert_eq!(made(&ran), ["image", "a", "b", "keeper"]);
}

#[tokio::test]
async fn one_chain_that_keeps_the_builders_artifact_is_enough() {
    let bench = bench();
    let ran = run(&bench, &[&[post_processor("a")], &[post_processor("keeper")]]).await;
    assert_eq!(made(&ran), ["image", "a", "keeper"]);
}

#[tokio::test]
async fn the_template_overrules_a_default_but_not_a_forced_keep() {
    let bench = bench();
    let ran = run(&bench, &[&[keeping("keeper", false)]]).await;
    assert_eq!(made(&ran), ["keeper"]);
    let bench = self::bench();
    let ran = run(&bench, &[&[keeping("forced", false)]]).await;
    assert_eq!(made(&ran), ["image", "forced"]);
}

#[tokio::test]
async fn an_artifact_that_is_none_ends_the_chain_silently() {
    let bench = bench();
    let chain = [keeping("a", true), post_processor("silent"), post_processor("b")];
    let ran = run(&bench, &[&chain, &[post_processor("b")]]).await;
    assert_eq!(made(&ran), ["image", "b"]);
    assert_eq!(ran.report.outcome, Outcome::Done);
}

#[tokio::test]
async fn an_error_ends_its_chain_and_not_the_next() {
    let bench = bench();
    let chains: [&[_]; 3] =
        [&[post_processor("bad"), post_processor("a")], &[post_processor("b")], &[keeping("bad", true)]];
    let ran = run(&bench, &chains).await;
    let error =
        "2 error(s) occurred:\n\n* Post-processor failed: disk full\n* Post-processor failed: disk full";
    assert_eq!((ran.report.outcome, ran.error(0)), (Outcome::Failed, error));
    assert_eq!(made(&ran), [""; 0]);
    // As in Packer: what the second chain made stays, the builder's artifact goes, as nobody got to keep it.
    assert_eq!(bench.cloud.left(), ["b"]);
    assert!(!ran.shown().iter().any(|line| line.contains("post-processor: a ")), "{:?}", ran.shown());
}

#[tokio::test]
async fn a_kept_artifact_of_a_failed_build_is_named() {
    let bench = bench();
    let ran = run(&bench, &[&[keeping("a", true)], &[post_processor("bad")]]).await;
    assert_eq!(bench.cloud.left(), ["a", "image"]);
    assert!(
        ran.shown().contains(&"hint `image` was made all the same, and is kept".to_owned()),
        "{:?}",
        ran.shown()
    );
}

#[tokio::test]
async fn what_cannot_be_destroyed_is_an_error() {
    let bench = bench();
    bench.cloud.fail("image", &[ErrorKind::Refused]);
    bench.cloud.fail("a", &[ErrorKind::Refused]);
    let ran = run(&bench, &[&[post_processor("a"), post_processor("b")]]).await;
    assert_eq!(
        ran.error(0),
        "2 error(s) occurred:\n\n* Failed cleaning up prior artifact: a resists; pp is fake\n* Error destroying \
         builder artifact: image resists"
    );
}

#[tokio::test]
async fn nobody_who_stops_a_build_loses_what_it_made() {
    let mut bench = bench();
    let stop = bench.interrupt.stop.clone();
    bench.post_processor("stopping", move |cx, _| {
        stop.cancel();
        async move {
            cx.cancel.cancelled().await;
            Err(Error::cancelled())
        }
    });
    let ran = run(&bench, &[&[post_processor("stopping")]]).await;
    assert_eq!(ran.report.outcome, Outcome::Cancelled);
    assert_eq!(bench.cloud.left(), ["image"]);
    assert!(
        ran.shown().contains(&"hint `image` was made all the same, and is kept".to_owned()),
        "{:?}",
        ran.shown()
    );
}

#[tokio::test]
async fn temporary_things_of_a_post_processor_are_unwound_too() {
    let mut bench = bench();
    let cloud = Arc::clone(&bench.cloud);
    bench.post_processor("uploading", move |cx, _| {
        let cloud = Arc::clone(&cloud);
        async move {
            let key = "bucket".to_owned();
            let intent = Intent { kind: "upload".to_owned(), key, ..Intent::default() };
            cx.run
                .acquire(intent, || async move {
                    cloud.create("bucket", "");
                    Ok(Acquired::id("bucket"))
                })
                .await?;
            Err(Error::new("import failed"))
        }
    });
    let ran = run(&bench, &[&[keeping("uploading", true)]]).await;
    assert_eq!(bench.cloud.left(), [""; 0]);
    assert!(ran.journal().contains(&"released bucket".to_owned()), "{:?}", ran.journal());
}
