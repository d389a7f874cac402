//! From where the temporary security group lets the communicator in: as the template says, else from this machine
//! alone where its address is known, else from wherever the instance can be reached at all.

use std::net::Ipv4Addr;

use alicloud_api::own_address;
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::EventKind;
use kiln_remote::connect::Route;

use crate::build::Site;
use crate::config::{Plan, Public};
use crate::failure::Doing as _;

/// The endpoint that answers with its caller's address, if the environment names one.
pub(crate) const ADDRESS_URL: &str = "KILN_ADDRESS_URL";
/// The same where a template asks for it and the environment names none; the one Packer's amazon builders ask.
const DEFAULT_ADDRESS_URL: &str = "https://checkip.amazonaws.com";

/// Private networks: RFC 1918 and RFC 6598.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];
const ANYWHERE: &str = "0.0.0.0/0";

/// How the sources are found.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// The template lists them.
    Listed(Vec<String>),
    /// This machine's public address is asked for: because the template wants it, or the environment names whom to ask.
    Ask { url: String, wanted: bool },
    /// The communicator goes to the private address of an instance that has a public one as well.
    Private,
    /// The instance has no public address: only private networks reach it, and which of them is ours nobody knows.
    Unreachable,
    /// A bastion or a proxy stands between, and its address is what the instance sees.
    Relayed,
    /// Nobody knows.
    Unknown,
}

/// Returns the IPv4 blocks from which the communicator's port is opened, and says on standard error which and why.
///
/// # Errors
///
/// The template asks for this machine's address and nobody tells it.
pub(crate) async fn sources(site: &Site<'_>) -> Result<Vec<String>> {
    let port = site.plan.login.connect.port;
    let anywhere = || vec![ANYWHERE.to_owned()];
    let (sources, why) = match way(site.plan) {
        Way::Listed(list) => (list, "as `temporary_security_group_source_cidrs` says".to_owned()),
        Way::Ask { url, wanted } => match own_address(&url).await {
            Ok(address) => (vec![format!("{address}/32")], format!("this machine's address, says {url}")),
            Err(error) if wanted => return Err(error).doing(ASKING).map_err(unknown_address),
            Err(error) => (anywhere(), format!("this machine's address is not known: {error}")),
        },
        Way::Private => {
            let list = PRIVATE.map(str::to_owned).to_vec();
            (list, "private networks, as the communicator goes to the private address".to_owned())
        }
        Way::Unreachable => {
            (anywhere(), "only private networks reach it: it has no public address".to_owned())
        }
        Way::Relayed => (anywhere(), format!("a bastion or proxy is on the way; {REMEDY}")),
        Way::Unknown => (anywhere(), format!("this machine's address is not known; {REMEDY}")),
    };
    let text =
        format!("The temporary security group lets port {port} in from {} ({why}).", sources.join(", "));
    site.cx.events.emit(EventKind::Hint { text }).await;
    Ok(sources)
}

const ASKING: &str = "find out this machine's public address";
/// What opens it to less.
const REMEDY: &str = "`temporary_security_group_source_cidrs` opens it to less";

fn unknown_address(error: Error) -> Error {
    error.kind(ErrorKind::Refused).hint(format!(
        "name the address in `temporary_security_group_source_cidrs`, or an endpoint that tells it in {ADDRESS_URL}"
    ))
}

fn way(plan: &Plan) -> Way {
    let (config, launch) = (&plan.config.launch, &plan.launch);
    if !launch.sources.is_empty() {
        return Way::Listed(launch.sources.clone());
    }
    let url = launch.address_url.clone();
    if config.temporary_security_group_source_public_ip {
        return Way::Ask { url: url.unwrap_or_else(|| DEFAULT_ADDRESS_URL.to_owned()), wanted: true };
    }
    let direct = matches!(plan.login.connect.route, Route::Direct);
    match (launch.address.connect_private, url) {
        (false, Some(url)) if direct => Way::Ask { url, wanted: false },
        (false, None) if direct => Way::Unknown,
        (false, _) => Way::Relayed,
        (true, _) if launch.address.public == Public::None => Way::Unreachable,
        (true, _) => Way::Private,
    }
}

/// Returns the endpoint that tells this machine's address, where that is the one the instance sees.
pub(crate) fn address_url(plan: &Plan) -> Option<String> {
    match way(plan) {
        Way::Ask { url, .. } => Some(url),
        Way::Listed(_) => plan.launch.address_url.clone().filter(|_| !plan.launch.address.connect_private),
        Way::Private | Way::Unreachable | Way::Relayed | Way::Unknown => None,
    }
}

/// Reads an IPv4 address or block; returns it as a block.
pub(crate) fn block(text: &str) -> Option<String> {
    let (address, bits) = text.trim().split_once('/').unwrap_or((text.trim(), "32"));
    let address: Ipv4Addr = address.parse().ok()?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    // The API refuses a block whose host part is not zero.
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some(format!("{}/{bits}", Ipv4Addr::from(u32::from(address) & mask)))
}

/// Whether `address` lies within `block`.
pub(crate) fn contains(block: &str, address: Ipv4Addr) -> bool {
    let Some((network, bits)) = block.split_once('/') else {
        return block.parse() == Ok(address);
    };
    let (Ok(network), Ok(bits)) = (network.parse::<Ipv4Addr>(), bits.parse::<u32>()) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
    u32::from(network) & mask == u32::from(address) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_made_exact() {
        for (text, expected) in [
            ("203.0.113.7", Some("203.0.113.7/32")),
            ("203.0.113.7/24", Some("203.0.113.0/24")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("203.0.113.7/33", None),
            ("2001:db8::1", None),
            ("office", None),
        ] {
            assert_eq!(block(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_block_contains_its_addresses() {
        let address = Ipv4Addr::new(203, 0, 113, 7);
        assert!(contains("203.0.113.0/24", address));
        assert!(contains("0.0.0.0/0", address));
        assert!(contains("203.0.113.7", address));
        assert!(!contains("203.0.112.0/24", address));
        assert!(!contains("sg-1", address));
    }
}
