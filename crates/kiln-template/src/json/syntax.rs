//! Where JSON breaks, in the words of Go's `encoding/json` and the excerpt Packer draws.

use std::fmt::Write as _;

/// A break of JSON's grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Go's words: `invalid character '}' looking for beginning of value`.
    pub message: String,
    /// How many bytes were read, the offending one included.
    pub offset: usize,
    /// What to do about it, where that can be told.
    pub hint: Option<String>,
}

impl SyntaxError {
    /// Returns the message with place and excerpt, as Packer prints it below `Error parsing JSON: `.
    pub fn placed(&self, text: &[u8]) -> String {
        let (line, column, excerpt) = highlight(text, self.offset);
        format!("{}\nAt line {line}, column {column} (offset {}):\n{excerpt}", self.message, self.offset)
    }
}

/// Returns line, column and excerpt of the place `offset` bytes into `text`: the line before it and its own line up
/// to it, with a caret. The column counts the bytes read of the first line, but is one more on all others: an old
/// slip of Packer's that people's editors have learnt.
fn highlight(text: &[u8], offset: usize) -> (usize, usize, String) {
    let read = &text[..offset.min(text.len())];
    let mut lines: Vec<&[u8]> = read.split(|byte| *byte == b'\n').collect();
    let this = lines.pop().unwrap_or_default();
    let line = lines.len() + 1;
    let column = if line == 1 { this.len() } else { this.len() + 1 };
    let mut excerpt = String::new();
    let mut show = |number: usize, text: &[u8]| {
        let _ = writeln!(excerpt, "{number:5}: {}", String::from_utf8_lossy(text));
    };
    if let Some(before) = lines.last() {
        show(line - 1, before);
    }
    show(line, this);
    let _ = writeln!(excerpt, "{}^", " ".repeat(column + 5));
    (line, column, excerpt)
}

/// Returns a byte as Go quotes it in `invalid character '…'`. Go takes bytes for Latin-1 characters there.
pub fn quote_byte(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => r#"'"'"#.to_owned(),
        b'\\' => r"'\\'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0x00..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
        // Unprintable: the C1 controls, the no-break space, the soft hyphen.
        0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excerpt_is_packers() {
        let at = |text: &str, offset| highlight(text.as_bytes(), offset);
        assert_eq!(at("{} {}", 4), (1, 4, "    1: {} {\n         ^\n".into()));
        assert_eq!(at("", 0), (1, 0, "    1: \n     ^\n".into()));
        let text = "{\n  \"builders\": [\n    {\"type\": \"null\",\n     \"x\" 1}\n  ]\n}\n";
        let excerpt = "    3:     {\"type\": \"null\",\n    4:      \"x\" 1\n                ^\n";
        assert_eq!(at(text, 49), (4, 11, excerpt.into()));
    }

    #[test]
    fn bytes_are_quoted_as_go_quotes_them() {
        for (byte, quoted) in [
            (b'}', "'}'"),
            (b'\'', r"'\''"),
            (b'\n', r"'\n'"),
            (0, r"'\x00'"),
            (0xef, "'ï'"),
            (0x80, r"'\u0080'"),
        ] {
            assert_eq!(quote_byte(byte), quoted);
        }
    }
}
