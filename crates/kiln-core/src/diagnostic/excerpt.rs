//! A line of a source, with the part that matters underlined.

use std::borrow::Cow;
use std::ops::Range;

use crate::span::Span;

/// An excerpt is at most so wide; of a longer line the part around the span is shown.
const WIDEST: usize = 100;
/// A tab is shown as so many spaces, wherever it stands.
const TAB: &str = "    ";
/// Words that make the text behind them a secret.
const SECRET_WORDS: [&str; 6] = ["password", "passphrase", "secret", "token", "private_key", "access_key"];
/// Of a line so long that nobody wrote it by hand, so many bytes around the span's beginning are looked at: a template
/// of one line would otherwise be read from end to end for each of its faults. Before it, enough to see the key that a
/// private key is given to.
const LOOKED_BACK: usize = 8192;
const LOOKED_AHEAD: usize = 1024;

/// Returns the excerpt: place, line, underline; without a line break at its end.
pub(super) fn excerpt(span: &Span) -> String {
    let position = span.position();
    let line = Line::of(span);
    let gutter = position.line.to_string();
    let blank = " ".repeat(gutter.len());
    let (shown, from, width) = line.shown();
    let underline = format!("{}{}", " ".repeat(from), "^".repeat(width));
    format!("{blank}--> {span}\n{blank} |\n{gutter} | {shown}\n{blank} | {underline}")
}

/// Returns the line without what must not be shown, in its own width: texts given to keys that are called after
/// secrets. Templates that merely refer to a value are left.
pub(super) fn veiled(line: &str) -> Cow<'_, str> {
    let lower = line.to_ascii_lowercase();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for word in SECRET_WORDS {
        for (at, _) in lower.match_indices(word) {
            ranges.extend(text_given(line, at + word.len()));
        }
    }
    if ranges.is_empty() {
        return Cow::Borrowed(line);
    }
    ranges.sort_by_key(|range| range.start);
    let mut out = String::with_capacity(line.len());
    let mut shown = 0;
    for Range { start, end } in ranges {
        // Two words in one key name the same text.
        let start = start.max(shown);
        let end = end.max(start);
        out.push_str(&line[shown..start]);
        out.extend(line[start..end].chars().map(|_| '*'));
        shown = end;
    }
    out.push_str(&line[shown..]);
    Cow::Owned(out)
}

/// Returns where the quoted text stands that the key ending around `at` is given.
fn text_given(line: &str, at: usize) -> Option<Range<usize>> {
    let after_key = line[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_')? + at;
    if line[..after_key].ends_with("_file") {
        // A path is no secret, and the first thing to check when the file is not found.
        return None;
    }
    let separator = line[after_key..].trim_start_matches('"').trim_start();
    let value = separator.strip_prefix([':', '='])?.trim_start().strip_prefix('"')?;
    if value.starts_with("{{") || value.starts_with("${") {
        return None;
    }
    let start = line.len() - value.len();
    let mut escaped = false;
    let end = value.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(start..start + end.unwrap_or(value.len()))
}

/// One line and the part of it that a span covers, in bytes.
struct Line<'a> {
    text: Cow<'a, str>,
    start: usize,
    end: usize,
}

impl<'a> Line<'a> {
    fn of(span: &'a Span) -> Line<'a> {
        let whole = span.source.text.as_str();
        let at = whole.floor_char_boundary(span.start);
        let first = whole.floor_char_boundary(at.saturating_sub(LOOKED_BACK));
        let last = whole.floor_char_boundary(at + LOOKED_AHEAD);
        let begin = whole[first..at].rfind('\n').map_or(first, |newline| first + newline + 1);
        let end = whole[at..last].find('\n').map_or(last, |newline| at + newline);
        let text = whole[begin..end].trim_end_matches('\r');
        let clip = |offset: usize| whole.floor_char_boundary(offset).clamp(begin, begin + text.len()) - begin;
        let veiled = veiled(text);
        // Asterisks may be shorter than what they stand for; columns are counted in characters.
        let moved = |offset: usize| {
            let characters = text[..offset].chars().count();
            veiled.char_indices().nth(characters).map_or(veiled.len(), |(at, _)| at)
        };
        let (start, end) = (moved(clip(span.start)), moved(clip(span.end)));
        Line { text: veiled, start, end }
    }

    /// Returns the line as it is shown, the column of the span in it, and the span's width (at least one).
    fn shown(&self) -> (String, usize, usize) {
        let before = printed(&self.text[..self.start]);
        let within = printed(&self.text[self.start..self.end]);
        let after = printed(&self.text[self.end..]);
        let (left, middle) = (columns(&before), columns(&within).max(1));
        if left + middle + columns(&after) <= WIDEST {
            return (format!("{before}{within}{after}").trim_end().to_owned(), left, middle);
        }
        let cut = middle > WIDEST / 2;
        let within = if cut { first_columns(&within, WIDEST / 2) } else { within };
        let middle = columns(&within).max(1);
        let before = match left + middle > WIDEST * 3 / 4 {
            true => format!("…{}", last_columns(&before, WIDEST / 4)),
            false => before,
        };
        let left = columns(&before);
        let room = WIDEST.saturating_sub(left + middle);
        let after = match columns(&after) > room {
            // What follows a part that is not shown to its end would read as the part's own.
            _ if cut => "…".to_owned(),
            true => format!("{}…", first_columns(&after, room)),
            false => after,
        };
        (format!("{before}{within}{after}").trim_end().to_owned(), left, middle)
    }
}

/// A source may hold anything; a terminal must not obey it.
fn printed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push_str(TAB),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Returns how many columns of a terminal a character takes: none for marks on the character before, two for East
/// Asian characters and pictures.
fn width(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036F | 0x200B..=0x200F | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F => 0,
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF => 2,
        0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F | 0x1F680..=0x1F6FF => 2,
        0x1F900..=0x1F9FF | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

fn first_columns(text: &str, most: usize) -> String {
    let mut taken = 0;
    let fits = |character: &char| {
        taken += width(*character);
        taken <= most
    };
    text.chars().take_while(fits).collect()
}

fn last_columns(text: &str, most: usize) -> String {
    let reversed: String = text.chars().rev().collect();
    first_columns(&reversed, most).chars().rev().collect()
}
