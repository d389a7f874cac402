//! `strftime`: C's letters for Go's layouts.

use jiff::Timestamp;

use super::go_time;

/// The letters Packer knows, with what they stand for in Go.
const LETTERS: [(char, &str); 17] = [
    ('A', "Monday"),
    ('a', "Mon"),
    ('B', "January"),
    ('b', "Jan"),
    ('d', "02"),
    ('H', "15"),
    ('I', "03"),
    ('L', ".000"),
    ('M', "04"),
    ('m', "01"),
    ('p', "PM"),
    ('S', "05"),
    ('Y', "2006"),
    ('y', "06"),
    ('Z', "MST"),
    ('z', "-0700"),
    ('%', "%"),
];

/// Returns `instant` in the form `format` asks for; letters nobody knows are kept.
pub(super) fn strftime(format: &str, instant: Timestamp) -> String {
    let mut out = String::with_capacity(format.len() + 10);
    let mut rest = format.chars();
    while let Some(character) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let Some(letter) = rest.next() else {
            out.push('%');
            break;
        };
        match LETTERS.iter().find(|(known, _)| *known == letter) {
            Some((_, layout)) => out.push_str(&go_time::format(layout, instant)),
            None => out.extend(['%', letter]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_replaced_and_others_are_kept() {
        let instant: Timestamp = "2026-11-09T00:53:02.12Z".parse().unwrap();
        for (format, expected) in [
            ("%Y-%m-%d %H:%M:%S", "2026-11-09 00:53:02"),
            ("%A %a %B %b %y %I%p", "Monday Mon November Nov 26 12AM"),
            ("%Z %z %L %%", "UTC +0000 .120 %"),
            ("%q 2006 100%", "%q 2006 100%"),
        ] {
            assert_eq!(strftime(format, instant), expected, "{format}");
        }
    }
}
