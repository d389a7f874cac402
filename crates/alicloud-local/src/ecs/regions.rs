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

/// Whether something can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stock {
    /// It can.
    With,
    /// It is sold out.
    Without,
    /// It is not on sale.
    Closed,
}

impl Stock {
    /// Returns it as `DescribeAvailableResource` says it: `Status` and `StatusCategory`.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Stock::With => ("Available", "WithStock"),
            Stock::Without => ("SoldOut", "WithoutStock"),
            Stock::Closed => ("SoldOut", "ClosedWithoutStock"),
        }
    }
}

/// Returns whether a type can be had in a zone, as a spot instance or a usual one.
pub fn stock(sold_out: &[SoldOut], instance_type: &str, zone: &str, spot: bool) -> Stock {
    let mut hits = sold_out.iter().filter(|out| {
        out.zone.as_deref().is_none_or(|of| of == zone)
            && out.instance_type.as_deref().is_none_or(|of| of == instance_type)
            && out.spot.is_none_or(|only| only == spot)
    });
    match hits.clone().any(|out| out.not_on_sale) {
        true => Stock::Closed,
        false if hits.next().is_some() => Stock::Without,
        false => Stock::With,
    }
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
    let categories: Vec<&str> = super::disks::CATEGORIES.iter().map(|(name, _, _)| *name).collect();
    let types: Vec<&str> = catalogue::instance_types().iter().map(|offered| offered.id.as_str()).collect();
    let items: Vec<Value> = region
        .zones
        .iter()
        .map(|zone| {
            let offered: Vec<&&str> =
                types
                    .iter()
                    .filter(|offered| stock(&cx.account().sold_out, offered, zone, false) == Stock::With)
                    .collect();
            json!({
                "ZoneId": zone, "LocalName": zone, "ZoneType": "AvailabilityZone",
                "AvailableResourceCreation": {"ResourceTypes": ["VSwitch", "IoOptimized", "Instance", "Disk", "DedicatedHost"]},
                "AvailableInstanceTypes": {"InstanceTypes": offered},
                "AvailableDiskCategories": {"DiskCategories": categories},
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
    let spot = match cx.params.get("SpotStrategy").unwrap_or("NoSpot") {
        "NoSpot" => false,
        "SpotAsPriceGo" | "SpotWithPriceLimit" => true,
        _ => return Err(ApiError::invalid("SpotStrategy")),
    };
    let (cores, memory): (Option<u32>, Option<f64>) =
        (cx.params.number("Cores")?, cx.params.number("Memory")?);
    let offered: Vec<&InstanceType> = catalogue::instance_types()
        .iter()
        .filter(|offered| type_wanted.is_none_or(|wanted| wanted == offered.id))
        .filter(|offered| cores.is_none_or(|cores| cores == offered.cores))
        .filter(|offered| memory.is_none_or(|memory| (memory - offered.memory_gib).abs() < 0.01))
        .collect();
    let mut items = Vec::new();
    for zone in region.zones.iter().filter(|zone| zone_wanted.is_none_or(|wanted| wanted == *zone)) {
        let stocks: Vec<(&str, Stock)> = offered
            .iter()
            .map(|of| (of.id.as_str(), stock(&cx.account().sold_out, &of.id, zone, spot)))
            .collect();
        let best = |wanted: Stock| stocks.iter().any(|(_, stock)| *stock == wanted);
        let of_zone = match (best(Stock::With), best(Stock::Without)) {
            (true, _) => Stock::With,
            (false, true) => Stock::Without,
            (false, false) => Stock::Closed,
        };
        let supported: Vec<Value> = match destination.as_str() {
            "InstanceType" => stocks.iter().map(|(id, stock)| entry(id, *stock)).collect(),
            "SystemDisk" | "DataDisk" => super::disks::CATEGORIES
                .iter()
                .map(|(category, least, most)| {
                    let mut disk = entry(category, of_zone);
                    let system = destination == "SystemDisk";
                    disk["Min"] = json!(if system { 20.max(*least) } else { *least });
                    disk["Max"] = json!(if system { 2048.min(*most) } else { *most });
                    disk["Unit"] = json!("GiB");
                    disk
                })
                .collect(),
            "Zone" => vec![entry(zone, of_zone)],
            "IoOptimized" => vec![entry("optimized", of_zone), entry("none", of_zone)],
            "Network" => vec![entry("vpc", of_zone)],
            _ => return Err(ApiError::invalid("DestinationResource")),
        };
        let (status, category) = of_zone.words();
        items.push(json!({
            "ZoneId": zone, "RegionId": region.id, "Status": status, "StatusCategory": category,
            "AvailableResources": {"AvailableResource": [
                {"Type": destination, "SupportedResources": {"SupportedResource": supported}},
            ]},
        }));
    }
    Ok(json!({"AvailableZones": {"AvailableZone": items}}))
}

fn entry(value: &str, stock: Stock) -> Value {
    let (status, category) = stock.words();
    json!({"Value": value, "Status": status, "StatusCategory": category})
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
