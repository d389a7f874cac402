//! Packer's lines for programs: `TIME,TARGET,TYPE,DATA…`.

use std::io::{self, Write};

use kiln_core::event::Event;

use super::Renderer;
use super::packer::{Level, Line, Reader};

/// Writes one line a call to `out`, and what is not Packer's to `aside`.
pub struct Machine<O, A> {
    reader: Reader,
    out: O,
    aside: A,
}

impl<O: Write + Send, A: Write + Send> Machine<O, A> {
    /// Returns a renderer.
    pub fn new(reader: Reader, out: O, aside: A) -> Machine<O, A> {
        Machine { reader, out, aside }
    }
}

/// Returns one line without its line end.
pub fn line(target: &str, kind: &str, data: &[&str]) -> String {
    let mut line = format!("{},{target},{kind}", jiff::Timestamp::now().as_second());
    for datum in data {
        line.push(',');
        // Commas, carriage returns and line feeds only: backslashes stay, as in Packer.
        line.push_str(&datum.replace(',', "%!(PACKER_COMMA)").replace('\r', "\\r").replace('\n', "\\n"));
    }
    line
}

/// Returns the word for a level.
pub fn word(level: Level) -> &'static str {
    match level {
        Level::Say => "say",
        Level::Error => "error",
    }
}

impl<O: Write + Send, A: Write + Send> Renderer for Machine<O, A> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        for read in self.reader.lines(event) {
            match read {
                Line::Text { level, text, .. } => {
                    writeln!(self.out, "{}", line("", "ui", &[word(level), &text]))?
                }
                Line::Human { .. } => {}
                Line::Machine { target, kind, data } => {
                    let data: Vec<&str> = data.iter().map(String::as_str).collect();
                    writeln!(self.out, "{}", line(&target, kind, &data))?;
                }
                Line::Aside(text) => {
                    // Losing standard error must not end a build.
                    let _ = writeln!(self.aside, "{text}");
                }
            }
        }
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
