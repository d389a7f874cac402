//! Lines of steps that run at once, shown in the order the steps would have had one after the other: people and
//! scripts read them so.

use std::collections::VecDeque;
use std::sync::Arc;

use kiln_core::event::Events;
use tokio::sync::Mutex;

/// Some lanes side by side. A lane's lines are shown as they come once all lanes before it have ended; until then
/// they wait.
pub(crate) struct Lanes {
    events: Events,
    lanes: Mutex<Vec<LaneState>>,
}

#[derive(Default)]
struct LaneState {
    waiting: VecDeque<Line>,
    ended: bool,
}

enum Line {
    Say(String),
    Message(String),
}

/// One lane.
#[derive(Clone)]
pub(crate) struct Lane {
    lanes: Arc<Lanes>,
    index: usize,
}

impl Lanes {
    /// Returns `N` lanes, the first first.
    pub(crate) fn open<const N: usize>(events: &Events) -> [Lane; N] {
        let states = (0..N).map(|_| LaneState::default()).collect();
        let lanes = Arc::new(Lanes { events: events.clone(), lanes: Mutex::new(states) });
        std::array::from_fn(|index| Lane { lanes: Arc::clone(&lanes), index })
    }

    async fn flush(&self) {
        let mut lanes = self.lanes.lock().await;
        for lane in lanes.iter_mut() {
            while let Some(line) = lane.waiting.pop_front() {
                match line {
                    Line::Say(text) => self.events.say(text).await,
                    Line::Message(text) => self.events.message(text).await,
                }
            }
            if !lane.ended {
                break;
            }
        }
    }
}

impl Lane {
    /// Packer's "say".
    pub(crate) async fn say(&self, text: impl Into<String>) {
        self.push(Line::Say(text.into())).await;
    }

    /// Packer's "message".
    pub(crate) async fn message(&self, text: impl Into<String>) {
        self.push(Line::Message(text.into())).await;
    }

    /// Does the lane's work and ends it, however the work ends, so that later lanes are heard.
    pub(crate) async fn end_after<T>(&self, work: impl Future<Output = T>) -> T {
        let result = work.await;
        self.lanes.lanes.lock().await[self.index].ended = true;
        self.lanes.flush().await;
        result
    }

    async fn push(&self, line: Line) {
        self.lanes.lanes.lock().await[self.index].waiting.push_back(line);
        self.lanes.flush().await;
    }
}

#[cfg(test)]
mod tests {
    use kiln_core::event::EventKind;
    use kiln_core::secret::SecretFilter;

    use super::*;

    #[tokio::test]
    async fn lines_keep_the_order_of_lanes() {
        let (events, mut seen) = Events::channel(SecretFilter::default());
        let [first, second] = Lanes::open(&events);
        second.say("second").await;
        second.end_after(async {}).await;
        first.say("first").await;
        first.end_after(async {}).await;
        drop((events, first, second));
        let mut lines = Vec::new();
        while let Some(event) = seen.recv().await {
            if let EventKind::Say { text } = event.kind {
                lines.push(text);
            }
        }
        assert_eq!(lines, ["first", "second"]);
    }
}
