//! `-on-error` and `-debug`.

use std::sync::Arc;

use kiln_core::component::BuildContext;
use kiln_core::error::Error;
use kiln_core::event::Outcome;
use kiln_core::scope::OnError;

use super::support::{Bench, NoMachine, Ran, build, make, provisioner};

const QUESTION: &str = "[c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)?";

/// A builder of three steps, the second of which makes a machine, and whose provisioners fail.
fn bench(on_error: OnError) -> Bench {
    let mut bench = Bench::new();
    bench.options.on_error = on_error;
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            cx.step("StepCheck", || async { Ok(()) }).await?;
            cx.step("StepMachine", || async { make(&cx, &cloud, "machine", "vm", &[]).await.map(drop) })
                .await?;
            cx.step("StepProvision", || cx.provision(Arc::new(NoMachine), Default::default())).await?;
            Ok(None)
        }
    });
    bench.provisioner("bad", |_| async { Err(Error::new("exit 3")) });
    bench.provisioner("tidy", |cx| async move {
        cx.events.say("tidying").await;
        Ok(())
    });
    bench
}

async fn run(bench: &Bench) -> Ran {
    let mut planned = build("web");
    planned.provisioners = vec![provisioner("bad")];
    planned.error_cleanup = Some(provisioner("tidy"));
    bench.run(vec![planned]).await
}

const CLEANUP: &str = "say Provisioning step had errors: Running the cleanup provisioner, if present...";
const LEFT: &str = "hint left behind: `vm`; `kiln gc 11111111-2222-4333-8444-555555555555` deletes it";

#[tokio::test]
async fn cleanup_deletes_after_the_cleanup_provisioner() {
    let bench = bench(OnError::Cleanup);
    let ran = run(&bench).await;
    assert_eq!(ran.shown(), [CLEANUP, "say tidying", "say Deleting vm"]);
    assert_eq!(bench.cloud.left(), [""; 0]);
    assert_eq!((ran.report.outcome, ran.error(0)), (Outcome::Failed, "exit 3"));
    assert_eq!(ran.journal(), ["intended vm", "acquired vm", "released vm", "web failed", "run failed"]);
}

#[tokio::test]
async fn abort_leaves_everything_and_says_so() {
    let bench = bench(OnError::Abort);
    let ran = run(&bench).await;
    assert_eq!(
        ran.shown(),
        [
            "error exit 3",
            "error Step \"StepProvision\" failed, aborting...",
            "error aborted: skipping cleanup of step \"StepMachine\"",
            "error aborted: skipping cleanup of step \"StepCheck\"",
            LEFT,
        ]
    );
    assert_eq!(bench.cloud.left(), ["vm"]);
    assert_eq!(ran.journal(), ["intended vm", "acquired vm", "web failed", "run failed"]);
}

#[tokio::test]
async fn run_cleanup_provisioner_runs_it_and_leaves_the_rest() {
    let bench = bench(OnError::RunCleanupProvisioner);
    let ran = run(&bench).await;
    assert_eq!(
        ran.shown(),
        [
            CLEANUP,
            "say tidying",
            "error exit 3",
            "error Step \"StepMachine\" failed, aborting...",
            "error aborted: skipping cleanup of step \"StepCheck\"",
            LEFT,
        ]
    );
    assert_eq!(bench.cloud.left(), ["vm"]);
}

#[tokio::test]
async fn whoever_is_asked_may_clean_up() {
    let bench = bench(OnError::Ask);
    bench.prompt.say(&["Clean it, please"]);
    let ran = run(&bench).await;
    let failed = "error Step \"StepProvision\" failed";
    assert_eq!(ran.shown(), ["error exit 3", failed, CLEANUP, "say tidying", "say Deleting vm"]);
    assert_eq!(bench.prompt.queries(), [QUESTION]);
}

#[tokio::test]
async fn whoever_is_asked_may_abort() {
    let bench = bench(OnError::Ask);
    bench.prompt.say(&["A"]);
    let ran = run(&bench).await;
    assert_eq!(
        ran.shown(),
        [
            "error exit 3",
            "error Step \"StepProvision\" failed",
            "error exit 3",
            "error Step \"StepProvision\" failed, aborting...",
            "error aborted: skipping cleanup of step \"StepMachine\"",
            "error aborted: skipping cleanup of step \"StepCheck\"",
            LEFT,
        ]
    );
    assert_eq!(bench.cloud.left(), ["vm"]);
}

#[tokio::test]
async fn whoever_answers_something_else_is_asked_again() {
    let bench = bench(OnError::Ask);
    bench.prompt.say(&["what?", ""]);
    let ran = run(&bench).await;
    assert_eq!(ran.shown()[2], "say Incorrect input: \"what?\"");
    assert_eq!(bench.prompt.queries(), [QUESTION, QUESTION]);
    assert_eq!(bench.cloud.left(), [""; 0]);
}

#[tokio::test]
async fn where_nobody_can_be_asked_everything_is_cleaned_up() {
    let bench = bench(OnError::Ask);
    run(&bench).await;
    assert_eq!((bench.prompt.queries().len(), bench.cloud.left()), (1, Vec::new()));
}

#[tokio::test]
async fn an_interrupt_at_the_question_cleans_up() {
    let bench = bench(OnError::Ask);
    bench.prompt.interrupts(&bench.interrupt.stop);
    let ran = run(&bench).await;
    assert_eq!((ran.report.outcome, bench.cloud.left()), (Outcome::Cancelled, Vec::new()));
}

#[tokio::test]
async fn an_interrupted_build_that_is_to_abort_says_so() {
    let mut bench = bench(OnError::Abort);
    let stop = bench.interrupt.stop.clone();
    bench.provisioner("bad", move |_| {
        stop.cancel();
        async { Err(Error::cancelled()) }
    });
    let ran = run(&bench).await;
    assert_eq!(
        ran.shown(),
        [
            "error Interrupted, aborting...",
            "error aborted: skipping cleanup of step \"StepMachine\"",
            "error aborted: skipping cleanup of step \"StepCheck\"",
            LEFT,
        ]
    );
}

#[tokio::test]
async fn debug_pauses_after_each_step_that_went_well_and_before_its_cleanup() {
    let mut bench = bench(OnError::Cleanup);
    bench.options.debug = true;
    bench.prompt.say(&[""; 9]);
    run(&bench).await;
    assert_eq!(
        bench.prompt.queries(),
        [
            "Pausing after run of step 'StepCheck'. Press enter to continue.",
            "Pausing after run of step 'StepMachine'. Press enter to continue.",
            "Pausing before the next provisioner . Press enter to continue.",
            "Pausing before cleanup of step 'StepMachine'. Press enter to continue.",
            "Pausing before cleanup of step 'StepCheck'. Press enter to continue.",
        ]
    );
}

#[tokio::test]
async fn an_interrupt_ends_a_debug_pause() {
    let mut bench = bench(OnError::Cleanup);
    bench.options.debug = true;
    bench.prompt.interrupts(&bench.interrupt.stop);
    let ran = run(&bench).await;
    assert_eq!((ran.report.outcome, bench.cloud.left()), (Outcome::Cancelled, Vec::new()));
}
