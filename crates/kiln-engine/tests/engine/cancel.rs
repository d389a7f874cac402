//! Ctrl-C at each point of a build.

use std::sync::Arc;

use kiln_core::artifact::Artifact;
use kiln_core::component::BuildContext;
use kiln_core::error::{Error, Result};
use kiln_core::event::Outcome;
use tokio_util::sync::CancellationToken;

use super::support::{Bench, NoMachine, artifact, build, make, provisioner};

/// Makes net, group, key and machine, has it provisioned, and makes an image; somebody interrupts at point `at`.
async fn build_interrupted(
    cx: BuildContext,
    bench_cloud: Arc<super::support::Cloud>,
    stop: CancellationToken,
    at: usize,
) -> Result<Option<Artifact>> {
    let point = |number: usize| {
        if number == at {
            stop.cancel();
        }
    };
    let cloud = &bench_cloud;
    point(0);
    cx.step("StepNet", || make(&cx, cloud, "net", "net", &[])).await?;
    point(1);
    cx.step("StepGroup", || async {
        let group = make(&cx, cloud, "group", "group", &["net"]).await;
        point(2);
        group
    })
    .await?;
    cx.step("StepKey", || make(&cx, cloud, "key", "key", &[])).await?;
    point(3);
    cx.step("StepMachine", || make(&cx, cloud, "machine", "vm", &["group", "net", "key"])).await?;
    point(4);
    cx.step("StepProvision", || cx.provision(Arc::new(NoMachine), Default::default())).await?;
    point(6);
    cx.check()?;
    Ok(Some(artifact(cloud, "image")))
}

#[tokio::test]
async fn at_every_point_everything_is_unwound_and_nothing_new_begins() {
    for at in 0..=6 {
        let mut bench = Bench::new();
        bench.options.parallel_builds = 1;
        let (cloud, stop) = (Arc::clone(&bench.cloud), bench.interrupt.stop.clone());
        bench.builder("web", move |cx| build_interrupted(cx, Arc::clone(&cloud), stop.clone(), at));
        let cloud = Arc::clone(&bench.cloud);
        bench.builder("next", move |_| {
            cloud.note("next began");
            async { Ok(None) }
        });
        let stop = bench.interrupt.stop.clone();
        bench.provisioner("waiting", move |cx| {
            if at == 5 {
                stop.cancel();
            }
            async move {
                match cx.cancel.is_cancelled() {
                    true => Err(Error::cancelled()),
                    false => Ok(()),
                }
            }
        });
        let mut first = build("web");
        first.provisioners = vec![provisioner("waiting")];
        let ran = bench.run(vec![first, build("next")]).await;
        assert_eq!(bench.cloud.left(), [""; 0], "point {at}");
        assert_eq!(ran.report.outcome, Outcome::Cancelled, "point {at}");
        assert_eq!((ran.error(0), ran.error(1)), ("cancelled", "cancelled"), "point {at}");
        let log = bench.cloud.log();
        assert!(!log.contains(&"next began".to_owned()), "point {at}: {log:?}");
        let run = &kiln_engine::runs::list(bench.dir.path()).unwrap().0[0];
        assert_eq!((run.left.len(), run.outcome.as_deref()), (0, Some("cancelled")), "point {at}");
    }
}

// The renderers list no artifacts of an interrupted run, so an image of a build that had finished was named nowhere.
#[tokio::test]
async fn an_image_of_a_build_that_had_finished_is_named() {
    let mut bench = Bench::new();
    bench.options.parallel_builds = 1;
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |_| {
        let image = artifact(&cloud, "image");
        async { Ok(Some(image)) }
    });
    let stop = bench.interrupt.stop.clone();
    bench.builder("next", move |_| {
        stop.cancel();
        async { Err(Error::cancelled()) }
    });
    let ran = bench.run(vec![build("web"), build("next")]).await;
    assert_eq!((ran.report.outcome, ran.report.results[0].artifacts.len()), (Outcome::Cancelled, 1));
    assert!(
        ran.shown().contains(&"hint `image` was made all the same, and is kept".to_owned()),
        "{:?}",
        ran.shown()
    );
}

#[tokio::test]
async fn an_image_made_before_the_interrupt_is_named() {
    let mut bench = Bench::new();
    let (cloud, stop) = (Arc::clone(&bench.cloud), bench.interrupt.stop.clone());
    bench.builder("web", move |_| {
        stop.cancel();
        let image = artifact(&cloud, "image");
        async { Ok(Some(image)) }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!((ran.report.outcome, ran.error(0)), (Outcome::Cancelled, "cancelled"));
    assert_eq!(ran.shown(), ["hint `image` was made all the same, and is kept"]);
    assert_eq!(bench.cloud.left(), ["image"]);
}

#[tokio::test]
async fn a_second_interrupt_leaves_what_is_slow_and_says_how_to_delete_it() {
    let mut bench = Bench::new();
    let (cloud, interrupt) = (Arc::clone(&bench.cloud), bench.interrupt.clone());
    bench.builder("web", move |cx: BuildContext| {
        let (cloud, interrupt) = (Arc::clone(&cloud), interrupt.clone());
        async move {
            make(&cx, &cloud, "net", "net", &[]).await?;
            make(&cx, &cloud, "key", "key", &[]).await?;
            make(&cx, &cloud, "machine", "vm", &["net"]).await?;
            interrupt.stop.cancel();
            interrupt.hurry.cancel();
            Err(Error::cancelled())
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(bench.cloud.left(), ["net", "vm"]);
    assert_eq!(
        ran.journal()[6..],
        [
            "released key",
            "left vm: clean-up was cut short",
            "left net: something that depends on it is still there",
            "web cancelled",
            "run cancelled",
        ]
        .map(str::to_owned)
    );
    let hint = "hint left behind: `vm`, `net`; `kiln gc 11111111-2222-4333-8444-555555555555` deletes it";
    assert!(ran.shown().contains(&hint.to_owned()), "{:?}", ran.shown());
}

#[tokio::test]
async fn a_second_interrupt_ends_a_deletion_under_way() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    // Nobody ever opens it.
    cloud.gate("vm");
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            make(&cx, &cloud, "machine", "vm", &[]).await?;
            Err(Error::new("no image"))
        }
    });
    let hurry = bench.interrupt.hurry.clone();
    let cloud = Arc::clone(&bench.cloud);
    let second = async {
        while !cloud.log().contains(&"delete vm".to_owned()) {
            tokio::task::yield_now().await;
        }
        hurry.cancel();
    };
    let (ran, ()) = futures_util::join!(bench.run(vec![build("web")]), second);
    assert_eq!(bench.cloud.left(), ["vm"]);
    assert_eq!(ran.error(0), "no image");
}

#[tokio::test]
async fn a_second_interrupt_ends_the_error_cleanup_provisioner() {
    let mut bench = Bench::new();
    bench.provisioning_builder();
    bench.provisioner("bad", |_| async { Err(Error::new("exit 3")) });
    let hurry = bench.interrupt.hurry.clone();
    bench.provisioner("endless", move |cx| {
        hurry.cancel();
        async move {
            cx.cancel.cancelled().await;
            Err(Error::cancelled())
        }
    });
    let mut planned = build("plain");
    planned.provisioners = vec![provisioner("bad")];
    planned.error_cleanup = Some(provisioner("endless"));
    let ran = bench.run(vec![planned]).await;
    assert_eq!(ran.error(0), "Cleanup failed: cancelled. Original Provisioning error: exit 3");
}
