//! The parameters of a call, by their names on the wire (`Tag.1.Key`).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::error::{ApiError, refuse};
use crate::model::Tags;

/// The parameters of an action, without those of the signature. An empty value is as good as none.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Takes name and value pairs; the last of a name counts.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Params {
        Params(pairs.into_iter().collect())
    }

    /// Returns a value that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns a value, or an empty text.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// Returns a value, or refuses the call.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::missing(name))
    }

    /// Returns a number, if one is given.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.get(name).map(|text| text.parse().map_err(|_| ApiError::invalid(name))).transpose()
    }

    /// Returns whether a switch is on.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ApiError::invalid(name)),
        }
    }

    /// Returns the values of a JSON array in a text (`["i-1"]`), as the older interfaces want lists.
    pub fn json_list(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| ApiError::invalid(name))
    }

    /// Returns the values of `name.1`, `name.2`, … in order.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.indexes(name)
            .into_iter()
            .filter_map(|at| self.get(&format!("{name}.{at}")))
            .map(str::to_owned)
            .collect()
    }

    /// Returns the numbers N for which there is a parameter `name.N` or `name.N.*`.
    pub fn indexes(&self, name: &str) -> Vec<u32> {
        let found: BTreeSet<u32> = self
            .0
            .keys()
            .filter_map(|key| key.strip_prefix(name)?.strip_prefix('.')?.split('.').next()?.parse().ok())
            .collect();
        found.into_iter().collect()
    }

    /// Returns `Tag.N.Key` with `Tag.N.Value`, checked as the cloud checks tags it is to keep.
    pub fn tags(&self) -> Result<Tags, ApiError> {
        let mut tags = Tags::new();
        for (key, value) in self.tag_pairs() {
            let lower = key.to_ascii_lowercase();
            let link = |text: &str| text.starts_with("http://") || text.starts_with("https://");
            if key.is_empty()
                || key.chars().count() > 128
                || lower.starts_with("aliyun")
                || lower.starts_with("acs:")
                || link(&lower)
            {
                return Err(refuse("InvalidTagKey.Malformed"));
            }
            let value = value.unwrap_or_default();
            if value.chars().count() > 128 || link(&value) {
                return Err(refuse("InvalidTagValue.Malformed"));
            }
            if tags.insert(key, value).is_some() {
                return Err(refuse("Duplicate.TagKey"));
            }
        }
        if tags.len() > 20 { Err(refuse("NumberExceed.Tags")) } else { Ok(tags) }
    }

    /// Returns whether `tags` has all those that the call filters by; a key without a value matches any value.
    pub fn wants(&self, tags: &Tags) -> bool {
        self.tag_pairs()
            .into_iter()
            .all(|(key, value)| tags.get(&key).is_some_and(|has| value.is_none_or(|wanted| wanted == *has)))
    }

    fn tag_pairs(&self) -> Vec<(String, Option<String>)> {
        self.indexes("Tag")
            .into_iter()
            .map(|at| {
                let part = |name: &str| self.0.get(&format!("Tag.{at}.{name}")).cloned();
                (part("Key").unwrap_or_default(), part("Value"))
            })
            .collect()
    }

    /// Returns all pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns a digest of everything but the client token: what "the same request" means.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for (name, value) in self.pairs().filter(|(name, _)| *name != "ClientToken") {
            for text in [name, value] {
                digest.update((text.len() as u64).to_be_bytes());
                digest.update(text.as_bytes());
            }
        }
        crate::http::hex(&digest.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn tags_are_checked_and_filter() {
        let given = params(&[("Tag.1.Key", "a"), ("Tag.1.Value", "1"), ("Tag.3.Key", "b")]);
        let tags = given.tags().unwrap();
        assert_eq!(tags, Tags::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]));
        assert!(params(&[("Tag.1.Key", "a")]).wants(&tags));
        assert!(!params(&[("Tag.1.Key", "a"), ("Tag.1.Value", "2")]).wants(&tags));
        assert_eq!(params(&[("Tag.1.Key", "acs:x")]).tags().unwrap_err().code, "InvalidTagKey.Malformed");
        assert_eq!(
            params(&[("Tag.1.Key", "a"), ("Tag.2.Key", "a")]).tags().unwrap_err().code,
            "Duplicate.TagKey"
        );
    }

    #[test]
    fn lists_have_two_spellings() {
        let given =
            params(&[("Ids", r#"["a","b"]"#), ("Account.2", "y"), ("Account.1", "x"), ("Account.10", "z")]);
        assert_eq!(given.json_list("Ids").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(given.list("Account"), ["x", "y", "z"]);
        assert_eq!(params(&[("Ids", "a,b")]).json_list("Ids").unwrap_err().code, "InvalidParameter.Ids");
    }
}
