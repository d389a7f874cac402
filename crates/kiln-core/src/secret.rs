//! Secrets are a type, and their text is filtered in one place.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, RwLock};

use zeroize::Zeroizing;

/// What stands in place of a secret, as Packer prints it.
pub const MASK: &str = "<sensitive>";

/// A text that is never shown, logged, journalled or put on a command line; wiped from memory when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Returns `text` as a secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// Returns the text. The caller must not let it out.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret::new(text)
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

impl schemars::JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "secret" })
    }
}

/// The texts that must not be shown, shared by everything that emits events or logs.
#[derive(Clone, Default)]
pub struct SecretFilter(Arc<RwLock<Vec<Zeroizing<String>>>>);

impl SecretFilter {
    /// Registers `text`: itself, its form with LF line ends, and each non-empty line of it. Empty texts are ignored.
    pub fn register(&self, text: &str) {
        let unix = text.replace("\r\n", "\n");
        let forms =
            [text, unix.as_str()].into_iter().chain(unix.lines()).map(str::to_owned).collect::<Vec<_>>();
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for form in forms {
            if !form.is_empty() && !known.iter().any(|secret| **secret == form) {
                known.push(Zeroizing::new(form));
            }
        }
        // The longest first, so that a secret that contains another disappears whole.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Returns `text` with every registered secret replaced by [`MASK`].
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut text = Cow::Borrowed(text);
        for secret in known.iter() {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), MASK));
            }
        }
        text
    }
}

impl fmt::Debug for SecretFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretFilter")
    }
}
