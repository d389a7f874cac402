//! Values that must not be seen: access key secrets, tokens, passwords, private keys, user data.
//!
//! They print as `<sensitive>`, have no `Display` and no general `Serialize`, and are overwritten when the last clone is
//! dropped. Copies made for one request (the flattened parameters, the body) live as long as that request.

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Text that prints as `<sensitive>`. Cloning is cheap and makes no further copy of the text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Arc::new(Zeroizing::new(text.into())))
    }

    /// Returns the text itself; the name is long so that a reader stops at it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Serialises the text for the wire; opt-in per field (`serialize_with`), so that no log serialises it by accident.
    pub(crate) fn to_wire<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(serializer)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<sensitive>")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// An instance's user data before encoding: bytes, since it may be a compressed archive. The API's limit is 32 KiB.
/// Sent as standard, padded base64. Debug shows only the size, as scripts often carry secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct UserData(Arc<Zeroizing<Vec<u8>>>);

impl UserData {
    /// Wraps the raw bytes (not base64).
    pub fn new(bytes: impl Into<Vec<u8>>) -> UserData {
        UserData(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// Returns the number of raw bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<user data, {} bytes>", self.0.len())
    }
}

impl Serialize for UserData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(self.0.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(<sensitive>)");
        assert_eq!(format!("{:?}", UserData::new("#!/bin/sh")), "<user data, 9 bytes>");
    }
}
