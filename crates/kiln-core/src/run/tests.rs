//! The order of effects and records, and what a repetition gets.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::ledger::JournalError;
use crate::secret::SecretFilter;

/// Remembers records; refuses from the `full`th on.
struct Paper {
    lines: Mutex<Vec<String>>,
    full: usize,
}

#[async_trait::async_trait]
impl Journal for Paper {
    async fn append(&self, record: Record) -> Result<(), JournalError> {
        let mut lines = self.lines.lock().unwrap();
        if lines.len() >= self.full {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(JournalError { path: "journal.jsonl".to_owned(), source });
        }
        let text = serde_json::to_value(&record).unwrap();
        lines.push(text["record"].as_str().unwrap().to_owned());
        Ok(())
    }
}

struct Nobody;

#[async_trait::async_trait]
impl Releaser for Nobody {
    async fn release(&self, _: &Resource) -> Result<()> {
        Ok(())
    }
}

fn run(full: usize, recorded: Recorded) -> (Run, Arc<Paper>) {
    let paper = Arc::new(Paper { lines: Mutex::default(), full });
    let (events, received) = Events::channel(SecretFilter::default());
    // A closed channel is no error for those who send.
    drop(received);
    (Run::new("run", "web", Arc::clone(&paper) as _, events, Arc::new(Nobody), recorded), paper)
}

fn intent(key: &str) -> Intent {
    Intent { key: key.to_owned(), kind: "vpc".to_owned(), ..Intent::default() }
}

#[tokio::test]
async fn the_intent_is_written_before_the_effect_and_the_identity_after() {
    let (run, paper) = run(usize::MAX, Recorded::default());
    let seen = run.acquire(intent("vpc"), || async {
        assert_eq!(*paper.lines.lock().unwrap(), ["intended"]);
        assert_eq!(run.held()[0].id, None);
        Ok(Acquired::id("vpc-1"))
    });
    assert_eq!(seen.await.unwrap().id, "vpc-1");
    assert_eq!(*paper.lines.lock().unwrap(), ["intended", "acquired"]);
    assert_eq!(run.held()[0].id.as_deref(), Some("vpc-1"));
}

#[tokio::test]
async fn a_journal_that_fails_stops_the_build_before_the_effect() {
    let (run, _) = run(0, Recorded::default());
    let effect = || async { panic!("nothing may happen") };
    let error = run.acquire(intent("vpc"), effect).await.unwrap_err();
    assert!(
        error.chain().starts_with("record what the build does: write the journal `journal.jsonl`"),
        "{error:?}"
    );
    assert_eq!(run.held(), []);
}

#[tokio::test]
async fn what_was_made_but_not_recorded_is_still_answered_for() {
    let (run, _) = run(1, Recorded::default());
    run.acquire(intent("vpc"), || async { Ok(Acquired::id("vpc-1")) }).await.unwrap_err();
    assert_eq!(run.held()[0].id.as_deref(), Some("vpc-1"));
    // Gone is gone, even where that cannot be written down: nobody deletes it again.
    run.released(&run.held()[0]).await;
    assert_eq!(run.held(), []);
}

#[tokio::test]
async fn a_step_is_done_once_and_its_failure_may_be_repeated() {
    let (run, paper) = run(usize::MAX, Recorded::default());
    let done = AtomicUsize::new(0);
    let effect = || async { Ok(done.fetch_add(1, Ordering::Relaxed)) };
    run.step("name", || async { Err::<usize, _>(Error::new("no")) }).await.unwrap_err();
    assert_eq!(run.step("name", effect).await.unwrap(), 0);
    let twice = run.step("name", effect).await.unwrap_err();
    assert_eq!(twice.chain(), "step key `name` is used twice in one build");
    run.try_again();
    assert_eq!(run.step("name", effect).await.unwrap(), 0);
    assert_eq!(*paper.lines.lock().unwrap(), ["step_done"]);
}

#[tokio::test]
async fn a_resource_key_is_used_once_until_the_step_is_tried_again() {
    let (run, paper) = run(usize::MAX, Recorded::default());
    let effect = || async { Ok(Acquired::id("vpc-1")) };
    let held = run.acquire(intent("vpc"), effect).await.unwrap();
    let twice = run.acquire(intent("vpc"), effect).await.unwrap_err();
    assert_eq!(twice.chain(), "resource key `vpc` is used twice in one build");
    // A step may bear the same name.
    run.step("vpc", || async { Ok(()) }).await.unwrap();
    run.try_again();
    assert_eq!(run.acquire(intent("vpc"), || async { panic!("it is there") }).await.unwrap(), held);
    run.keep(&held).await.unwrap();
    run.try_again();
    let kept = run.acquire(intent("vpc"), effect).await.unwrap_err();
    assert_eq!(kept.chain(), "acquire `vpc`, which was handed over already");
    assert_eq!(*paper.lines.lock().unwrap(), ["intended", "acquired", "step_done", "kept"]);
}

#[tokio::test]
async fn an_open_intent_is_intended_anew_with_the_same_token() {
    let (run, paper) = run(usize::MAX, Recorded::default());
    run.acquire(intent("vpc"), || async { Err(Error::new("reset")) }).await.unwrap_err();
    assert_eq!((run.held().len(), run.held()[0].id.clone()), (1, None));
    let token = run.token("vpc");
    run.acquire(intent("vpc"), || async { Ok(Acquired::id("vpc-1")) }).await.unwrap();
    assert_eq!((run.held().len(), run.token("vpc")), (1, token));
    assert_ne!(run.token("vpc"), run.token("vswitch"));
    assert_eq!(*paper.lines.lock().unwrap(), ["intended", "intended", "acquired"]);
}

#[tokio::test]
async fn a_resumed_run_gets_what_an_earlier_one_recorded() {
    let mut recorded = Recorded::default();
    recorded.steps.insert("name".to_owned(), "packer_1".into());
    recorded.held =
        ["vpc", "lost"].map(|key| Resource { intent: intent(key), ..Resource::default() }).to_vec();
    recorded.held[0].id = Some("vpc-1".to_owned());
    let (run, paper) = run(usize::MAX, recorded);
    let name: String = run.step("name", || async { panic!("it was done") }).await.unwrap();
    let vpc = run.acquire(intent("vpc"), || async { panic!("it is there") }).await.unwrap();
    let lost = run.acquire(intent("lost"), || async { Ok(Acquired::id("found")) }).await.unwrap();
    assert_eq!((name.as_str(), vpc.id.as_str(), lost.id.as_str()), ("packer_1", "vpc-1", "found"));
    assert_eq!(*paper.lines.lock().unwrap(), ["intended", "acquired"]);
}

#[tokio::test]
async fn reasons_are_written_without_secrets() {
    struct Reasons(Mutex<Vec<String>>);
    #[async_trait::async_trait]
    impl Journal for Reasons {
        async fn append(&self, record: Record) -> Result<(), JournalError> {
            self.0.lock().unwrap().push(serde_json::to_string(&record).unwrap());
            Ok(())
        }
    }
    let filter = SecretFilter::default();
    filter.register("hunter2");
    let (events, _received) = Events::channel(filter);
    let reasons = Arc::new(Reasons(Mutex::default()));
    let run =
        Run::new("run", "web", Arc::clone(&reasons) as _, events, Arc::new(Nobody), Recorded::default());
    run.left(&Resource { intent: intent("vpc"), ..Resource::default() }, "wrong key hunter2").await;
    assert!(reasons.0.lock().unwrap()[0].contains("wrong key <sensitive>"));
}
