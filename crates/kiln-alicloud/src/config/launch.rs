//! The temporary instance and its network: what it is made of, where it stands, how it can be reached.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::given;
use crate::user_data::RawUserData;

/// The temporary instance and its network.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LaunchConfig {
    /// **Required.** Type of the temporary instance, such as `ecs.g7.large`.
    pub instance_type: Option<String>,
    /// Instance types to try, in this order, where `instance_type` cannot be had.
    pub instance_types: Vec<String>,
    /// `NoSpot` (the default), `SpotAsPriceGo` or `SpotWithPriceLimit`: whether the temporary instance is a cheaper one
    /// that the cloud may take back.
    #[schemars(extend("x-default" = "NoSpot"))]
    pub spot_strategy: Option<String>,
    /// Highest price an hour, in the account's currency. Needed for `SpotWithPriceLimit`.
    pub spot_price_limit: Option<f64>,
    /// Whether an ordinary instance is taken where no spot instance can be had; `true` by default.
    #[schemars(extend("x-default" = "true"))]
    pub spot_fallback: Option<bool>,
    /// Image to start from. This or `image_family` is required.
    pub source_image: Option<String>,
    /// Family whose newest image to start from, such as `acs:ubuntu_22_04_x64`.
    pub image_family: Option<String>,
    /// Name of the temporary instance.
    pub instance_name: Option<String>,
    /// Accepted because old templates have it; it has no effect.
    pub description: Option<String>,
    /// Whether the temporary instance is I/O optimised; by default as its type demands.
    pub io_optimized: Option<bool>,
    /// Zone to build in; by default one that has the instance type in stock.
    pub zone_id: Option<String>,
    /// RAM role of the temporary instance. The caller needs `ram:PassRole`.
    pub ecs_ram_role_name: Option<String>,
    /// Tags of everything temporary, besides Kiln's own.
    pub run_tags: BTreeMap<String, String>,
    /// `Active` or `Deactive`: the cloud's security agent on the temporary instance.
    pub security_enhancement_strategy: Option<String>,
    /// `required` or `optional`: whether the metadata service of the temporary instance insists on a token (IMDSv2).
    pub http_tokens: Option<String>,
    /// Existing security group; by default a temporary one, open only for the communicator's port.
    pub security_group_id: Option<String>,
    /// From where the temporary security group lets the communicator in: IPv4 addresses or blocks, such as
    /// `203.0.113.0/24`. By default this machine's address where it is known, else what can reach the instance.
    pub temporary_security_group_source_cidrs: Vec<String>,
    /// Ask `KILN_ADDRESS_URL` (by default `https://checkip.amazonaws.com`) for this machine's public address and let
    /// the communicator in from there alone.
    pub temporary_security_group_source_public_ip: bool,
    /// How the instance's SSH host key is known: `console` (what the instance writes to its console, else the first
    /// one shown), `user-data` (one made for this run and installed by cloud-init) or `first-use` (the first shown).
    #[schemars(extend("x-default" = "console"))]
    pub ssh_host_key: Option<String>,
    /// Name of the temporary security group.
    pub security_group_name: Option<String>,
    /// Existing VPC; by default a temporary one.
    pub vpc_id: Option<String>,
    /// Name of the temporary VPC.
    pub vpc_name: Option<String>,
    /// Address block of the temporary VPC and its vSwitch; 172.16.0.0/16 with a vSwitch of 172.16.0.0/24 by default.
    pub vpc_cidr_block: Option<String>,
    /// Existing vSwitch; its VPC is used if `vpc_id` is unset.
    pub vswitch_id: Option<String>,
    /// Name of the temporary vSwitch.
    pub vswitch_name: Option<String>,
    /// Whether the instance gets a public address. Unset: it does, unless `ssh_private_ip` is set.
    pub associate_public_ip_address: Option<bool>,
    /// Existing elastic address to bind during the build.
    pub eip_id: Option<String>,
    /// Connect to the private address.
    pub ssh_private_ip: bool,
    /// `PayByTraffic` or `PayByBandwidth`.
    pub internet_charge_type: Option<String>,
    /// Bandwidth of the public address in Mbit/s; 5 by default.
    pub internet_max_bandwidth_out: Option<i64>,
    /// Seconds the instance may take to run; 1800 by default.
    pub wait_instance_running_timeout: Option<i64>,
    /// User data of the instance.
    pub user_data: Option<String>,
    /// File whose bytes are the user data.
    pub user_data_file: Option<String>,
}

