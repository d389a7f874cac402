//! Progress that moves, on a terminal only: below the lines, on standard error, never in what is piped.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kiln_core::event::{Event, EventKind};

use super::Renderer;
use super::durations::short;

/// Wraps another renderer: its lines scroll above, what is under way stands below.
pub struct Live<R> {
    inner: R,
    area: MultiProgress,
    rows: BTreeMap<Key, Row>,
    asking: bool,
}

/// A build and the step or progress in it.
type Key = (Option<String>, String);

struct Row {
    bar: ProgressBar,
    begun: Instant,
    label: String,
}

/// A step that is over sooner is not worth a row.
const WORTH_SHOWING: Duration = Duration::from_millis(400);

impl<R: Renderer> Live<R> {
    /// Returns `inner` with progress below its lines.
    pub fn new(inner: R, area: MultiProgress) -> Live<R> {
        Live { inner, area, rows: BTreeMap::new(), asking: false }
    }

    fn begin(&mut self, key: Key, label: String) {
        let bar = ProgressBar::hidden();
        self.rows.insert(key, Row { bar, begun: Instant::now(), label });
    }

    fn end(&mut self, key: &Key) {
        if let Some(row) = self.rows.remove(key) {
            row.bar.finish_and_clear();
            self.area.remove(&row.bar);
        }
    }

    fn progress(&mut self, event: &Event) {
        let EventKind::Progress { what, done, total, unit } = &event.kind else {
            return;
        };
        let key = (event.build.clone(), what.clone());
        if total.is_some_and(|total| *done >= total) {
            self.end(&key);
            return;
        }
        let amount = match (unit.as_str(), total) {
            ("%", _) => format!("{done}%"),
            ("bytes", Some(total)) => format!("{} of {}", mebibytes(*done), mebibytes(*total)),
            ("bytes", None) => mebibytes(*done),
            (unit, Some(total)) => format!("{done} of {total} {unit}"),
            (unit, None) => format!("{done} {unit}"),
        };
        let label = format!("{}{what}: {amount}", prefix(event));
        match self.rows.get_mut(&key) {
            Some(row) => row.label = label,
            None => self.begin(key, label),
        }
    }
}

fn prefix(event: &Event) -> String {
    event.build.as_ref().map(|build| format!("{build}: ")).unwrap_or_default()
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

impl<R: Renderer> Renderer for Live<R> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            EventKind::StepStarted { step } => {
                self.begin((event.build.clone(), step.clone()), format!("{}{step}", prefix(event)));
            }
            EventKind::StepFinished { step, .. } => self.end(&(event.build.clone(), step.clone())),
            EventKind::Progress { .. } => self.progress(event),
            EventKind::BuildFinished { .. } => {
                let of_build: Vec<Key> =
                    self.rows.keys().filter(|(build, _)| *build == event.build).cloned().collect();
                of_build.iter().for_each(|key| self.end(key));
            }
            _ => {}
        }
        let (area, inner) = (&self.area, &mut self.inner);
        area.suspend(|| inner.event(event))
    }

    fn tick(&mut self) -> io::Result<()> {
        if self.asking {
            return Ok(());
        }
        for row in self.rows.values_mut() {
            let elapsed = row.begun.elapsed();
            if elapsed < WORTH_SHOWING {
                continue;
            }
            if row.bar.is_hidden() {
                let style = ProgressStyle::with_template("{spinner} {msg}");
                let bar = ProgressBar::new_spinner()
                    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                row.bar = self.area.add(bar);
            }
            row.bar.set_message(format!("{} ({})", row.label, short(elapsed)));
            row.bar.tick();
        }
        Ok(())
    }

    fn ask(&mut self, query: &str) -> io::Result<()> {
        self.asking = true;
        self.area.clear()?;
        self.inner.ask(query)
    }

    fn answered(&mut self, newline: bool) -> io::Result<()> {
        self.asking = false;
        self.inner.answered(newline)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.area.clear()?;
        self.inner.finish()
    }
}
