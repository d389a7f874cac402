//! VSwitches: the subnets of a VPC, one zone each. `Pending`, `Available`.

use serde::{Deserialize, Serialize};

use super::{Tag, Vpc};
use crate::{Acknowledged, VSwitchId, VpcId, ZoneId, action::action, answer::nested, page::paged_by_number};

/// Makes a vSwitch.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateVSwitch {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// Its VPC.
    pub vpc_id: VpcId,
    /// Its zone.
    pub zone_id: ZoneId,
    /// Its block of addresses, within the VPC's.
    pub cidr_block: String,
    /// Its name.
    #[serde(rename = "VSwitchName")]
    pub vswitch_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// The new vSwitch.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CreateVSwitchAnswer {
    /// Its id.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: VSwitchId,
}

action!(
    /// Makes a vSwitch; it is `Pending` at first.
    Vpc.create_vswitch(CreateVSwitch) -> CreateVSwitchAnswer, Token, 10 s
);

/// Lists vSwitches. Read it whole with [`Vpc::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeVSwitches {
    /// Only of this VPC.
    pub vpc_id: Option<VpcId>,
    /// Only this one.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: Option<VSwitchId>,
    /// Only with this name.
    #[serde(rename = "VSwitchName")]
    pub vswitch_name: Option<String>,
    /// Only in this zone.
    pub zone_id: Option<ZoneId>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 50.
    pub page_size: Option<u32>,
}

/// One page of vSwitches.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeVSwitchesAnswer {
    /// The vSwitches.
    #[serde(rename = "VSwitches", deserialize_with = "nested")]
    pub vswitches: Vec<VSwitch>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// A vSwitch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VSwitch {
    /// Its id.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: VSwitchId,
    /// Its name.
    #[serde(rename = "VSwitchName")]
    pub vswitch_name: String,
    /// Its VPC.
    pub vpc_id: VpcId,
    /// Its zone.
    pub zone_id: ZoneId,
    /// `Pending` or `Available`.
    pub status: String,
    /// Its block of addresses.
    pub cidr_block: String,
    /// How many of them are free.
    pub available_ip_address_count: u64,
    /// When it was made.
    pub creation_time: String,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

action!(
    /// Returns one page of vSwitches.
    Vpc.describe_vswitches(DescribeVSwitches) -> DescribeVSwitchesAnswer, Read, 10 s
);
paged_by_number!(DescribeVSwitches, vswitches: VSwitch, 50);

/// Deletes a vSwitch. `DependencyViolation*` while anything is in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteVSwitch {
    /// The vSwitch.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: VSwitchId,
}

action!(
    /// Deletes a vSwitch.
    Vpc.delete_vswitch(DeleteVSwitch) -> Acknowledged, Safe, 10 s
);
