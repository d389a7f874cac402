//! A step that is run again because a person asked for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kiln_core::component::BuildContext;
use kiln_core::error::{Error, Result};
use kiln_core::event::Outcome;
use kiln_core::run::Acquired;
use kiln_core::scope::OnError;

use super::support::{Bench, artifact, build, intent, make};

/// Fails the first `times`.
fn failing(times: u32) -> Arc<impl Fn(&str) -> Result<()> + Send + Sync> {
    let tries = AtomicU32::new(0);
    Arc::new(move |what: &str| match tries.fetch_add(1, Ordering::Relaxed) < times {
        true => Err(Error::new(what.to_owned())),
        false => Ok(()),
    })
}

#[tokio::test]
async fn a_retried_step_gets_what_it_recorded_and_intends_anew() {
    let mut bench = Bench::new();
    bench.options.on_error = OnError::Ask;
    bench.prompt.say(&["r", "r"]);
    let (cloud, fails, names) = (Arc::clone(&bench.cloud), failing(2), Arc::new(AtomicU32::new(0)));
    let generated = Arc::clone(&names);
    bench.builder("web", move |cx: BuildContext| {
        let (cloud, fails, names) = (Arc::clone(&cloud), Arc::clone(&fails), Arc::clone(&names));
        async move {
            let net = cx.step("StepNet", || make(&cx, &cloud, "net", "net", &[])).await?;
            // Like the key pair of `alicloud-ecs`: a name out of a step, then a call that fails.
            cx.step("StepKey", || async {
                let name = || async { Ok(format!("packer_{}", names.fetch_add(1, Ordering::Relaxed))) };
                let name: String = cx.run.step("key-name", name).await?;
                let intent = intent(&cx, "key", "key", &[]);
                cx.run
                    .acquire(intent, || async {
                        cloud.note(format!("import {name}"));
                        fails("no quota")?;
                        cloud.create(&name, &cx.run.token("key"));
                        Ok(Acquired::id(name.clone()))
                    })
                    .await
            })
            .await?;
            assert_eq!(net.id, "net");
            Ok(Some(artifact(&cloud, "image")))
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(ran.report.outcome, Outcome::Done, "{:?}", ran.error(0));
    assert_eq!(generated.load(Ordering::Relaxed), 1);
    assert_eq!(
        ran.journal(),
        [
            "intended net",
            "acquired net",
            "step key-name",
            "intended key",
            "intended key",
            "intended key",
            "acquired key",
            "released net",
            "released key",
            "web done",
            "run done",
        ]
    );
    assert_eq!(bench.cloud.left(), ["image"]);
    // The journal of a retried run can be read.
    assert_eq!(kiln_engine::runs::list(bench.dir.path()).unwrap().0[0].left, []);
}

#[tokio::test]
async fn what_a_retried_step_holds_is_not_made_twice() {
    let mut bench = Bench::new();
    bench.options.on_error = OnError::Ask;
    bench.prompt.say(&["r"]);
    let (cloud, fails) = (Arc::clone(&bench.cloud), failing(1));
    bench.builder("web", move |cx: BuildContext| {
        let (cloud, fails) = (Arc::clone(&cloud), Arc::clone(&fails));
        async move {
            cx.step("StepNet", || async {
                let net = make(&cx, &cloud, "net", "net", &[]).await?;
                fails("it never became available")?;
                Ok(net)
            })
            .await?;
            Ok(None)
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(ran.report.outcome, Outcome::Done, "{:?}", ran.error(0));
    assert_eq!(bench.cloud.log(), ["create net", "delete net"]);
}

#[tokio::test]
async fn without_a_retry_a_key_is_used_once() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            make(&cx, &cloud, "net", "net", &[]).await?;
            make(&cx, &cloud, "net", "net", &[]).await?;
            Ok(None)
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(ran.error(0), "resource key `net` is used twice in one build");
    assert_eq!(bench.cloud.left(), [""; 0]);
}
