//! Durations in Packer's words.

use std::time::Duration;

const UNITS: [(u64, &str); 8] = [
    (365 * 86_400_000_000, "year"),
    (7 * 86_400_000_000, "week"),
    (86_400_000_000, "day"),
    (3_600_000_000, "hour"),
    (60_000_000, "minute"),
    (1_000_000, "second"),
    (1_000, "millisecond"),
    (1, "microsecond"),
];

/// Returns the first two units of `duration` that are not zero: `5 seconds 10 milliseconds`; nothing for zero.
pub fn wording(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut words = Vec::new();
    for (size, name) in UNITS {
        let count = rest / size;
        rest %= size;
        match count {
            0 => {}
            1 => words.push(format!("1 {name}")),
            _ => words.push(format!("{count} {name}s")),
        }
    }
    words.truncate(2);
    words.join(" ")
}

/// Returns `duration` for a narrow column: `4ms`, `31.2s`, `1m32s`, `1h02m`.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        _ if seconds < 0.9995 => format!("{:.0}ms", seconds * 1000.0),
        _ if seconds < 59.95 => format!("{seconds:.1}s"),
        _ => {
            let whole = seconds.round() as u64;
            match whole / 3600 {
                0 => format!("{}m{:02}s", whole / 60, whole % 60),
                hours => format!("{hours}h{:02}m", whole / 60 % 60),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_worded_as_packer_does() {
        for (micros, words) in [
            (5_010_000, "5 seconds 10 milliseconds"),
            (1_000_000, "1 second"),
            (61_000_001, "1 minute 1 second"),
            (3_600_000_000 + 5, "1 hour 5 microseconds"),
            (8 * 86_400_000_000, "1 week 1 day"),
            (366 * 86_400_000_000, "1 year 1 day"),
            (999, "999 microseconds"),
            (0, ""),
        ] {
            assert_eq!(wording(Duration::from_micros(micros)), words);
        }
    }

    #[test]
    fn short_durations_fit_a_column() {
        for (millis, text) in [
            (4, "4ms"),
            (999, "999ms"),
            (31_240, "31.2s"),
            (59_990, "1m00s"),
            (92_000, "1m32s"),
            (3_725_000, "1h02m"),
        ] {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
    }
}
