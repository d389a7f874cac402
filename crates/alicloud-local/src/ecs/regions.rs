//! Regions, zones, instance types, and what of them is in stock.

use serde_json::{Value, json};

use crate::api::{Action, Answer, ApiError, Cx, read, refuse};
use crate::catalogue::{self, InstanceType};
use crate::model::SoldOut;

/// The actions of regions and types.
pub const ACTIONS: &[Action] = &[
    read("DescribeRegions", &[], describe_regions),
    read("DescribeZones", &["RegionId"], describe_zones),
    read("DescribeAvailableResource", &["RegionId", "DestinationResource"], describe_available_resource),
    read("DescribeInstanceTypes", &[], describe_instance_types),
];

/// Those of them that Vpc has as well.
pub const SHARED: &[Action] =
    &[read("DescribeRegions", &[], describe_regions), read("DescribeZones", &["RegionId"], describe_zones)];

/// Returns whether a type can be had in a zone.
pub fn in_stock(sold_out: &[SoldOut], instance_type: &str, zone: &str) -> bool {
    !sold_out.iter().any(|out| {
        out.zone.as_deref().is_none_or(|of| of == zone)
            && out.instance_type.as_deref().is_none_or(|of| of == instance_type)
    })
}

fn describe_regions(_: &mut Cx<'_>) -> Answer {
    let items: Vec<Value> = catalogue::regions()
        .iter()
        .map(|region| {
            json!({
                "RegionId": region.id, "LocalName": region.name, "Status": "available",
                "RegionEndpoint": format!("ecs.{}.aliyuncs.com", region.id),
            })
        })
        .collect();
    Ok(json!({"Regions": {"Region": items}}))
}

fn describe_zones(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let types: Vec<&str> = catalogue::instance_types().iter().map(|offered| offered.id.as_str()).collect();
    let items: Vec<Value> = region
        .zones
        .iter()
        .map(|zone| {
            let offered: Vec<&&str> =
                types.iter().filter(|offered| in_stock(&cx.account().sold_out, offered, zone)).collect();
            json!({
                "ZoneId": zone, "LocalName": zone, "ZoneType": "AvailabilityZone",
                "AvailableResourceCreation": {"ResourceTypes": ["VSwitch", "IoOptimized", "Instance", "Disk", "DedicatedHost"]},
                "AvailableInstanceTypes": {"InstanceTypes": offered},
                "AvailableDiskCategories": {"DiskCategories": super::disks::CATEGORIES},
                "AvailableVolumeCategories": {"VolumeCategories": []},
                "AvailableDedicatedHostTypes": {"DedicatedHostType": []},
                "AvailableResources": {"ResourcesInfo": []},
                "DedicatedHostGenerations": {"DedicatedHostGeneration": []},
            })
        })
        .collect();
    Ok(json!({"Zones": {"Zone": items}}))
}

fn describe_available_resource(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let destination = cx.params.text("DestinationResource");
    let zone_wanted = cx.params.get("ZoneId");
    if zone_wanted.is_some_and(|zone| !region.zones.iter().any(|has| has == zone)) {
        return Err(refuse("InvalidZoneId.NotFound"));
    }
    let type_wanted = cx.params.get("InstanceType");
    if type_wanted.is_some_and(|wanted| catalogue::instance_type(wanted).is_none()) {
        return Err(refuse("InvalidInstanceType.ValueNotSupported"));
    }
    let entry = |value: &str, with_stock: bool| {
        let (status, category) =
            if with_stock { ("Available", "WithStock") } else { ("SoldOut", "WithoutStock") };
        json!({"Value": value, "Status": status, "StatusCategory": category})
    };
    let mut items = Vec::new();
    for zone in region.zones.iter().filter(|zone| zone_wanted.is_none_or(|wanted| wanted == *zone)) {
        let sold_out = &cx.account().sold_out;
        let supported: Vec<Value> = match destination.as_str() {
            "InstanceType" => catalogue::instance_types()
                .iter()
                .filter(|offered| type_wanted.is_none_or(|wanted| wanted == offered.id))
                .map(|offered| entry(&offered.id, in_stock(sold_out, &offered.id, zone)))
                .collect(),
            "SystemDisk" | "DataDisk" => super::disks::CATEGORIES
                .iter()
                .map(|category| {
                    let mut disk = entry(category, true);
                    disk["Min"] = json!(20);
                    disk["Max"] = json!(2048);
                    disk["Unit"] = json!("GiB");
                    disk
                })
                .collect(),
            "Zone" => vec![entry(zone, true)],
            "IoOptimized" => vec![entry("optimized", true), entry("none", true)],
            "Network" => vec![entry("vpc", true)],
            _ => return Err(ApiError::invalid("DestinationResource")),
        };
        let stocked = supported.iter().any(|value| value["StatusCategory"] == "WithStock");
        let (status, category) =
            if stocked { ("Available", "WithStock") } else { ("SoldOut", "WithoutStock") };
        items.push(json!({
            "ZoneId": zone, "RegionId": region.id, "Status": status, "StatusCategory": category,
            "AvailableResources": {"AvailableResource": [
                {"Type": destination, "SupportedResources": {"SupportedResource": supported}},
            ]},
        }));
    }
    Ok(json!({"AvailableZones": {"AvailableZone": items}}))
}

fn describe_instance_types(cx: &mut Cx<'_>) -> Answer {
    let wanted = cx.params.list("InstanceTypes");
    let family = cx.params.get("InstanceTypeFamily");
    let shown = |offered: &&InstanceType| {
        (wanted.is_empty() || wanted.contains(&offered.id))
            && family.is_none_or(|family| family == offered.family())
    };
    let items: Vec<Value> = catalogue::instance_types()
        .iter()
        .filter(shown)
        .map(|offered| {
            json!({
                "InstanceTypeId": offered.id, "InstanceTypeFamily": offered.family(), "CpuCoreCount": offered.cores,
                "MemorySize": offered.memory_gib, "Generation": offered.generation,
                "LocalStorageAmount": offered.local_disks,
                "CpuArchitecture": if offered.id.starts_with("ecs.g8y") { "ARM" } else { "X86" },
            })
        })
        .collect();
    Ok(json!({"InstanceTypes": {"InstanceType": items}}))
}
