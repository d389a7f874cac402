//! Collecting what dead runs left: by journal and by tag.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::error::{ErrorKind, Result};
use kiln_core::event::Events;
use kiln_core::ledger::{FORMAT, Intent, Record, Resource};
use kiln_core::reclaim::{Sweep, Swept};
use kiln_core::secret::SecretFilter;
use kiln_engine::gc::{CLOUD, EPHEMERAL};
use kiln_engine::{GcOptions, GcReport, collect, runs};
use tokio_util::sync::CancellationToken;

use super::support::{Bench, build};

const DEAD: &str = "dead0000-0000-4000-8000-000000000000";

fn started(run: &str) -> Record {
    Record::RunStarted {
        format: FORMAT,
        run: run.to_owned(),
        version: "0.1.0".to_owned(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        template: "t.json".to_owned(),
        builds: vec!["web".to_owned(), "db".to_owned()],
        pid: 1,
    }
}

fn intended(build: &str, kind: &str, key: &str, needs: &[&str]) -> Record {
    let intent = Intent {
        key: key.to_owned(),
        kind: kind.to_owned(),
        token: format!("token of {key}"),
        needs: needs.iter().map(|key| (*key).to_owned()).collect(),
        ..Intent::default()
    };
    Record::Intended { build: build.to_owned(), intent }
}

fn acquired(build: &str, key: &str, id: &str) -> Record {
    Record::Acquired {
        build: build.to_owned(),
        key: key.to_owned(),
        id: id.to_owned(),
        facts: Default::default(),
    }
}

fn write(state: &Path, run: &str, records: &[Record]) {
    let dir = state.join("runs").join(run);
    std::fs::create_dir_all(&dir).unwrap();
    let lines: String = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    std::fs::write(dir.join("journal.jsonl"), lines).unwrap();
}

/// A run that died with a network, a machine on it, and an open intent; both builds used the same keys.
fn died(bench: &Bench) {
    write(
        bench.dir.path(),
        DEAD,
        &[
            started(DEAD),
            intended("web", "net", "net", &[]),
            acquired("web", "net", "net-1"),
            intended("web", "machine", "vm", &["net"]),
            acquired("web", "vm", "vm-1"),
            intended("db", "net", "net", &[]),
        ],
    );
    for (id, token) in [("net-1", "token of net 1"), ("vm-1", "token of vm"), ("net-2", "token of net")] {
        bench.cloud.create(id, token);
    }
}

async fn gc(bench: &Bench, change: impl FnOnce(&mut GcOptions)) -> GcReport {
    let mut options = GcOptions {
        state_dir: bench.dir.path().to_owned(),
        run: None,
        dry_run: false,
        cloud: None,
        reclaim: bench.cloud.table(),
        sweeps: Vec::new(),
    };
    change(&mut options);
    let (events, mut received) = Events::channel(SecretFilter::default());
    let seen = tokio::spawn(async move { while received.recv().await.is_some() {} });
    let report = collect(options, &events, &CancellationToken::new()).await.unwrap();
    drop(events);
    seen.await.unwrap();
    report
}

fn left(bench: &Bench) -> usize {
    runs::list(bench.dir.path()).unwrap().0[0].left.len()
}

#[tokio::test]
async fn a_dead_run_is_collected_from_its_journal() {
    let bench = Bench::new();
    died(&bench);
    assert_eq!(left(&bench), 3);
    let report = gc(&bench, |_| {}).await;
    assert_eq!((report.collected.len(), report.left.len(), report.passed_over), (3, 0, Vec::new()));
    assert_eq!((bench.cloud.left(), left(&bench)), (Vec::new(), 0));
    let log = bench.cloud.log();
    let at = |line: &str| log.iter().position(|it| it == line).unwrap();
    assert!(at("delete vm-1") < at("delete net-1"), "{log:?}");
    // Once more finds nothing to do.
    assert_eq!(gc(&bench, |_| {}).await.collected.len(), 0);
}

#[tokio::test]
async fn a_dry_run_only_says_what_it_would_delete() {
    let bench = Bench::new();
    died(&bench);
    let report = gc(&bench, |options| options.dry_run = true).await;
    assert_eq!((report.collected.len(), bench.cloud.left().len(), left(&bench)), (3, 3, 3));
}

#[tokio::test]
async fn runs_are_named_by_the_beginning_of_their_ids() {
    let bench = Bench::new();
    died(&bench);
    assert_eq!(gc(&bench, |options| options.run = Some("beef".to_owned())).await.collected.len(), 0);
    assert_eq!(gc(&bench, |options| options.run = Some("dead".to_owned())).await.collected.len(), 3);
}

#[tokio::test]
async fn what_resists_is_reported_and_tried_again_next_time() {
    let bench = Bench::new();
    died(&bench);
    bench.cloud.fail("vm-1", &[ErrorKind::Refused]);
    let report = gc(&bench, |_| {}).await;
    let reasons: Vec<_> =
        report.left.iter().map(|(_, it, why)| (it.id.as_deref().unwrap(), why.as_str())).collect();
    assert_eq!(reasons, [("vm-1", "vm-1 resists"), ("net-1", "something that depends on it is still there")]);
    assert_eq!(left(&bench), 2);
    assert_eq!(gc(&bench, |_| {}).await.collected.len(), 2);
    assert_eq!(bench.cloud.left(), [""; 0]);
}

#[tokio::test]
async fn a_torn_line_is_no_obstacle_and_stays_none() {
    let bench = Bench::new();
    died(&bench);
    let file = bench.dir.path().join("runs").join(DEAD).join("journal.jsonl");
    let text = std::fs::read_to_string(&file).unwrap() + "{\"record\":\"acq";
    std::fs::write(&file, text).unwrap();
    assert_eq!(gc(&bench, |_| {}).await.collected.len(), 3);
    assert_eq!(left(&bench), 0);
}

#[tokio::test]
async fn journals_that_cannot_be_used_are_named_and_the_others_collected() {
    let bench = Bench::new();
    died(&bench);
    write(bench.dir.path(), "bad00000", &[acquired("web", "net", "net-9")]);
    let mut newer = started("new00000");
    if let Record::RunStarted { format, .. } = &mut newer {
        *format = 99;
    }
    write(bench.dir.path(), "new00000", &[newer]);
    let torn = bench.dir.path().join("runs/torn0000");
    std::fs::create_dir(&torn).unwrap();
    std::fs::write(torn.join("journal.jsonl"), "nonsense\n").unwrap();
    let report = gc(&bench, |_| {}).await;
    assert_eq!(report.collected.len(), 3);
    let mut told = report.passed_over;
    told.sort();
    for (text, reason) in told.iter().zip([
        "the journal says `Acquire` of `net`, which cannot happen to it",
        "the journal has format 99, this program reads 1",
        "is damaged at line 1",
    ]) {
        assert!(text.contains(reason), "{text}");
    }
    assert_eq!(told.len(), 3);
}

#[tokio::test]
async fn what_lived_in_a_process_is_gone_with_it_and_other_clouds_are_passed_over() {
    let bench = Bench::new();
    let placed = |key: &str, cloud: &str| {
        let mut record = intended("web", "net", key, &[]);
        if let Record::Intended { intent, .. } = &mut record {
            intent.place.insert(CLOUD.to_owned(), cloud.to_owned());
        }
        record
    };
    let records =
        [started(DEAD), placed("a", EPHEMERAL), placed("b", "/elsewhere"), intended("web", "net", "c", &[])];
    write(bench.dir.path(), DEAD, &records);
    let report = gc(&bench, |_| {}).await;
    assert_eq!(report.passed_over.len(), 1);
    assert!(report.passed_over[0].ends_with("in the embedded cloud kept in `/elsewhere`"), "{report:?}");
    assert_eq!(bench.cloud.log(), ["find c"]);
    assert_eq!(left(&bench), 1);
    let there = gc(&bench, |options| options.cloud = Some("/elsewhere".to_owned())).await;
    assert_eq!((there.collected.len(), left(&bench)), (1, 0));
}

#[tokio::test]
async fn a_run_under_way_is_passed_over() {
    let mut bench = Bench::new();
    let cloud = Arc::clone(&bench.cloud);
    let state = bench.dir.path().to_owned();
    bench.builder("web", move |cx: kiln_core::component::BuildContext| {
        let (cloud, state) = (Arc::clone(&cloud), state.clone());
        async move {
            super::support::make(&cx, &cloud, "net", "net", &[]).await?;
            let options = GcOptions {
                state_dir: state,
                run: None,
                dry_run: false,
                cloud: None,
                reclaim: cloud.table(),
                sweeps: vec![Arc::new(Tagged(vec![swept(cx.run.id(), "net", false)]))],
            };
            let report = collect(options, &cx.events, &CancellationToken::new()).await?;
            let text = format!("run {} is under way", cx.run.id());
            assert_eq!(report.passed_over, [text.clone(), text]);
            assert_eq!(cloud.left(), ["net"]);
            Ok(None)
        }
    });
    let ran = bench.run(vec![build("web")]).await;
    assert_eq!(ran.error(0), "");
}

struct Tagged(Vec<Swept>);

#[async_trait]
impl Sweep for Tagged {
    async fn sweep(&self, run: Option<&str>) -> Result<Vec<Swept>> {
        Ok(self.0.iter().filter(|found| run.is_none_or(|run| found.run == run)).cloned().collect())
    }
}

fn swept(run: &str, id: &str, expired: bool) -> Swept {
    let intent = Intent { key: format!("net/{id}"), kind: "net".to_owned(), ..Intent::default() };
    Swept {
        resource: Resource { intent, id: Some(id.to_owned()), ..Resource::default() },
        run: run.to_owned(),
        expired,
    }
}

/// Of a run whose journal is here; of one unknown; of one unknown that cannot be alive any more.
fn strays(bench: &Bench) -> Vec<Arc<dyn Sweep>> {
    write(bench.dir.path(), DEAD, &[started(DEAD)]);
    let found = [(DEAD, "a", false), ("unknown0", "b", false), ("unknown1", "c", true)];
    for (_, id, _) in found {
        bench.cloud.create(id, "");
    }
    vec![Arc::new(Tagged(found.map(|(run, id, expired)| swept(run, id, expired)).to_vec()))]
}

#[tokio::test]
async fn a_sweep_deletes_only_what_cannot_be_alive() {
    let bench = Bench::new();
    let sweeps = strays(&bench);
    let again = sweeps.clone();
    let report = gc(&bench, |options| options.sweeps = sweeps).await;
    assert_eq!((report.collected.len(), bench.cloud.left()), (2, vec!["b".to_owned()]));
    let told = "`b` belongs to run unknown0, whose journal is not here; `kiln gc unknown0` deletes it";
    assert_eq!(report.passed_over, [told]);
    let named = gc(&bench, |options| {
        (options.sweeps, options.run) = (again, Some("unknown0".to_owned()));
    })
    .await;
    assert_eq!((named.collected.len(), bench.cloud.left()), (1, Vec::new()));
    assert_eq!(named.collected[0].0, "unknown0");
}

#[tokio::test]
async fn a_dry_sweep_deletes_nothing_and_counts_nothing_twice() {
    let bench = Bench::new();
    let sweeps = strays(&bench);
    write(
        bench.dir.path(),
        DEAD,
        &[started(DEAD), intended("web", "net", "net", &[]), acquired("web", "net", "a")],
    );
    let report = gc(&bench, |options| (options.sweeps, options.dry_run) = (sweeps, true)).await;
    assert_eq!((report.collected.len(), bench.cloud.left().len()), (2, 3));
}

#[tokio::test]
async fn what_resisted_by_journal_is_not_fought_for_again_by_tag() {
    let bench = Bench::new();
    let sweeps = strays(&bench);
    write(
        bench.dir.path(),
        DEAD,
        &[started(DEAD), intended("web", "net", "net", &[]), acquired("web", "net", "a")],
    );
    bench.cloud.fail("a", &[ErrorKind::Refused]);
    let report = gc(&bench, |options| options.sweeps = sweeps).await;
    assert_eq!((report.left.len(), bench.cloud.left()), (1, vec!["a".to_owned(), "b".to_owned()]));
}

/// A run that died with a shared network below the machines of two builds.
fn died_sharing(bench: &Bench) {
    let shared = "(shared)";
    for thing in ["net-1", "vm-1", "vm-2"] {
        bench.cloud.create(thing, "");
    }
    write(
        bench.dir.path(),
        DEAD,
        &[
            started(DEAD),
            intended(shared, "net", "net/cn", &[]),
            acquired(shared, "net/cn", "net-1"),
            intended("web", "machine", "machine", &["net/cn"]),
            acquired("web", "machine", "vm-1"),
            intended("db", "machine", "machine", &["net/cn"]),
            acquired("db", "machine", "vm-2"),
        ],
    );
}

#[tokio::test]
async fn what_builds_shared_goes_after_all_that_stood_on_it() {
    let bench = Bench::new();
    died_sharing(&bench);
    gc(&bench, |_| {}).await;
    assert_eq!(bench.cloud.left(), [""; 0]);
    assert_eq!(bench.cloud.log().last().map(String::as_str), Some("delete net-1"));
}

#[tokio::test]
async fn what_builds_shared_is_not_tried_below_something_that_resists() {
    let bench = Bench::new();
    died_sharing(&bench);
    bench.cloud.fail("vm-1", &[ErrorKind::Refused]);
    let report = gc(&bench, |_| {}).await;
    assert_eq!(bench.cloud.left(), ["net-1", "vm-1"]);
    assert!(!bench.cloud.log().contains(&"delete net-1".to_owned()));
    assert_eq!(report.left.len(), 2);
}
