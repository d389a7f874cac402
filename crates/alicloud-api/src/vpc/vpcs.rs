//! VPCs: `Pending`, `Available`.

use serde::{Deserialize, Serialize};

use super::{Tag, Vpc};
use crate::{Acknowledged, VpcId, action::action, answer::nested, page::paged_by_number};

/// Makes a VPC.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateVpc {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// Its block of addresses; the default's size is documented in two ways, so say it: `172.16.0.0/16`.
    pub cidr_block: Option<String>,
    /// Its name.
    pub vpc_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// The new VPC.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateVpcAnswer {
    /// Its id.
    pub vpc_id: VpcId,
}

action!(
    /// Makes a VPC; it is `Pending` at first.
    Vpc.create_vpc(CreateVpc) -> CreateVpcAnswer, Token, 10 s
);

/// Lists VPCs. Read it whole with [`Vpc::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeVpcs {
    /// Only this one.
    pub vpc_id: Option<VpcId>,
    /// Only with this name.
    pub vpc_name: Option<String>,
    /// Only the region's default VPC, or only others.
    pub is_default: Option<bool>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 50.
    pub page_size: Option<u32>,
}

/// One page of VPCs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeVpcsAnswer {
    /// The VPCs.
    #[serde(deserialize_with = "nested")]
    pub vpcs: Vec<VpcInfo>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VpcInfo {
    /// Its id.
    pub vpc_id: VpcId,
    /// Its name.
    pub vpc_name: String,
    /// `Pending` or `Available`.
    pub status: String,
    /// Its block of addresses.
    pub cidr_block: String,
    /// Whether it is the region's default.
    pub is_default: bool,
    /// When it was made.
    pub creation_time: String,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

action!(
    /// Returns one page of VPCs.
    Vpc.describe_vpcs(DescribeVpcs) -> DescribeVpcsAnswer, Read, 10 s
);
paged_by_number!(DescribeVpcs, vpcs: VpcInfo, 50);

/// Deletes a VPC. `DependencyViolation.*` while anything is in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteVpc {
    /// The VPC.
    pub vpc_id: VpcId,
    /// Also with what the cloud itself put into it.
    pub force_delete: Option<bool>,
}

action!(
    /// Deletes a VPC.
    Vpc.delete_vpc(DeleteVpc) -> Acknowledged, Safe, 10 s
);
