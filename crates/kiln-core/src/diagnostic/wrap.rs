//! Wrapping text where Packer wraps it.

/// Returns `text` with lines broken at white space so that none is wider than `width`, unless a single word is.
/// Line breaks and inner white space stay as they are.
pub(super) fn wrap(text: &str, width: usize) -> String {
    text.split('\n').map(|line| wrap_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut column = 0;
    let mut rest = line;
    while !rest.is_empty() {
        let (spaces, word, after) = next_word(rest);
        let (indent, length) = (spaces.chars().count(), word.chars().count());
        // A word as wide as the whole text is broken off only if some of it would have fitted on a line.
        if !word.is_empty() && column + indent + length.min(width.saturating_sub(1)) > width {
            out.push('\n');
            column = 0;
        } else if !word.is_empty() || column + indent <= width {
            out.push_str(spaces);
            column += indent;
        }
        out.push_str(word);
        column += length;
        rest = after;
    }
    out
}

/// Returns the white space at the beginning of `text`, the word behind it, and what remains.
fn next_word(text: &str) -> (&str, &str, &str) {
    let is_space = |c: char| c.is_whitespace() && c != '\u{a0}';
    let word = text.find(|c| !is_space(c)).unwrap_or(text.len());
    let end = text[word..].find(is_space).map_or(text.len(), |length| word + length);
    (&text[..word], &text[word..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_where_packer_breaks_them() {
        for (text, expected) in [
            ("short", "short"),
            ("a b\n\n  c", "a b\n\n  c"),
            ("12345 789 12", "12345 789\n12"),
            ("1234567890123 5", "1234567890123\n5"),
            ("a 1234567890123", "a\n1234567890123"),
            ("end   ", "end   "),
            ("123456789   ", "123456789"),
            ("", ""),
        ] {
            assert_eq!(wrap(text, 10), expected, "{text:?}");
        }
        assert_eq!(
            wrap(
                "* 'Inline[0]' expected type 'string', got unconvertible type 'map[interface {}]interface {}', value: 'map[a:1]'",
                80
            ),
            "* 'Inline[0]' expected type 'string', got unconvertible type 'map[interface\n{}]interface {}', value: 'map[a:1]'"
        );
    }
}
