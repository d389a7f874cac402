//! Zones, instance types, and what of them is in stock.

use serde::{Deserialize, Serialize};

use super::Ecs;
use crate::{RegionId, ZoneId, action::action, answer::nested, page::paged_by_token};

/// Lists the zones of the region.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeZones {
    /// Leave out what each zone offers: names only.
    pub verbose: Option<bool>,
}

/// The zones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeZonesAnswer {
    /// All of them; there are no pages.
    #[serde(deserialize_with = "nested")]
    pub zones: Vec<Zone>,
}

/// A zone and what it offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Zone {
    /// Its id.
    pub zone_id: ZoneId,
    /// Its name for people.
    pub local_name: String,
    /// What can be made there: `VSwitch`, `Instance`, `Disk` …
    #[serde(rename = "AvailableResourceCreation", deserialize_with = "nested")]
    pub resource_types: Vec<String>,
    /// The instance types it sells.
    #[serde(rename = "AvailableInstanceTypes", deserialize_with = "nested")]
    pub instance_types: Vec<String>,
    /// The disk categories it sells.
    #[serde(rename = "AvailableDiskCategories", deserialize_with = "nested")]
    pub disk_categories: Vec<String>,
}

action!(
    /// Returns the zones of the region.
    Ecs.describe_zones(DescribeZones) -> DescribeZonesAnswer, Read, 10 s
);

/// Asks what is in stock, per zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeAvailableResource {
    /// What to ask about: `InstanceType`, `SystemDisk`, `DataDisk`, `Zone`, `Network` …
    pub destination_resource: String,
    /// Only this instance type.
    pub instance_type: Option<String>,
    /// Only this zone.
    pub zone_id: Option<ZoneId>,
    /// `vpc` or `classic`.
    pub network_category: Option<String>,
    /// `PostPaid` or `PrePaid`.
    pub instance_charge_type: Option<String>,
    /// `NoSpot`, `SpotWithPriceLimit` or `SpotAsPriceGo`.
    pub spot_strategy: Option<String>,
    /// `none` or `optimized`.
    pub io_optimized: Option<String>,
    /// Only with this system disk: `cloud_essd`, `cloud_efficiency` …
    pub system_disk_category: Option<String>,
    /// Only with these data disks.
    pub data_disk_category: Option<String>,
    /// What it is for: `instance` (the usual) or `disk` …
    pub resource_type: Option<String>,
}

/// What is in stock.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAvailableResourceAnswer {
    /// The zones that offer it at all.
    #[serde(deserialize_with = "nested")]
    pub available_zones: Vec<AvailableZone>,
}

/// A zone's stock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AvailableZone {
    /// The zone.
    pub zone_id: ZoneId,
    /// Its region.
    pub region_id: RegionId,
    /// `Available` or `SoldOut`.
    pub status: String,
    /// `WithStock`, `ClosedWithStock`, `WithoutStock`, `ClosedWithoutStock`.
    pub status_category: String,
    /// The resources asked for.
    #[serde(deserialize_with = "nested")]
    pub available_resources: Vec<AvailableResource>,
}

/// A kind of resource in a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AvailableResource {
    /// Which kind: `InstanceType` …
    #[serde(rename = "Type")]
    pub kind: String,
    /// The values on sale.
    #[serde(deserialize_with = "nested")]
    pub supported_resources: Vec<SupportedResource>,
}

/// A value on sale, such as an instance type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SupportedResource {
    /// Such as `ecs.g7.large`.
    pub value: String,
    /// `Available` or `SoldOut`.
    pub status: String,
    /// As [`AvailableZone::status_category`].
    pub status_category: String,
}

action!(
    /// Returns what is in stock, per zone.
    Ecs.describe_available_resource(DescribeAvailableResource) -> DescribeAvailableResourceAnswer, Read, 10 s
);

/// Lists instance types. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeInstanceTypes {
    /// Only these.
    #[serde(rename = "InstanceTypes")]
    pub instance_types: Vec<String>,
    /// Only this family: `ecs.g7`.
    pub instance_type_family: Option<String>,
    /// Where to go on.
    pub next_token: Option<String>,
    /// Entries per page, at most 100.
    pub max_results: Option<u32>,
}

/// One page of instance types.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeInstanceTypesAnswer {
    /// The types.
    #[serde(deserialize_with = "nested")]
    pub instance_types: Vec<InstanceType>,
    /// Where the next page begins; absent or empty on the last one.
    pub next_token: Option<String>,
}

/// An instance type.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InstanceType {
    /// Such as `ecs.g7.large`.
    pub instance_type_id: String,
    /// Such as `ecs.g7`.
    pub instance_type_family: String,
    /// Number of virtual processors.
    pub cpu_core_count: u32,
    /// Memory in GiB.
    pub memory_size: f64,
    /// `X86` or `ARM`.
    pub cpu_architecture: String,
    /// Category of its local disks, if it has any; those cannot be snapshotted.
    pub local_storage_category: String,
}

action!(
    /// Returns one page of instance types.
    Ecs.describe_instance_types(DescribeInstanceTypes) -> DescribeInstanceTypesAnswer, Read, 10 s
);
paged_by_token!(DescribeInstanceTypes, instance_types: InstanceType, 100);