/// What to launch, checked.
pub(crate) struct LaunchPlan {
    /// Time until the instance runs.
    pub running_timeout: Duration,
    /// The types to try, in this order; at least one.
    pub instance_types: Vec<String>,
    pub market: Market,
    pub source: Source,
    pub address: AddressPlan,
    pub user_data: Option<RawUserData>,
    /// The blocks the template lets the communicator in from; empty if it names none.
    pub sources: Vec<String>,
    /// The endpoint of the environment that tells this machine's address.
    pub address_url: Option<String>,
    pub host_key: HostKeySource,
}

/// What to start from.
pub(crate) enum Source {
    Image(String),
    Family(String),
}

/// What kind of instance is paid for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Market {
    OnDemand,
    /// One that the cloud may take back, up to `limit` an hour if there is one; an ordinary one instead if `fallback`.
    Spot {
        limit: Option<f64>,
        fallback: bool,
    },
}

/// How the host key is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum HostKeySource {
    /// From the console, else the first one shown.
    #[default]
    Console,
    /// Made for this run and installed by user data.
    UserData,
    /// The first one shown.
    FirstUse,
}

/// Which address the instance gets, and which one we connect to (the three-way reading of
/// `associate_public_ip_address`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressPlan {
    pub public: Public,
    pub connect_private: bool,
}

/// The public address, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Public {
    /// The instance's own, given at creation.
    Own,
    /// An elastic address of the account, bound during the build.
    Eip(String),
    None,
}

/// What an EIP gets when nothing is said; an instance without a figure gets no address at all.
pub(crate) const DEFAULT_BANDWIDTH: u32 = 5;

impl LaunchConfig {
    /// Returns what the user should know before the build.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if given(&self.description).is_some() {
            warnings.push("description has no effect; the image's is image_description".to_owned());
        }
        match (self.ssh_private_ip, self.associate_public_ip_address, given(&self.eip_id)) {
            (true, None | Some(false), Some(_)) => warnings.push(
                "eip_id is not used: ssh_private_ip is set, and associate_public_ip_address is not".to_owned(),
            ),
            (false, Some(false), Some(_)) => warnings.push(
                "associate_public_ip_address is false, and eip_id is given: the address is bound all the same"
                    .to_owned(),
            ),
            _ => {}
        }
        if !self.makes_security_group() {
            for (field, is_set) in [
                (
                    "temporary_security_group_source_cidrs",
                    !self.temporary_security_group_source_cidrs.is_empty(),
                ),
                ("temporary_security_group_source_public_ip", self.temporary_security_group_source_public_ip),
                ("security_group_name", given(&self.security_group_name).is_some()),
            ] {
                if is_set {
                    warnings.push(format!("{field} is not used: security_group_id names an existing group"));
                }
            }
        }
        warnings
    }

    /// Whether the security group is a temporary one.
    pub(crate) fn makes_security_group(&self) -> bool {
        given(&self.security_group_id).is_none()
    }

    /// Whether everything of the network is temporary: then nothing else can be in it.
    pub(super) fn makes_network(&self) -> bool {
        [&self.vpc_id, &self.vswitch_id, &self.security_group_id].iter().all(|id| given(id).is_none())
    }
}

pub(super) fn address_plan(config: &LaunchConfig) -> AddressPlan {
    let eip = given(&config.eip_id).map(str::to_owned);
    let wants_public = config.associate_public_ip_address;
    let public = match (config.ssh_private_ip, wants_public, eip) {
        (false, _, Some(eip)) | (true, Some(true), Some(eip)) => Public::Eip(eip),
        (false, None | Some(true), None) | (true, Some(true), None) => Public::Own,
        (false, Some(false), None) | (true, None | Some(false), _) => Public::None,
    };
    AddressPlan { connect_private: config.ssh_private_ip || public == Public::None, public }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn associate_public_ip_address_has_three_readings() {
        let cases = [
            ((false, None, None), (Public::Own, false)),
            ((false, Some(true), None), (Public::Own, false)),
            ((false, Some(false), None), (Public::None, true)),
            ((false, None, Some("eip-1")), (Public::Eip("eip-1".into()), false)),
            ((false, Some(false), Some("eip-1")), (Public::Eip("eip-1".into()), false)),
            ((true, None, None), (Public::None, true)),
            ((true, Some(true), None), (Public::Own, true)),
            ((true, None, Some("eip-1")), (Public::None, true)),
        ];
        for ((private, associate, eip), (public, connect_private)) in cases {
            let config = LaunchConfig {
                ssh_private_ip: private,
                associate_public_ip_address: associate,
                eip_id: eip.map(str::to_owned),
                ..LaunchConfig::default()
            };
            assert_eq!(address_plan(&config), AddressPlan { public, connect_private }, "{config:?}");
        }
    }
}
