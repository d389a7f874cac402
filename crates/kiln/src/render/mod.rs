//! Turns events into what a person or a program reads. Nobody else prints.
//!
//! `packer` reads an event into the lines Packer has for it; `human` and `machine` are two ways to write such lines;
//! `json` writes the events themselves; `live` adds progress on a terminal; `times` gathers the closing table.
//! One task owns the renderer ([`desk`]), so no two lines ever mix.

pub mod desk;
pub mod diagnostics;
pub mod durations;
pub mod human;
pub mod json;
pub mod live;
pub mod machine;
pub mod packer;
pub mod times;

#[cfg(test)]
mod tests;

use std::io;

use kiln_core::event::Event;

/// One way to show events.
pub trait Renderer: Send {
    /// Shows a fact or a progress.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Time has passed: redraw what moves.
    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Shows a question; the answer comes from elsewhere. Until [`Renderer::answered`] nothing is redrawn.
    fn ask(&mut self, query: &str) -> io::Result<()> {
        let _ = query;
        Ok(())
    }

    /// The question is over; `newline`: no line end was typed.
    fn answered(&mut self, newline: bool) -> io::Result<()> {
        let _ = newline;
        Ok(())
    }

    /// Everything has been shown.
    fn finish(&mut self) -> io::Result<()>;
}

/// How the user wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Packer's lines.
    #[default]
    Human,
    /// Packer's comma-separated lines.
    Machine,
    /// One event a line.
    Json,
}
