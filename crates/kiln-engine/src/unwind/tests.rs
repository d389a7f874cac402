//! Whatever depends on whatever and whatever fails: nothing goes before what stands on it, nothing goes twice, and it
//! ends.

use std::collections::{BTreeMap, BTreeSet};

use kiln_core::event::EventKind;
use kiln_core::ledger::Intent;
use kiln_core::secret::SecretFilter;
use proptest::prelude::*;

use super::*;

/// How a thing takes its deletion.
#[derive(Debug, Clone, Copy)]
enum Temper {
    /// Goes after so many failures.
    Goes(u8),
    Never,
    Refuses,
    /// Never answers, and does not listen either.
    Hangs,
}

/// Things by index, each with its temper and the earlier ones it needs (or, in a broken journal, any).
#[derive(Debug, Clone)]
struct Graph(Vec<(Temper, BTreeSet<usize>)>);

fn temper() -> impl Strategy<Value = Temper> {
    prop_oneof![
        6 => (0u8..4).prop_map(Temper::Goes),
        1 => Just(Temper::Never),
        1 => Just(Temper::Refuses),
        1 => Just(Temper::Hangs),
    ]
}

fn graph() -> impl Strategy<Value = Graph> {
    (1usize..12, any::<bool>()).prop_flat_map(|(count, cycles)| {
        let thing = move |index: usize| {
            let below = if cycles { count } else { index.max(1) };
            let needs = proptest::collection::btree_set(0..below, 0..4);
            let needs = needs.prop_map(move |needs| match cycles || index > 0 {
                true => needs,
                false => BTreeSet::new(),
            });
            (temper(), needs)
        };
        (0..count).map(thing).collect::<Vec<_>>().prop_map(Graph)
    })
}

struct Things {
    graph: Graph,
    tries: Mutex<BTreeMap<usize, u8>>,
    gone: Mutex<Vec<usize>>,
}

#[async_trait]
impl Reclaim for Things {
    fn rank(&self) -> u32 {
        0
    }

    fn is_quick(&self) -> bool {
        false
    }

    fn noun(&self) -> &'static str {
        "thing"
    }

    fn announce(&self, resource: &Resource, _: Reason) -> Vec<Announcement> {
        vec![Announcement::Say(format!("{} begins", resource.intent.key))]
    }

    fn announce_gone(&self, resource: &Resource, _: Reason) -> Vec<Announcement> {
        vec![Announcement::Message(format!("{} is gone", resource.intent.key))]
    }

    async fn find(&self, _: &Intent) -> Result<Vec<Resource>> {
        Ok(Vec::new())
    }

    async fn delete(&self, resource: &Resource, _: &CancellationToken) -> Result<()> {
        let index: usize = resource.intent.key.parse().unwrap();
        let mut gone = self.gone.lock().await;
        assert!(!gone.contains(&index), "{index} is deleted twice");
        let dependants = self.graph.0.iter().enumerate().filter(|(_, (_, needs))| needs.contains(&index));
        for (dependant, _) in dependants {
            assert!(gone.contains(&dependant), "{index} goes before {dependant}, which needs it");
        }
        let mut tries = self.tries.lock().await;
        let tries = tries.entry(index).or_default();
        *tries = tries.saturating_add(1);
        match self.graph.0[index].0 {
            Temper::Goes(after) if *tries > after => {
                gone.push(index);
                Ok(())
            }
            Temper::Refuses => Err(Error::new("refused").kind(ErrorKind::Refused)),
            Temper::Hangs => {
                drop(gone);
                std::future::pending().await
            }
            Temper::Goes(_) | Temper::Never => Err(Error::new("not yet")),
        }
    }
}

/// Notes every fate once.
#[derive(Default)]
struct Noted(Mutex<BTreeMap<String, bool>>);

#[async_trait]
impl Books for Noted {
    async fn note(&self, resource: &Resource, fate: &Fate) {
        let before = self.0.lock().await.insert(resource.intent.key.clone(), matches!(fate, Fate::Gone));
        assert!(before.is_none(), "{} has two fates", resource.intent.key);
    }
}

async fn unwind(graph: Graph) {
    let count = graph.0.len();
    let resources: Vec<Resource> = graph
        .0
        .iter()
        .enumerate()
        .map(|(index, (_, needs))| {
            let needs = needs.iter().map(usize::to_string).collect();
            let key = index.to_string();
            let intent = Intent { key: key.clone(), kind: "thing".to_owned(), needs, ..Intent::default() };
            Resource { intent, id: Some(key), facts: BTreeMap::new() }
        })
        .collect();
    let things = Arc::new(Things { graph, tries: Mutex::default(), gone: Mutex::default() });
    let mut table = ReclaimTable::default();
    table.insert("thing", Arc::clone(&things) as _);
    let (events, mut received) = Events::channel(SecretFilter::default());
    let unwinder = Unwinder::new(table, events, CancellationToken::new());
    let noted = Noted::default();
    // Virtual time: a limit that no order of deletions reaches, since each chain is at most `count` deadlines long.
    let limit = DEADLINE * u32::try_from(count + 1).unwrap();
    let fates = tokio::time::timeout(limit, unwinder.delete_all(&resources, Reason::Finished, &noted)).await;
    assert_eq!(fates.expect("it ends").len(), count);
    let gone: BTreeSet<String> = things.gone.lock().await.iter().map(usize::to_string).collect();
    let noted = noted.0.lock().await;
    assert_eq!(
        noted.iter().filter(|(_, gone)| **gone).map(|(key, _)| key.clone()).collect::<BTreeSet<_>>(),
        gone
    );
    assert_eq!(noted.len(), count);
    let lines: Vec<String> = std::iter::from_fn(|| received.try_recv().ok())
        .filter_map(|event| match event.kind {
            EventKind::Say { text } | EventKind::Message { text } => Some(text),
            _ => None,
        })
        .collect();
    for key in (0..count).map(|index| index.to_string()) {
        let place = |line: String| lines.iter().position(|told| *told == line);
        let (begun, over) = (place(format!("{key} begins")), place(format!("{key} is gone")));
        assert_eq!(over.is_some(), gone.contains(&key), "{lines:?}");
        assert!(over.is_none_or(|over| begun.is_some_and(|begun| begun < over)), "{lines:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dependants_go_first_nothing_goes_twice_and_it_ends(graph in graph()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(unwind(graph));
    }
}
