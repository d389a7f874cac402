//! Which addresses are given out: realistic ones, or ones of the loopback network that can be connected to.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::api::{ApiError, Cx, refuse};
use crate::options::AddressMode;

/// Finds a free private address in a vSwitch.
pub fn private(cx: &mut Cx<'_>, vswitch: &str, cidr: &str) -> Result<String, ApiError> {
    let (net, first): (Ipv4Net, u32) = match cx.addresses {
        AddressMode::Mapped => (cidr.parse().map_err(|_| refuse("InternalError"))?, 0),
        // Anywhere in it: clouds side by side share the loopback network, and what the other one has is not seen here.
        AddressMode::Loopback { .. } => {
            (LOOPBACK_PRIVATE, cx.state.ids.number("private address", LOOPBACK_PRIVATE_COUNT))
        }
    };
    let taken = |address: &str| {
        cx.state.accounts.values().flat_map(|account| account.instances.values()).any(|instance| {
            instance.private_ip == address
                && (instance.vswitch_id == vswitch || matches!(cx.addresses, AddressMode::Loopback { .. }))
        })
    };
    // The first address of a vSwitch and the last three are the cloud's own.
    let (start, last) = (u32::from(net.network()) + 1, u32::from(net.broadcast()).saturating_sub(3));
    let from = last.saturating_sub(first).max(start);
    (start..=from)
        .rev()
        .chain((from + 1..=last).rev())
        .map(|bits| Ipv4Addr::from(bits).to_string())
        .find(|address| !taken(address))
        .ok_or_else(|| refuse("QuotaExceeded.PrivateIpAddress"))
}

const LOOPBACK_PRIVATE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 64, 0, 0), 16);
/// How many addresses that network has.
const LOOPBACK_PRIVATE_COUNT: u32 = 1 << 16;

/// Makes a public address that nothing has yet.
pub fn public(cx: &mut Cx<'_>) -> String {
    loop {
        let bits = cx.state.ids.number("address", u32::MAX).to_be_bytes();
        let address = match cx.addresses {
            AddressMode::Mapped => Ipv4Addr::new(47, 93 + bits[0] % 8, bits[1], 1 + bits[2] % 250),
            AddressMode::Loopback { .. } => Ipv4Addr::new(127, 80, bits[1], 1 + bits[2] % 250),
        }
        .to_string();
        let taken = cx.state.accounts.values().any(|account| {
            account.eips.values().any(|eip| eip.address == address)
                || account.instances.values().any(|instance| instance.public_ip.as_deref() == Some(&address))
        });
        if !taken {
            return address;
        }
    }
}
