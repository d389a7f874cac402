//! Elastic addresses (EIPs): `Available`, `Associating`, `InUse`, `Unassociating`.

use serde::{Deserialize, Serialize};

use super::{Tag, Vpc};
use crate::{Acknowledged, AllocationId, InstanceId, action::action, answer::nested, page::paged_by_number};

/// Rents an elastic address.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocateEipAddress {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// Mbit/s; the API's default is 5.
    pub bandwidth: Option<u32>,
    /// `PayByTraffic` or `PayByBandwidth`.
    pub internet_charge_type: Option<String>,
    /// `PostPaid` (the API's default) or `PrePaid`.
    pub instance_charge_type: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// The line: `BGP` (the API's default) or `BGP_PRO`.
    #[serde(rename = "ISP")]
    pub isp: Option<String>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// The new elastic address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocateEipAddressAnswer {
    /// Its id.
    pub allocation_id: AllocationId,
    /// The address.
    pub eip_address: String,
}

action!(
    /// Rents an elastic address.
    Vpc.allocate_eip_address(AllocateEipAddress) -> AllocateEipAddressAnswer, Token, 10 s
);

/// Lists elastic addresses. Read it whole with [`Vpc::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeEipAddresses {
    /// Only this one.
    pub allocation_id: Option<AllocationId>,
    /// Only with this address.
    pub eip_address: Option<String>,
    /// Only with this name.
    pub eip_name: Option<String>,
    /// Only in this state.
    pub status: Option<String>,
    /// Only bound to a thing of this type: `EcsInstance`.
    pub associated_instance_type: Option<String>,
    /// Only bound to this thing.
    pub associated_instance_id: Option<InstanceId>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 100.
    pub page_size: Option<u32>,
}

/// One page of elastic addresses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeEipAddressesAnswer {
    /// The addresses.
    #[serde(deserialize_with = "nested")]
    pub eip_addresses: Vec<EipAddress>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// An elastic address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EipAddress {
    /// Its id.
    pub allocation_id: AllocationId,
    /// The address.
    pub ip_address: String,
    /// See the top of this file.
    pub status: String,
    /// What it is bound to.
    pub instance_id: String,
    /// What that is: `EcsInstance`.
    pub instance_type: String,
    /// Its name.
    pub name: String,
    /// When it was rented.
    pub allocation_time: String,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

action!(
    /// Returns one page of elastic addresses.
    Vpc.describe_eip_addresses(DescribeEipAddresses) -> DescribeEipAddressesAnswer, Read, 10 s
);
paged_by_number!(DescribeEipAddresses, eip_addresses: EipAddress, 100);

/// Binds an elastic address to an instance. `TaskConflict` while either is busy.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssociateEipAddress {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// The address.
    pub allocation_id: AllocationId,
    /// The instance.
    pub instance_id: InstanceId,
    /// What that is; the API's default is `EcsInstance`.
    pub instance_type: Option<String>,
}

action!(
    /// Binds an elastic address to an instance.
    Vpc.associate_eip_address(AssociateEipAddress) -> Acknowledged, Token, 10 s
);

/// Unbinds an elastic address.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UnassociateEipAddress {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// The address.
    pub allocation_id: AllocationId,
    /// The instance.
    pub instance_id: Option<InstanceId>,
    /// What that is; the API's default is `EcsInstance`.
    pub instance_type: Option<String>,
    /// Also when the instance is in a state that forbids it.
    pub force: Option<bool>,
}

action!(
    /// Unbinds an elastic address.
    Vpc.unassociate_eip_address(UnassociateEipAddress) -> Acknowledged, Safe, 10 s
);

/// Gives an elastic address back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReleaseEipAddress {
    /// The address.
    pub allocation_id: AllocationId,
}

action!(
    /// Gives an elastic address back; it must not be bound.
    Vpc.release_eip_address(ReleaseEipAddress) -> Acknowledged, Safe, 10 s
);
