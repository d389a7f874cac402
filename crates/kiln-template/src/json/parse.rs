//! JSON text to a [`Value`] in which every key and value knows its place.
//!
//! Accepts exactly what Go's `encoding/json` accepts (text that is not UTF-8 and lone surrogates inside strings
//! become U+FFFD) and breaks off with its words. Duplicate keys are noted, not refused: whether they are a fault is
//! the template's business.

use std::borrow::Cow;
use std::sync::Arc;

use kiln_core::span::{Source, Span};
use kiln_core::value::{Entry, Kind, Number, Object, Value};

use super::syntax::{SyntaxError, quote_byte};

/// Deeper nesting is refused. Go's own limit is 10,000; no template comes near ours, and ours keeps every recursive
/// walk over values far from the end of the stack.
const MOST_NESTED: usize = 256;

/// A text that was parsed.
#[derive(Debug)]
pub struct Parsed {
    /// The whole value.
    pub value: Value,
    /// Keys given more than once in one object, in the order of the text.
    pub duplicates: Vec<Duplicate>,
}

/// A key given once more in the same object.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate {
    /// The key.
    pub key: String,
    /// Where it stood first.
    pub first: Span,
    /// Where it stands again.
    pub again: Span,
}

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq)]
pub enum ParseError {
    /// It is not JSON.
    Syntax(SyntaxError, Span),
    /// It holds a number that no float can hold.
    Number(String, Span),
}

/// Returns `bytes` as text: each byte that is no UTF-8 becomes U+FFFD, as in Go.
pub fn to_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

/// Parses `bytes`, of which `source` holds the text (see [`to_text`]). The whole text must be one value.
pub fn parse(bytes: &[u8], source: &Arc<Source>) -> Result<Parsed, ParseError> {
    let (value, duplicates, mut parser) = parse_value(bytes, source)?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(Parsed { value, duplicates }),
        Some(_) => {
            let hint = "the text goes on after the template's last bracket";
            Err(parser.unexpected("after top-level value", Some(hint)))
        }
    }
}

/// Parses the first value of `bytes` and ignores what follows it, as Go does when it reads a stream.
pub fn parse_first(bytes: &[u8], source: &Arc<Source>) -> Result<Parsed, ParseError> {
    parse_value(bytes, source).map(|(value, duplicates, _)| Parsed { value, duplicates })
}

fn parse_value<'a>(
    bytes: &'a [u8],
    source: &'a Arc<Source>,
) -> Result<(Value, Vec<Duplicate>, Parser<'a>), ParseError> {
    let mut parser = Parser { bytes, source, at: 0, grown: 0, open: Vec::new(), duplicates: Vec::new() };
    parser.skip_space();
    let value = parser.value()?;
    let duplicates = std::mem::take(&mut parser.duplicates);
    Ok((value, duplicates, parser))
}

