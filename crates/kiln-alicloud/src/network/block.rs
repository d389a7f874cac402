//! Address blocks: which part of a VPC a temporary vSwitch takes.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 address block, such as `172.16.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    address: u32,
    /// 0 to 32.
    prefix: u32,
}

/// Not an address block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoBlock;

impl FromStr for Block {
    type Err = NoBlock;

    fn from_str(text: &str) -> Result<Block, NoBlock> {
        let (address, prefix) = text.trim().split_once('/').ok_or(NoBlock)?;
        let address: Ipv4Addr = address.parse().map_err(|_| NoBlock)?;
        let prefix: u32 = prefix.parse().map_err(|_| NoBlock)?;
        (prefix <= 32).then(|| Block { address: u32::from(address) & mask(prefix), prefix }).ok_or(NoBlock)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.address), self.prefix)
    }
}

fn mask(prefix: u32) -> u32 {
    u32::MAX.checked_shl(32 - prefix).unwrap_or(0)
}

impl Block {
    /// Whether `inner` lies within.
    pub(super) fn contains(self, inner: Block) -> bool {
        inner.prefix >= self.prefix && inner.address & mask(self.prefix) == self.address
    }

    /// Whether the two share an address.
    pub(super) fn overlaps(self, other: Block) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Returns all blocks of `prefix` bits within, in order; itself if it is not larger than that.
    pub(super) fn slices(self, prefix: u32) -> impl Iterator<Item = Block> {
        let prefix = prefix.max(self.prefix);
        let count = 1_u64 << (prefix - self.prefix);
        let step = 1_u64 << (32 - prefix);
        (0..count).map(move |index| {
            // Below 2^32: the last slice ends where the block does.
            let address = u64::from(self.address) + index * step;
            Block { address: u32::try_from(address).unwrap_or(self.address), prefix }
        })
    }

    /// Returns the slice of `prefix` bits for the zone `zone`: zones of a region differ in their last letter, so their
    /// slices do, and each build finds the same one without asking.
    pub(super) fn slice_of_zone(self, prefix: u32, zone: &str) -> Block {
        let letter = zone.bytes().last().unwrap_or_default().to_ascii_lowercase();
        let index = usize::from(letter.wrapping_sub(b'a'));
        let slices: Vec<Block> = self.slices(prefix).take(16).collect();
        slices[index % slices.len()]
    }

    /// Returns `wanted` if it is free in this block, else the first slice of 24 bits that is.
    pub(super) fn free(self, wanted: Option<Block>, taken: &[Block]) -> Option<Block> {
        let is_free =
            |block: &Block| self.contains(*block) && !taken.iter().any(|taken| taken.overlaps(*block));
        wanted.filter(is_free).or_else(|| self.slices(24).find(is_free))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        text.parse().unwrap()
    }

    #[test]
    fn text_and_back() {
        assert_eq!(block("172.16.0.0/16").to_string(), "172.16.0.0/16");
        assert_eq!(block("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(block("0.0.0.0/0").to_string(), "0.0.0.0/0");
        for wrong in ["", "172.16.0.0", "172.16.0.0/33", "172.16.0/16", "x/8"] {
            assert_eq!(wrong.parse::<Block>(), Err(NoBlock), "{wrong}");
        }
    }

    #[test]
    fn each_zone_has_a_slice_of_its_own() {
        let vpc = block("172.16.0.0/16");
        assert_eq!(vpc.slice_of_zone(20, "cn-beijing-a").to_string(), "172.16.0.0/20");
        assert_eq!(vpc.slice_of_zone(20, "ap-southeast-1c").to_string(), "172.16.32.0/20");
        assert_eq!(vpc.slice_of_zone(20, "cn-beijing-p").to_string(), "172.16.240.0/20");
        assert_eq!(block("192.168.0.0/24").slice_of_zone(20, "cn-beijing-b").to_string(), "192.168.0.0/24");
    }

    #[test]
    fn a_free_block_is_within_and_overlaps_nothing() {
        let vpc = block("172.16.0.0/22");
        let wanted = Some(block("172.16.0.0/24"));
        assert_eq!(vpc.free(wanted, &[]), wanted);
        let taken = [block("172.16.0.0/23")];
        assert_eq!(vpc.free(wanted, &taken), Some(block("172.16.2.0/24")));
        assert_eq!(vpc.free(wanted, &[block("172.16.0.0/22")]), None);
        assert_eq!(block("10.0.0.0/8").free(wanted, &[]), Some(block("10.0.0.0/24")));
    }
}
