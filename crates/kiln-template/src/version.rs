//! Versions as `min_packer_version` writes them.

use std::cmp::Ordering;
use std::fmt;

/// A version: numbers and perhaps a pre-release (`1.7.0-beta1`). Build metadata is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    numbers: Vec<u64>,
    pre_release: String,
}

impl Version {
    /// Returns the version `text` denotes. Missing numbers are zero: `1.7` is `1.7.0`.
    pub fn parse(text: &str) -> Result<Version, String> {
        let malformed = || format!("malformed version: {text}");
        let bare = text.strip_prefix('v').unwrap_or(text);
        let bare = bare.split_once('+').map_or(bare, |(bare, _)| bare);
        let (numbers, pre_release) = bare.split_once('-').unwrap_or((bare, ""));
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '~');
        if !pre_release.chars().all(word) || (pre_release.is_empty() && bare.contains('-')) {
            return Err(malformed());
        }
        let numbers: Result<Vec<u64>, _> = numbers.split('.').map(str::parse).collect();
        let mut numbers = numbers.map_err(|_| malformed())?;
        numbers.resize(numbers.len().max(3), 0);
        Ok(Version { numbers, pre_release: pre_release.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.numbers.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))?;
        match self.pre_release.as_str() {
            "" => Ok(()),
            pre_release => write!(f, "-{pre_release}"),
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let padded = |version: &Version| {
            let mut numbers = version.numbers.clone();
            numbers.resize(length, 0);
            numbers
        };
        padded(self).cmp(&padded(other)).then_with(|| {
            match (self.pre_release.is_empty(), other.pre_release.is_empty()) {
                (true, true) => Ordering::Equal,
                // A release comes after its pre-releases.
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => pre_release_order(&self.pre_release, &other.pre_release),
            }
        })
    }
}

/// Part by part: numbers as numbers and before words, and what is longer comes later.
fn pre_release_order(one: &str, other: &str) -> Ordering {
    let key = |part: &str| (part.parse::<u64>().map_or((1, 0), |number| (0, number)), part.to_owned());
    one.split('.').map(key).cmp(other.split('.').map(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_and_padded() {
        let version = |text| Version::parse(text).unwrap();
        let sorted = ["0.9", "1.7.0-alpha", "1.7.0-beta.2", "1.7.0-beta.10", "1.7", "1.16.0", "v2"];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("9").to_string(), "9.0.0");
        assert_eq!(version("1.2.3.4-x+y").to_string(), "1.2.3.4-x");
        for text in ["x", "", "1.", ">= 1.0", "1.0-"] {
            assert_eq!(Version::parse(text).unwrap_err(), format!("malformed version: {text}"));
        }
    }
}
