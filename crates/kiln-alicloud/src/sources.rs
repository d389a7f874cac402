//! From where the temporary security group lets the communicator in: as the template says, else from this machine
//! alone where its address is known, else from wherever the instance can be reached at all.

use std::net::Ipv4Addr;

use alicloud_api::own_address;
use kiln_core::error::{ErrorKind, Result};
use kiln_core::event::EventKind;
use kiln_remote::connect::Route;

use crate::build::Site;
use crate::config::Plan;
use crate::failure::Doing as _;

/// The endpoint that answers with its caller's address, if the environment names one.
pub(crate) const ADDRESS_URL: &str = "KILN_ADDRESS_URL";
/// The same where a template asks for it and the environment names none; the one Packer's amazon builders ask.
const DEFAULT_ADDRESS_URL: &str = "https://checkip.amazonaws.com";

/// What an instance without a public address can be reached from: RFC 1918 and RFC 6598.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];
const ANYWHERE: &str = "0.0.0.0/0";

/// How the sources are found.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// The template lists them.
    Listed(Vec<String>),
    /// This machine's public address is asked for: wanted by the template, or possible at no third party's.
    Ask { url: String, wanted: bool },
    /// Only private networks reach the instance.
    Private,
    /// Nobody knows.
    Anywhere,
}

/// Returns the IPv4 blocks from which the communicator's port is opened, and says on standard error which and why.
///
/// # Errors
///
/// The template asks for this machine's address and nobody tells it.
pub(crate) async fn sources(site: &Site<'_>) -> Result<Vec<String>> {
    let port = site.plan.login.connect.port;
    let (sources, why) = match way(site.plan) {
        Way::Listed(list) => (list, "as `temporary_security_group_source_cidrs` says".to_owned()),
        Way::Ask { url, wanted } => match own_address(&url).await {
            Ok(address) => (vec![format!("{address}/32")], format!("this machine's address, says {url}")),
            Err(error) if wanted => {
                let failure = Err(error).doing("find out this machine's public address");
                return failure.map_err(|error| {
                    error.kind(ErrorKind::Refused).hint(format!(
                        "name the address in `temporary_security_group_source_cidrs`, or an endpoint that tells it in \
                         {ADDRESS_URL}"
                    ))
                });
            }
            Err(error) => {
                (vec![ANYWHERE.to_owned()], format!("this machine's address is not known: {error}"))
            }
        },
        Way::Private => {
            let list = PRIVATE.map(str::to_owned).to_vec();
            (list, "private networks: the communicator connects to the private address".to_owned())
        }
        Way::Anywhere => {
            let why = "this machine's address is not known; set `temporary_security_group_source_public_ip` or \
                       `temporary_security_group_source_cidrs` to open it to less";
            (vec![ANYWHERE.to_owned()], why.to_owned())
        }
    };
    let text =
        format!("The temporary security group lets port {port} in from {} ({why}).", sources.join(", "));
    site.cx.events.emit(EventKind::Hint { text }).await;
    Ok(sources)
}

fn way(plan: &Plan) -> Way {
    let config = &plan.config.launch;
    if !plan.launch.sources.is_empty() {
        return Way::Listed(plan.launch.sources.clone());
    }
    let url = plan.launch.address_url.clone();
    if config.temporary_security_group_source_public_ip {
        return Way::Ask { url: url.unwrap_or_else(|| DEFAULT_ADDRESS_URL.to_owned()), wanted: true };
    }
    // What the instance sees is then the address of a bastion or a proxy.
    let direct = matches!(plan.login.connect.route, Route::Direct);
    match (plan.launch.address.connect_private, url) {
        (true, _) => Way::Private,
        (false, Some(url)) if direct => Way::Ask { url, wanted: false },
        (false, _) => Way::Anywhere,
    }
}

/// Returns the endpoint that tells this machine's address, where that is the one the instance sees.
pub(crate) fn address_url(plan: &Plan) -> Option<String> {
    match way(plan) {
        Way::Ask { url, .. } => Some(url),
        Way::Listed(_) | Way::Private | Way::Anywhere => {
            plan.launch.address_url.clone().filter(|_| !plan.launch.address.connect_private)
        }
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
