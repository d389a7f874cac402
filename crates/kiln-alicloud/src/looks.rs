//! Looking at many things with one call: all builds of a process that wait for an instance, a snapshot or an image of
//! the same account and region share one poller for each kind.
//!
//! Whoever wants to know how something stands says so and waits; one task asks for everything that is wanted at that
//! moment, at most [`BATCH`] ids a call, and hands the answers out. A lone asker is served at once; the more there are,
//! the longer the pause between calls, up to ten of the cloud's shortest pauses, so that each costs fewer calls.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alicloud_api::ecs::{
    DescribeImages, DescribeInstances, DescribeSnapshots, Ecs, Image, Instance, Snapshot,
};
use alicloud_api::{Error, ErrorKind, Result};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::cloud::Cloud;
use crate::reclaim::EVERY_STATUS;

/// Ids the API takes in one call of `DescribeInstances` and `DescribeSnapshots`, and results in one page.
const BATCH: usize = 100;
/// How many shortest pauses lie between two calls at most.
const SLOWEST: u32 = 10;

/// The pollers of a process, by account and place.
#[derive(Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<HashMap<String, Arc<Pollers>>>>);

impl Looks {
    /// Returns the pollers of the account and place that `whose` tells from others. `pause` is the shortest one
    /// between two calls.
    pub(crate) fn of(&self, whose: &str, pause: Duration) -> Arc<Pollers> {
        let mut pollers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pollers.entry(whose.to_owned()).or_insert_with(|| Arc::new(Pollers::new(pause))))
    }
}

impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Looks").finish_non_exhaustive()
    }
}

/// One account's pollers in one region.
pub(crate) struct Pollers {
    instances: Poller<Instance>,
    snapshots: Poller<Snapshot>,
    images: Poller<Image>,
}

impl Pollers {
    fn new(pause: Duration) -> Pollers {
        Pollers { instances: Poller::new(pause), snapshots: Poller::new(pause), images: Poller::new(pause) }
    }

    async fn instance(&self, ecs: &Ecs, id: &str) -> Result<Option<Instance>> {
        let ecs = ecs.clone();
        let ask = move |ids: Vec<String>| {
            let ecs = ecs.clone();
            async move {
                let page_size = u32::try_from(ids.len()).ok();
                let instance_ids = ids.into_iter().map(Into::into).collect();
                let look = DescribeInstances { instance_ids, page_size, ..Default::default() };
                let found = ecs.describe_instances(&look).await?.instances;
                Ok(found.into_iter().map(|it| (it.instance_id.to_string(), it)).collect())
            }
        };
        self.instances.look(id, ask).await
    }

    async fn snapshot(&self, ecs: &Ecs, id: &str) -> Result<Option<Snapshot>> {
        let ecs = ecs.clone();
        let ask = move |ids: Vec<String>| {
            let ecs = ecs.clone();
            async move {
                let page_size = u32::try_from(ids.len()).ok();
                let snapshot_ids = ids.into_iter().map(Into::into).collect();
                let look = DescribeSnapshots { snapshot_ids, page_size, ..Default::default() };
                let found = ecs.describe_snapshots(&look).await?.snapshots;
                Ok(found.into_iter().map(|it| (it.snapshot_id.to_string(), it)).collect())
            }
        };
        self.snapshots.look(id, ask).await
    }

    /// `DescribeImages` documents one id a call only, so several are looked for among the account's own images.
    async fn image(&self, ecs: &Ecs, id: &str) -> Result<Option<Image>> {
        let ecs = ecs.clone();
        let ask = move |ids: Vec<String>| {
            let ecs = ecs.clone();
            async move {
                let status = EVERY_STATUS.map(str::to_owned).to_vec();
                let found = match ids.as_slice() {
                    [one] => {
                        let image_id = Some(one.as_str().into());
                        let look = DescribeImages { image_id, status, ..Default::default() };
                        ecs.describe_images(&look).await?.images
                    }
                    _ => {
                        let image_owner_alias = Some("self".to_owned());
                        let look = DescribeImages { image_owner_alias, status, ..Default::default() };
                        ecs.all(&look).await?
                    }
                };
                Ok(found.into_iter().map(|it| (it.image_id.to_string(), it)).collect())
            }
        };
        self.images.look(id, ask).await
    }
}

