//! Where a piece of text came from.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// A text that was read: a template, a variables file, a command-line value.
#[derive(Debug)]
pub struct Source {
    /// How the user named it: a path, `<stdin>`, `-var`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where its lines begin, once somebody asked: each fault of a large template has a place.
    lines: OnceLock<Vec<usize>>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Source {}

impl Source {
    /// Returns a shared source.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into(), lines: OnceLock::new() })
    }

    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let feeds = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(feeds).collect()
        })
    }
}

/// A range of bytes in a [`Source`].
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    /// The text the range lies in.
    pub source: Arc<Source>,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A place a person can find: both numbers count from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Span {
    /// Returns the span of `start..end` in `source`.
    pub fn new(source: &Arc<Source>, start: usize, end: usize) -> Span {
        Span { source: Arc::clone(source), start, end }
    }

    /// Returns where the span begins.
    pub fn position(&self) -> Position {
        let start = self.floor(self.start);
        let lines = self.source.lines();
        let line = lines.partition_point(|begin| *begin <= start);
        let begin = lines.get(line - 1).copied().unwrap_or_default();
        Position { line, column: self.source.text[begin..start].chars().count() + 1 }
    }

    /// Returns the text the span covers.
    pub fn text(&self) -> &str {
        &self.source.text[self.floor(self.start)..self.floor(self.end)]
    }

    /// Spans made by a foreign parser may point into the middle of a character.
    fn floor(&self, at: usize) -> usize {
        self.source.text.floor_char_boundary(at)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position();
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
