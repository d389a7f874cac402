//! The temporary instance and its network: what it is made of, where it stands, how it can be reached.

use std::collections::BTreeMap;
use std::path::Path;

use alicloud_api::UserData;
use kiln_core::scope::Scope;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::{Check, given};

/// The temporary instance and its network.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LaunchConfig {
    /// **Required.** Type of the temporary instance, such as `ecs.g7.large`.
    pub instance_type: Option<String>,
    /// Image to start from. This or `image_family` is required.
    pub source_image: Option<String>,
    /// Family whose newest image to start from, such as `acs:ubuntu_22_04_x64`.
    pub image_family: Option<String>,
    /// Name of the temporary instance.
    pub instance_name: Option<String>,
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
    /// Existing security group; by default a temporary one, open only for the communicator's port.
    pub security_group_id: Option<String>,
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
    /// User data of the instance.
    pub user_data: Option<String>,
    /// File whose bytes are the user data.
    pub user_data_file: Option<String>,
}

/// What to start from.
pub(crate) enum Source {
    Image(String),
    Family(String),
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
/// The API's limit, before encoding.
const USER_DATA_MAX: usize = 32 * 1024;

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

impl Check<'_> {
    pub(super) fn source(&mut self, config: &LaunchConfig) -> (Option<String>, Option<Source>) {
        let instance_type = given(&config.instance_type).map(str::to_owned);
        if instance_type.is_none() {
            self.fault("instance_type", "An alicloud_instance_type must be specified", "set `instance_type`");
        }
        let spaced = |text: &str| text.trim() != text;
        let source = match (given(&config.source_image), given(&config.image_family)) {
            (None, None) => {
                self.fault("source_image", "A source_image must be specified", "or an `image_family`");
                None
            }
            (Some(_), Some(_)) => {
                let message = "An image_family and source_image can not be specified at the same time. Please use only \
                               one.";
                self.fault("image_family", message, "");
                None
            }
            (Some(image), None) if spaced(image) => {
                self.fault("source_image", "The source_image can't include spaces", "");
                None
            }
            (None, Some(family)) if spaced(family) => {
                self.fault("image_family", "The image_family can't include spaces", "");
                None
            }
            (Some(image), None) => Some(Source::Image(image.to_owned())),
            (None, Some(family)) => Some(Source::Family(family.to_owned())),
        };
        (instance_type, source)
    }

    pub(super) fn user_data(&mut self, config: &LaunchConfig, scope: &Scope) -> Option<UserData> {
        let bytes = match (given(&config.user_data), given(&config.user_data_file)) {
            (None, None) => return None,
            (Some(_), Some(_)) => {
                self.fault("user_data_file", "Only one of user_data or user_data_file can be specified.", "");
                return None;
            }
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(file)) => match scope.world.read_bytes(Path::new(file)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let hint = format!("{error}; the path is relative to the working directory");
                    self.fault("user_data_file", format!("user_data_file not found: {file}"), &hint);
                    return None;
                }
            },
        };
        if bytes.len() > USER_DATA_MAX {
            let message = format!("user data of {} bytes", bytes.len());
            self.fault("user_data", message, "the cloud takes at most 32 KiB before encoding");
        }
        Some(UserData::new(bytes))
    }

    pub(super) fn run_tags(&mut self, config: &LaunchConfig) {
        // Kiln's own three tags take their place among the twenty.
        if config.run_tags.len() > 17 {
            self.fault(
                "run_tags",
                "more than 17 run_tags",
                "the cloud takes 20 tags a resource; Kiln needs three",
            );
        }
    }
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