impl Cloud {
    /// Returns the instance as the cloud lists it now; `None` if it does not.
    pub(crate) async fn instance(&self, id: &str) -> Result<Option<Instance>> {
        let (pollers, ecs) = self.pollers();
        pollers.instance(&ecs, id).await
    }

    /// Returns the snapshot as the cloud lists it now; `None` if it does not.
    pub(crate) async fn snapshot(&self, id: &str) -> Result<Option<Snapshot>> {
        let (pollers, ecs) = self.pollers();
        pollers.snapshot(&ecs, id).await
    }

    /// Returns the image, whatever its status; `None` if the cloud does not list it.
    pub(crate) async fn image(&self, id: &str) -> Result<Option<Image>> {
        let (pollers, ecs) = self.pollers();
        pollers.image(&ecs, id).await
    }
}

/// Answers all who ask for things of one kind.
struct Poller<T> {
    pause: Duration,
    desk: Arc<Mutex<Desk<T>>>,
}

struct Desk<T> {
    waiting: Vec<Asker<T>>,
    /// Whether a task is answering.
    open: bool,
    /// Before this instant nothing is asked.
    free: Instant,
}

struct Asker<T> {
    id: String,
    answer: oneshot::Sender<Result<Option<T>>>,
}

impl<T: Clone + Send + 'static> Poller<T> {
    fn new(pause: Duration) -> Poller<T> {
        let desk = Desk { waiting: Vec::new(), open: false, free: Instant::now() };
        Poller { pause, desk: Arc::new(Mutex::new(desk)) }
    }

    /// Returns what the next call says of `id`. `ask` makes the call for whoever waits by then; it ends by itself.
    async fn look<F, Fut>(&self, id: &str, ask: F) -> Result<Option<T>>
    where
        F: Fn(Vec<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<BTreeMap<String, T>>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let opens = {
            let mut desk = lock(&self.desk);
            desk.waiting.push(Asker { id: id.to_owned(), answer });
            !std::mem::replace(&mut desk.open, true)
        };
        if opens {
            tokio::spawn(serve(Arc::clone(&self.desk), self.pause, ask));
        }
        let lost = |_| Err(Error::new(ErrorKind::Failed, "the shared look ended without an answer"));
        answered.await.unwrap_or_else(lost)
    }
}

