//! Builds side by side: limits, order, and one that breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kiln_core::component::BuildContext;
use kiln_core::event::{EventKind, Outcome};
use tokio::sync::Barrier;

use super::support::{Bench, build, make};

/// Builds `0` to `4`; returns how many were under way at once, at most.
async fn most_at_once(parallel_builds: usize, debug: bool) -> (usize, Vec<String>) {
    let mut bench = Bench::new();
    bench.options.parallel_builds = parallel_builds;
    bench.options.debug = debug;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for name in ["0", "1", "2", "3", "4"] {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        bench.builder(name, move |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Everybody else has the chance to begin.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(None)
            }
        });
    }
    let ran = bench.run(["0", "1", "2", "3", "4"].map(build).to_vec()).await;
    let begun = ran.events.iter().filter(|event| event.kind == EventKind::BuildStarted);
    (most.load(Ordering::SeqCst), begun.filter_map(|event| event.build.clone()).collect())
}

#[tokio::test]
async fn no_more_builds_run_at_once_than_allowed() {
    assert!(most_at_once(2, false).await.0 <= 2);
    assert_eq!(most_at_once(0, true).await.0, 1);
    assert!(most_at_once(usize::MAX, false).await.0 <= 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn builds_begin_in_the_order_of_the_plan() {
    assert_eq!(most_at_once(1, false).await, (1, ["0", "1", "2", "3", "4"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn without_a_limit_all_run_at_once() {
    let mut bench = Bench::new();
    // Passed only if all three are there.
    let all = Arc::new(Barrier::new(3));
    for name in ["a", "b", "c"] {
        let all = Arc::clone(&all);
        bench.builder(name, move |_| {
            let all = Arc::clone(&all);
            async move {
                all.wait().await;
                Ok(None)
            }
        });
    }
    let ran = bench.run(["a", "b", "c"].map(build).to_vec()).await;
    assert_eq!(ran.report.outcome, Outcome::Done);
}

#[tokio::test]
async fn a_build_that_panics_fails_alone_and_is_undone() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("broken", move |cx: BuildContext| {
        let cloud = Arc::clone(&cloud);
        async move {
            make(&cx, &cloud, "net", "net", &[]).await?;
            panic!("index out of bounds");
        }
    });
    bench.builder("whole", |_| async { Ok(None) });
    let ran = bench.run(vec![build("broken"), build("whole")]).await;
    assert_eq!(ran.error(0), "internal error: index out of bounds");
    assert_eq!((ran.report.outcome, ran.report.results[1].error.clone()), (Outcome::Failed, None));
    assert_eq!(bench.cloud.left(), [""; 0]);
    let ends = ran.events.iter().filter(|event| matches!(event.kind, EventKind::BuildFinished { .. }));
    assert_eq!(ends.count(), 2);
}

#[tokio::test]
async fn nothing_happens_where_no_journal_can_be_written() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    bench.builder("web", move |_| {
        cloud.note("begun");
        async { Ok(None) }
    });
    std::fs::write(bench.dir.path().join("runs"), "a file where a folder should be").unwrap();
    let (report, _) = bench.try_run(vec![build("web")]).await;
    let error = report.unwrap_err();
    assert!(error.message.starts_with("make the run's folder `"), "{error:?}");
    assert_eq!(error.hints, ["name a writable folder with -state-dir or KILN_STATE_DIR"]);
    assert_eq!(bench.cloud.log(), [""; 0]);
}

#[tokio::test]
async fn two_processes_cannot_work_on_one_run() {
    let mut bench = Bench::new();
    let (inside, outside) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (reached, go_on) = (Arc::clone(&inside), Arc::clone(&outside));
    bench.builder("web", move |_| {
        let (inside, outside) = (Arc::clone(&inside), Arc::clone(&outside));
        async move {
            inside.wait().await;
            outside.wait().await;
            Ok(None)
        }
    });
    let second = async {
        reached.wait().await;
        let alive = kiln_engine::runs::list(bench.dir.path()).unwrap().0[0].alive;
        let (report, _) = bench.try_run(vec![build("web")]).await;
        go_on.wait().await;
        (alive, report.unwrap_err().chain())
    };
    let (ran, (alive, error)) = futures_util::join!(bench.run(vec![build("web")]), second);
    assert!(alive && error.ends_with("another process is working on this run"), "{error}");
    assert_eq!(ran.report.outcome, Outcome::Done);
    let run = &kiln_engine::runs::list(bench.dir.path()).unwrap().0[0];
    assert_eq!(
        (run.alive, run.outcome.as_deref(), run.builds[0].outcome.as_deref()),
        (false, Some("done"), Some("done"))
    );
}
