//! Progress that moves, on a terminal only: below the lines, on standard error, never in what is piped.

use std::io;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kiln_core::event::{Event, EventKind};

use super::Renderer;
use super::durations::short;

/// Wraps another renderer: its lines scroll above, what is under way stands below.
pub struct Live<R> {
    inner: R,
    area: MultiProgress,
    /// All rows, drawn at once; absent while there is nothing to show.
    block: Option<ProgressBar>,
    rows: Vec<Row>,
    turn: usize,
    asking: bool,
}

/// A step or a progress of a build.
struct Row {
    build: Option<String>,
    name: String,
    begun: Instant,
    amount: String,
}

/// A step that is over sooner is not worth a row.
const WORTH_SHOWING: Duration = Duration::from_millis(400);
/// More rows would push the lines off the screen.
const MOST_ROWS: usize = 8;
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

impl<R: Renderer> Live<R> {
    /// Returns `inner` with progress below its lines.
    pub fn new(inner: R) -> Live<R> {
        let area = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Live { inner, area, block: None, rows: Vec::new(), turn: 0, asking: false }
    }

    fn row(&mut self, event: &Event, name: &str) -> &mut Row {
        let index = self.rows.iter().position(|row| row.build == event.build && row.name == name);
        let index = index.unwrap_or_else(|| {
            let (build, name) = (event.build.clone(), name.to_owned());
            self.rows.push(Row { build, name, begun: Instant::now(), amount: String::new() });
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }

    fn end(&mut self, event: &Event, name: &str) {
        self.rows.retain(|row| row.build != event.build || row.name != name);
    }

    fn clear(&mut self) {
        if let Some(block) = self.block.take() {
            block.finish_and_clear();
            self.area.remove(&block);
        }
    }

    fn draw(&mut self) {
        let width = Term::stderr().size_checked().map_or(80, |(_, columns)| usize::from(columns)).max(20);
        self.turn = (self.turn + 1) % SPINNER.len();
        let spinner = SPINNER[self.turn];
        let shown = self.rows.iter().filter(|row| row.begun.elapsed() >= WORTH_SHOWING);
        let mut lines: Vec<String> = shown.map(|row| row.line(spinner, width)).collect();
        if lines.len() > MOST_ROWS {
            let more = lines.len() - MOST_ROWS + 1;
            lines.truncate(MOST_ROWS - 1);
            lines.push(format!("  and {more} more"));
        }
        if lines.is_empty() {
            return self.clear();
        }
        let area = &self.area;
        let block = self.block.get_or_insert_with(|| {
            let style =
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            area.add(ProgressBar::new_spinner().with_style(style))
        });
        block.set_message(lines.join("\n"));
    }
}

impl Row {
    /// No line is wider than the terminal: a wrapped one could not be drawn over.
    fn line(&self, spinner: char, width: usize) -> String {
        let build = self.build.as_ref().map(|build| format!("{build}: ")).unwrap_or_default();
        let line = format!("{spinner} {build}{}{} ({})", self.name, self.amount, short(self.begun.elapsed()));
        line.chars().take(width - 1).collect()
    }
}

fn amount(done: u64, total: Option<u64>, unit: &str) -> String {
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1_048_576.0);
    match (unit, total) {
        ("%", _) => format!(": {done}%"),
        ("bytes", Some(total)) => format!(": {} of {}", mebibytes(done), mebibytes(total)),
        ("bytes", None) => format!(": {}", mebibytes(done)),
        (unit, Some(total)) => format!(": {done} of {total} {unit}"),
        (unit, None) => format!(": {done} {unit}"),
    }
}

impl<R: Renderer> Renderer for Live<R> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            EventKind::StepStarted { step } => {
                self.row(event, step);
            }
            EventKind::StepFinished { step, .. } => self.end(event, step),
            EventKind::Progress { what, done, total, unit } => {
                match total.is_some_and(|total| *done >= total) {
                    true => self.end(event, what),
                    false => self.row(event, what).amount = amount(*done, *total, unit),
                }
            }
            EventKind::BuildFinished { .. } => self.rows.retain(|row| row.build != event.build),
            _ => {}
        }
        if self.rows.is_empty() {
            self.clear();
        }
        let (area, inner) = (&self.area, &mut self.inner);
        area.suspend(|| inner.event(event))
    }

    fn tick(&mut self) -> io::Result<()> {
        if !self.asking {
            self.draw();
        }
        Ok(())
    }

    fn ask(&mut self, query: &str) -> io::Result<()> {
        self.asking = true;
        self.clear();
        self.inner.ask(query)
    }

    fn answered(&mut self, newline: bool) -> io::Result<()> {
        self.asking = false;
        self.inner.answered(newline)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.clear();
        self.inner.finish()
    }
}
