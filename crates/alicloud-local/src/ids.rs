//! Identifiers and random-looking values, all derived from one seed, so that a run can be repeated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Makes identifiers: the n-th of a kind is the same for the same seed, whatever else happens meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ids {
    seed: u64,
    counts: BTreeMap<String, u64>,
}

impl Ids {
    /// Starts over from `seed`.
    pub fn new(seed: u64) -> Ids {
        Ids { seed, counts: BTreeMap::new() }
    }

    /// Returns an id in Alibaba's shape, such as `vpc-2zeq1w9…`: the kind, the region's code, 17 letters and digits.
    pub fn resource(&mut self, kind: &str, region_code: &str) -> String {
        format!("{kind}-{region_code}{}", self.word(kind, 17))
    }

    /// Returns `length` (at most 32) lower-case letters and digits.
    pub fn word(&mut self, kind: &str, length: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        self.bytes(kind)
            .iter()
            .take(length)
            .map(|byte| char::from(LETTERS[usize::from(*byte) % 36]))
            .collect()
    }

    /// Returns an upper-case UUID, as request ids are written.
    pub fn uuid(&mut self, kind: &str) -> String {
        let bytes = self.bytes(kind);
        let mut half = [0_u8; 16];
        half.copy_from_slice(&bytes[..16]);
        uuid::Builder::from_random_bytes(half).into_uuid().to_string().to_uppercase()
    }

    /// Returns a number below `limit`.
    pub fn number(&mut self, kind: &str, limit: u32) -> u32 {
        let bytes = self.bytes(kind);
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) % limit.max(1)
    }

    /// Returns 32 bytes for the next of this kind.
    pub fn bytes(&mut self, kind: &str) -> [u8; 32] {
        let count = self.counts.entry(kind.to_owned()).or_default();
        *count += 1;
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        digest.update(count.to_be_bytes());
        digest.update(kind.as_bytes());
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_kind_by_kind() {
        let (mut one, mut two) = (Ids::new(7), Ids::new(7));
        let first = one.resource("vpc", "2ze");
        two.resource("i", "2ze");
        assert_eq!(first, two.resource("vpc", "2ze"));
        assert_ne!(first, one.resource("vpc", "2ze"));
        assert_eq!(first.len(), "vpc-2ze".len() + 17);
        assert_ne!(first, Ids::new(8).resource("vpc", "2ze"));
    }
}