/// Answers until nobody waits.
async fn serve<T, F, Fut>(desk: Arc<Mutex<Desk<T>>>, pause: Duration, ask: F)
where
    T: Clone,
    F: Fn(Vec<String>) -> Fut,
    Fut: Future<Output = Result<BTreeMap<String, T>>>,
{
    let _closing = Closing(Arc::clone(&desk));
    loop {
        let free = lock(&desk).free;
        tokio::time::sleep_until(free).await;
        let Some((ids, askers)) = next_batch(&desk) else {
            return;
        };
        let count = u32::try_from(ids.len()).unwrap_or(SLOWEST).clamp(1, SLOWEST);
        lock(&desk).free = Instant::now() + pause * count;
        match ask(ids).await {
            Ok(found) => {
                for asker in askers {
                    // Who no longer waits needs no answer.
                    let _ = asker.answer.send(Ok(found.get(&asker.id).cloned()));
                }
            }
            Err(error) => {
                for asker in askers {
                    let _ = asker.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

/// Takes the next askers, with their ids; closes the desk if there are none.
fn next_batch<T>(desk: &Mutex<Desk<T>>) -> Option<(Vec<String>, Vec<Asker<T>>)> {
    let mut desk = lock(desk);
    desk.waiting.retain(|asker| !asker.answer.is_closed());
    let mut ids: Vec<String> = Vec::new();
    let mut askers = Vec::new();
    let mut later = Vec::new();
    for asker in desk.waiting.drain(..) {
        let known = ids.contains(&asker.id);
        if !known && ids.len() == BATCH {
            later.push(asker);
            continue;
        }
        if !known {
            ids.push(asker.id.clone());
        }
        askers.push(asker);
    }
    desk.waiting = later;
    if askers.is_empty() {
        desk.open = false;
        return None;
    }
    Some((ids, askers))
}

/// Closes the desk however serving ends: a panic must not leave askers waiting for ever.
struct Closing<T>(Arc<Mutex<Desk<T>>>);

impl<T> Drop for Closing<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut desk = lock(&self.0);
            desk.open = false;
            desk.waiting.clear();
        }
    }
}

/// A panic elsewhere cannot leave a desk half-changed.
fn lock<T>(desk: &Mutex<Desk<T>>) -> std::sync::MutexGuard<'_, Desk<T>> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use super::*;

    type Calls = Arc<Mutex<Vec<usize>>>;

    const PAUSE: Duration = Duration::from_millis(100);

    /// Knows every id but `gone`, and notes how many were asked for.
    fn cloud(calls: &Calls) -> impl Fn(Vec<String>) -> Ready<Result<BTreeMap<String, String>>> + use<> {
        let calls = Arc::clone(calls);
        move |ids| {
            calls.lock().unwrap().push(ids.len());
            let known = ids.into_iter().filter(|id| id != "gone");
            ready(Ok(known.map(|id| (id.clone(), format!("state of {id}"))).collect()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_together_is_answered_by_one_call() {
        let (poller, calls) = (Poller::new(PAUSE), Calls::default());
        let (a, b, gone) = futures_util::join!(
            poller.look("a", cloud(&calls)),
            poller.look("b", cloud(&calls)),
            poller.look("gone", cloud(&calls)),
        );
        assert_eq!((a.unwrap().as_deref(), b.unwrap().as_deref()), (Some("state of a"), Some("state of b")));
        assert_eq!(gone.unwrap(), None);
        assert_eq!(*calls.lock().unwrap(), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_names_a_hundred_ids_at_most_and_calls_keep_their_distance() {
        let (poller, calls) = (Poller::new(PAUSE), Calls::default());
        let begun = Instant::now();
        let ids: Vec<String> = (0..250).map(|id| id.to_string()).collect();
        let looks = ids.iter().map(|id| poller.look(id, cloud(&calls)));
        let answers = futures_util::future::join_all(looks).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap().is_some()));
        assert_eq!(*calls.lock().unwrap(), [100, 100, 50]);
        assert_eq!(begun.elapsed(), 2 * SLOWEST * PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_asker_is_served_at_the_shortest_pause() {
        let (poller, calls) = (Poller::new(PAUSE), Calls::default());
        let begun = Instant::now();
        for _ in 0..3 {
            poller.look("a", cloud(&calls)).await.unwrap();
        }
        assert_eq!((begun.elapsed(), calls.lock().unwrap().len()), (2 * PAUSE, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_reaches_everybody_and_the_next_look_asks_again() {
        let poller = Poller::new(PAUSE);
        let fails = |_| ready(Err(Error::new(ErrorKind::Decode, "no JSON")));
        let (a, b) = futures_util::join!(poller.look("a", fails), poller.look("b", fails));
        assert_eq!([a.unwrap_err().kind(), b.unwrap_err().kind()], [&ErrorKind::Decode; 2]);
        tokio::time::sleep_until(Instant::now() + SLOWEST * PAUSE).await;
        let calls = Calls::default();
        assert!(poller.look("a", cloud(&calls)).await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_gone_away_is_not_asked_for() {
        let (poller, calls) = (Poller::new(PAUSE), Calls::default());
        poller.look("a", cloud(&calls)).await.unwrap();
        // The desk is busy with its pause when both come; one does not stay.
        let staying = poller.look("b", cloud(&calls));
        let leaving = tokio::time::timeout(PAUSE / 2, poller.look("c", cloud(&calls)));
        let (staying, leaving) = futures_util::join!(staying, leaving);
        assert!(staying.unwrap().is_some() && leaving.is_err());
        assert_eq!(*calls.lock().unwrap(), [1, 1]);
    }
}
