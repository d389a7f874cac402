//! Times as Go writes them: a layout is the reference time, Mon Jan 2 15:04:05 MST 2006, in the wanted form.
//! All times are UTC, as in Packer.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Go's `time.RFC3339`.
pub(super) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

#[derive(Debug, Clone, Copy)]
enum Token {
    MonthName,
    MonthShort,
    Month2,
    Month,
    DayName,
    DayShort,
    Day2,
    DaySpaced,
    Day,
    YearDay3,
    YearDaySpaced,
    Year,
    UnderscoreYear,
    YearShort,
    Hour,
    HalfHour2,
    HalfHour,
    Minute2,
    Minute,
    Second2,
    Second,
    Half,
    HalfLower,
    /// Always the same in UTC.
    Fixed(&'static str),
}

/// Tokens by their text. The first that fits is taken, so what contains another stands before it.
const TOKENS: &[(&str, Token)] = &[
    ("January", Token::MonthName),
    ("Jan", Token::MonthShort),
    ("Monday", Token::DayName),
    ("Mon", Token::DayShort),
    ("MST", Token::Fixed("UTC")),
    ("2006", Token::Year),
    ("2", Token::Day),
    ("__2", Token::YearDaySpaced),
    ("_2006", Token::UnderscoreYear),
    ("_2", Token::DaySpaced),
    ("002", Token::YearDay3),
    ("01", Token::Month2),
    ("02", Token::Day2),
    ("03", Token::HalfHour2),
    ("04", Token::Minute2),
    ("05", Token::Second2),
    ("06", Token::YearShort),
    ("15", Token::Hour),
    ("1", Token::Month),
    ("3", Token::HalfHour),
    ("4", Token::Minute),
    ("5", Token::Second),
    ("PM", Token::Half),
    ("pm", Token::HalfLower),
    ("-07:00:00", Token::Fixed("+00:00:00")),
    ("-070000", Token::Fixed("+000000")),
    ("-07:00", Token::Fixed("+00:00")),
    ("-0700", Token::Fixed("+0000")),
    ("-07", Token::Fixed("+00")),
    ("Z07:00:00", Token::Fixed("Z")),
    ("Z070000", Token::Fixed("Z")),
    ("Z07:00", Token::Fixed("Z")),
    ("Z0700", Token::Fixed("Z")),
    ("Z07", Token::Fixed("Z")),
];

/// Returns `instant` in Go's `layout`.
pub(super) fn format(layout: &str, instant: Timestamp) -> String {
    let time = TimeZone::UTC.to_datetime(instant);
    let mut out = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        if let Some((digits, trimmed)) = fraction(rest) {
            write_fraction(&mut out, first, digits, trimmed, time);
            rest = &rest[1 + digits..];
        } else if let Some((text, token)) = TOKENS.iter().find(|(text, _)| fits(rest, text)) {
            write_token(&mut out, *token, time);
            rest = &rest[text.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn fits(rest: &str, token: &str) -> bool {
    // `Month` is a word, not `Mon` and `th`.
    let is_word = |after: &str| after.starts_with(|c: char| c.is_ascii_lowercase());
    rest.strip_prefix(token).is_some_and(|after| !matches!(token, "Jan" | "Mon") || !is_word(after))
}

/// Returns how many digits a fraction of seconds has (`.000`, `,999`), and whether its final zeros are dropped.
fn fraction(rest: &str) -> Option<(usize, bool)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let kind = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let after = digits.trim_start_matches(kind);
    (!after.starts_with(|c: char| c.is_ascii_digit())).then_some((digits.len() - after.len(), kind == '9'))
}

fn write_fraction(out: &mut String, separator: char, digits: usize, trimmed: bool, time: DateTime) {
    let all = format!("{:09}", time.subsec_nanosecond());
    let mut shown = &all[..digits.min(all.len())];
    if trimmed {
        shown = shown.trim_end_matches('0');
    }
    if !(trimmed && shown.is_empty()) {
        out.push(separator);
        out.push_str(shown);
    }
}

fn write_token(out: &mut String, token: Token, time: DateTime) {
    let hour = time.hour();
    let half_hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    let afternoon = hour >= 12;
    // Writing to a String cannot fail.
    let _ = match token {
        Token::MonthName => write!(out, "{}", month_name(time)),
        Token::MonthShort => write!(out, "{}", &month_name(time)[..3]),
        Token::Month2 => write!(out, "{:02}", time.month()),
        Token::Month => write!(out, "{}", time.month()),
        Token::DayName => write!(out, "{}", day_name(time)),
        Token::DayShort => write!(out, "{}", &day_name(time)[..3]),
        Token::Day2 => write!(out, "{:02}", time.day()),
        Token::DaySpaced => write!(out, "{:>2}", time.day()),
        Token::Day => write!(out, "{}", time.day()),
        Token::YearDay3 => write!(out, "{:03}", time.date().day_of_year()),
        Token::YearDaySpaced => write!(out, "{:>3}", time.date().day_of_year()),
        Token::Year => write!(out, "{:04}", time.year()),
        Token::UnderscoreYear => write!(out, "_{:04}", time.year()),
        Token::YearShort => write!(out, "{:02}", time.year().rem_euclid(100)),
        Token::Hour => write!(out, "{hour:02}"),
        Token::HalfHour2 => write!(out, "{half_hour:02}"),
        Token::HalfHour => write!(out, "{half_hour}"),
        Token::Minute2 => write!(out, "{:02}", time.minute()),
        Token::Minute => write!(out, "{}", time.minute()),
        Token::Second2 => write!(out, "{:02}", time.second()),
        Token::Second => write!(out, "{}", time.second()),
        Token::Half => write!(out, "{}", if afternoon { "PM" } else { "AM" }),
        Token::HalfLower => write!(out, "{}", if afternoon { "pm" } else { "am" }),
        Token::Fixed(text) => write!(out, "{text}"),
    };
}

fn month_name(time: DateTime) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    NAMES[usize::from(time.month().unsigned_abs()) - 1]
}

fn day_name(time: DateTime) -> &'static str {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    NAMES[usize::from(time.weekday().to_monday_zero_offset().unsigned_abs())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_give_what_go_gives() {
        let reference: Timestamp = "2006-01-02T15:04:05Z".parse().unwrap();
        let other: Timestamp = "2026-11-09T00:53:02.12034Z".parse().unwrap();
        for (layout, of_reference, of_other) in [
            (RFC3339, "2006-01-02T15:04:05Z", "2026-11-09T00:53:02Z"),
            ("06-01-02", "06-01-02", "26-11-09"),
            ("Jan 2, 2006", "Jan 2, 2006", "Nov 9, 2026"),
            ("20060102150405", "20060102150405", "20261109005302"),
            (
                "Monday, 02-Jan-06 15:04:05 MST",
                "Monday, 02-Jan-06 15:04:05 UTC",
                "Monday, 09-Nov-26 00:53:02 UTC",
            ),
            ("3:04PM", "3:04PM", "12:53AM"),
            ("03:4:5pm", "03:4:5pm", "12:53:2am"),
            ("_2/1 002 __2", " 2/1 002   2", " 9/11 313 313"),
            ("-0700 -07:00 -07 Z0700 Z07:00", "+0000 +00:00 +00 Z Z", "+0000 +00:00 +00 Z Z"),
            ("05.000 05.999 05,00", "05.000 05 05,00", "02.120 02.12 02,12"),
            ("Month January Janus", "Month January Janus", "Month November Janus"),
            ("a_2006", "a_2006", "a_2026"),
            ("x", "x", "x"),
            ("", "", ""),
        ] {
            assert_eq!(format(layout, reference), of_reference, "{layout}");
            assert_eq!(format(layout, other), of_other, "{layout}");
        }
    }
}
