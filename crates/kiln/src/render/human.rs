//! Packer's lines for people, letter for letter, on standard output; what Kiln adds goes to standard error.

use std::io::{self, Write};

use kiln_core::event::{Event, EventKind};

use super::Renderer;
use super::packer::{Line, Paint, Reader};
use super::times::Times;

/// Colours of builds, in turn: green, cyan, magenta, yellow, blue.
const COLOURS: [u8; 5] = [32, 36, 35, 33, 34];
const RED: u8 = 31;

/// Writes to `out` and, what is not Packer's, to `aside`.
pub struct Human<O, A> {
    reader: Reader,
    colours: bool,
    aside_colours: bool,
    times: Times,
    /// A question stands at the end of the page, without a line end.
    asking: bool,
    out: O,
    aside: A,
}

impl<O: Write + Send, A: Write + Send> Human<O, A> {
    /// Returns a renderer; `colours` allows escape sequences.
    pub fn new(reader: Reader, colours: bool, out: O, aside: A) -> Human<O, A> {
        Human { reader, colours, aside_colours: false, times: Times::default(), asking: false, out, aside }
    }

    /// Allows escape sequences on the other stream too: there they are for terminals only.
    #[must_use]
    pub fn with_aside_colours(mut self, allowed: bool) -> Human<O, A> {
        self.aside_colours = allowed;
        self
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        match line {
            Line::Text { paint, text, .. } | Line::Human { paint, text } => {
                let code = match paint {
                    _ if !self.colours => None,
                    Paint::Plain => None,
                    Paint::Build(index) => Some(COLOURS[index % COLOURS.len()]),
                    Paint::Red => Some(RED),
                };
                match code {
                    Some(code) => writeln!(self.out, "\x1b[1;{code}m{text}\x1b[0m"),
                    None => writeln!(self.out, "{text}"),
                }
            }
            Line::Machine { target, kind, data } => {
                tracing::debug!("machine readable: {target},{kind} {data:?}");
                Ok(())
            }
            Line::Aside(text) => {
                self.out.flush()?;
                self.note(text);
                Ok(())
            }
        }
    }

    /// A line that was typed has ended itself; a question that was withdrawn has not.
    fn end_question(&mut self, newline: bool) -> io::Result<()> {
        if std::mem::take(&mut self.asking) && newline {
            writeln!(self.out)?;
        }
        self.out.flush()
    }

    /// Losing standard error must not end a build.
    fn note(&mut self, text: &str) {
        let _ = writeln!(self.aside, "{text}");
        let _ = self.aside.flush();
    }
}

impl<O: Write + Send, A: Write + Send> Renderer for Human<O, A> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.times.note(event);
        let lines = self.reader.lines(event);
        if !lines.is_empty() {
            self.end_question(true)?;
        }
        for line in lines {
            self.line(&line)?;
        }
        self.out.flush()?;
        if matches!(event.kind, EventKind::RunFinished { .. })
            && let Some(table) = self.times.table(self.aside_colours)
        {
            self.note(&format!("\n{table}"));
        }
        Ok(())
    }

    fn ask(&mut self, query: &str) -> io::Result<()> {
        self.asking = true;
        write!(self.out, "{query} ")?;
        self.out.flush()
    }

    fn answered(&mut self, newline: bool) -> io::Result<()> {
        self.end_question(newline)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