struct Parser<'a> {
    bytes: &'a [u8],
    source: &'a Arc<Source>,
    /// The next byte.
    at: usize,
    /// By how many bytes the text before `at` is longer than the bytes: spans count in the text.
    grown: usize,
    /// Where the brackets stand that are still open, in the text.
    open: Vec<usize>,
    duplicates: Vec<Duplicate>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Where in the text the next byte is.
    fn place(&self) -> usize {
        self.at + self.grown
    }

    fn span_from(&self, start: usize) -> Span {
        Span::new(self.source, start, self.place())
    }

    /// The failure at the next byte, or at the end.
    fn unexpected(&self, context: &str, hint: Option<&'static str>) -> ParseError {
        let (message, offset, hint) = match self.peek() {
            Some(byte) => (format!("invalid character {} {context}", quote_byte(byte)), self.at + 1, hint),
            None => ("unexpected end of JSON input".to_owned(), self.bytes.len(), None),
        };
        let hint =
            hint.or_else(|| self.hint()).map_or_else(|| self.never_closed(), |hint| Some(hint.to_owned()));
        let span = Span::new(self.source, self.place(), (self.place() + 1).min(self.source.text.len()));
        ParseError::Syntax(SyntaxError { message, offset, hint }, span)
    }

    /// At the end of the text: the innermost bracket that is still open.
    fn never_closed(&self) -> Option<String> {
        let open = *self.open.last().filter(|_| self.at >= self.bytes.len())?;
        let bracket = Span::new(self.source, open, open + 1);
        Some(format!("the `{}` at {bracket} is never closed", bracket.text()))
    }

    /// What the next bytes say about the mistake.
    fn hint(&self) -> Option<&'static str> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let before = self.bytes[..self.at.min(self.bytes.len())].trim_ascii_end();
        match rest.first()? {
            _ if rest.starts_with(b"\xef\xbb\xbf") => Some("save the file without a byte order mark"),
            _ if rest.starts_with(b"\xff\xfe") || rest.starts_with(b"\xfe\xff") => {
                Some("save the file as UTF-8")
            }
            b'/' | b'#' => {
                Some("JSON has no comments; a key of the root object that starts with `_` may hold one")
            }
            b'\'' => Some("JSON quotes with \" only"),
            b'}' | b']' if before.ends_with(b",") => Some("remove the comma before it"),
            b'}' | b']' => Some("a value is missing, or a bracket too many"),
            b'{' if before.ends_with(b"}") => Some("a comma is missing before it"),
            b'\n' | b'\r' | b'\t' => Some("inside a string, write \\n, \\r and \\t"),
            b'a'..=b'z' | b'A'..=b'Z' if before.is_empty() => {
                Some("this does not look like JSON; the name of an HCL2 template ends in `.pkr.hcl`")
            }
            _ => None,
        }
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        let start = self.place();
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Kind::String(self.string()?),
            Some(b't') => self.word("true").map(|()| Kind::Bool(true))?,
            Some(b'f') => self.word("false").map(|()| Kind::Bool(false))?,
            Some(b'n') => self.word("null").map(|()| Kind::Null)?,
            Some(b'-' | b'0'..=b'9') => Kind::Number(self.number()?),
            _ => return Err(self.unexpected("looking for beginning of value", None)),
        };
        Ok(Value::from(kind).at(self.span_from(start)))
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Result<Kind, ParseError>) -> Result<Kind, ParseError> {
        self.open.push(self.place());
        self.at += 1;
        if self.open.len() > MOST_NESTED {
            let error = SyntaxError { message: "exceeded max depth".to_owned(), offset: self.at, hint: None };
            return Err(ParseError::Syntax(error, self.span_from(self.place() - 1)));
        }
        let kind = parse(self)?;
        self.open.pop();
        Ok(kind)
    }

    fn object(&mut self) -> Result<Kind, ParseError> {
        let mut object = Object::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Kind::Object(object));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string", None));
            }
            let start = self.place();
            let key = self.string()?;
            let key_span = self.span_from(start);
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key", Some("a colon is missing before it")));
            }
            self.at += 1;
            self.skip_space();
            let value = self.value()?;
            if let Some(Entry { key_span: Some(first), .. }) = object.get(&key) {
                let (first, again) = (first.clone(), key_span.clone());
                self.duplicates.push(Duplicate { key: key.clone(), first, again });
            }
            object.insert(key, Entry { key_span: Some(key_span), value });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Kind::Object(object));
                }
                Some(b'"') => {
                    let hint = Some("a comma is missing before it");
                    return Err(self.unexpected("after object key:value pair", hint));
                }
                _ => return Err(self.unexpected("after object key:value pair", None)),
            }
        }
    }

    fn list(&mut self) -> Result<Kind, ParseError> {
        let mut list = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Kind::List(list));
        }
        loop {
            self.skip_space();
            list.push(self.value()?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Kind::List(list));
                }
                Some(b'"' | b'[' | b'{') => {
                    return Err(self.unexpected("after array element", Some("a comma is missing before it")));
                }
                _ => return Err(self.unexpected("after array element", None)),
            }
        }
    }

    fn word(&mut self, word: &str) -> Result<(), ParseError> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let context = format!("in literal {word} (expecting {})", quote_byte(expected));
                return Err(self.unexpected(&context, None));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Number, ParseError> {
        let start = self.at;
        let place = self.place();
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            // A digit after a leading zero is no part of the number: whoever comes next complains.
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("in numeric literal", None)),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("after decimal point in numeric literal", None));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("in exponent of numeric literal", None));
            }
            self.digits();
        }
        let text: String = self.bytes[start..self.at].iter().map(|byte| char::from(*byte)).collect();
        let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
        match Number::parse(&text) {
            Some(number) if finite => Ok(number),
            _ => Err(ParseError::Number(text, self.span_from(place))),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// The string at the next byte, which is its quote.
    fn string(&mut self) -> Result<String, ParseError> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(byte) if byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            let run = &self.bytes[start..self.at];
            let run_text = to_text(run);
            self.grown += run_text.len() - run.len();
            text.push_str(&run_text);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(self.unexpected("in string literal", None)),
            }
        }
    }

    /// The character an escape denotes; the backslash is read.
    fn escape(&mut self) -> Result<char, ParseError> {
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.unexpected("in string escape code", Some("write a backslash as \\\\"))),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, ParseError> {
        let unit = self.four_hex_digits()?;
        if let Some(character) = char::from_u32(unit) {
            return Ok(character);
        }
        // Half of a pair. The other half must follow; if it does not, what follows stands for itself.
        let after = self.at;
        if (0xd800..0xdc00).contains(&unit) && self.bytes[after..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.four_hex_digits()?;
            if (0xdc00..0xe000).contains(&low) {
                let character = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
                return Ok(character.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn four_hex_digits(&mut self) -> Result<u32, ParseError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("in \\u hexadecimal character escape", None));
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
