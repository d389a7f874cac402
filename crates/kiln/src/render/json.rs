//! One event a line, as it is: for programs that want more than Packer's lines.

use std::io::{self, Write};

use kiln_core::event::Event;

use super::Renderer;

/// Writes JSON lines to `out`.
pub struct Json<O> {
    out: O,
}

impl<O: Write + Send> Json<O> {
    /// Returns a renderer.
    pub fn new(out: O) -> Json<O> {
        Json { out }
    }
}

impl<O: Write + Send> Renderer for Json<O> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, event)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
