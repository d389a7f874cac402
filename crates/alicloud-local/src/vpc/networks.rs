//! VPCs and vSwitches.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::api::{Action, Answer, ApiError, Cx, PAGE_50, proper_name, read, refuse, vpc_tags, write};
use crate::catalogue;
use crate::model::{NetworkStatus, Stage, VSwitch, Vpc};
use crate::timings;

/// The actions of VPCs and vSwitches.
pub const ACTIONS: &[Action] = &[
    write("CreateVpc", &["RegionId"], create_vpc),
    read("DescribeVpcs", &["RegionId"], describe_vpcs),
    write("DeleteVpc", &["VpcId"], delete_vpc),
    write("CreateVSwitch", &["CidrBlock", "VpcId", "ZoneId"], create_vswitch),
    read("DescribeVSwitches", &[], describe_vswitches),
    write("DeleteVSwitch", &["VSwitchId"], delete_vswitch),
];

/// The default block of a VPC for which none is named.
const DEFAULT_BLOCK: &str = "172.16.0.0/12";
/// The ranges a VPC may lie in.
const PRIVATE_RANGES: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

fn block(text: &str, prefixes: std::ops::RangeInclusive<u8>) -> Result<Ipv4Net, ApiError> {
    let malformed = || refuse("InvalidCidrBlock.Malformed");
    let net: Ipv4Net = text.parse().map_err(|_| malformed())?;
    let private =
        PRIVATE_RANGES.iter().any(|range| range.parse::<Ipv4Net>().is_ok_and(|range| range.contains(&net)));
    if net.trunc() == net && prefixes.contains(&net.prefix_len()) && private {
        Ok(net)
    } else {
        Err(malformed())
    }
}

fn create_vpc(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let cidr = cx.params.get("CidrBlock").unwrap_or(DEFAULT_BLOCK).to_owned();
    block(&cidr, 8..=28)?;
    let name = cx.params.text("VpcName");
    if !name.is_empty() && !proper_name(&name) {
        return Err(refuse("InvalidVpcName.Malformed"));
    }
    let tags = cx.params.tags()?;
    let has = cx.account().vpcs.values().filter(|vpc| vpc.region == region.id).count();
    cx.within_quota("vpc", 10, has, "QuotaExceeded.Vpc")?;
    if cx.params.flag("DryRun")? {
        return Err(refuse("DryRunOperation"));
    }
    let vpc = Vpc {
        id: cx.new_id("vpc", region),
        region: region.id.clone(),
        cidr,
        name,
        description: cx.params.text("Description"),
        router_id: cx.new_id("vrt", region),
        route_table_id: cx.new_id("vtb", region),
        resource_group: cx.params.get("ResourceGroupId").unwrap_or("rg-acfmxazb4ph6aiy").to_owned(),
        tags,
        created: cx.now(),
        stage: cx.stage(NetworkStatus::Pending, &[(timings::VPC_CREATE, NetworkStatus::Available)]),
    };
    let answer = json!({
        "VpcId": vpc.id, "VRouterId": vpc.router_id, "RouteTableId": vpc.route_table_id,
        "ResourceGroupId": vpc.resource_group,
    });
    cx.account_mut().vpcs.insert(vpc.id.clone(), vpc);
    Ok(answer)
}

fn describe_vpcs(cx: &mut Cx<'_>) -> Answer {
    cx.region()?;
    let params = cx.params;
    let wanted: Option<Vec<&str>> = params.get("VpcId").map(|ids| ids.split(',').collect());
    let account = cx.account();
    let vpcs = account.vpcs.values().filter(|vpc| {
        cx.in_region(&vpc.region)
            && wanted.as_ref().is_none_or(|ids| ids.contains(&vpc.id.as_str()))
            && params.get("VpcName").is_none_or(|name| name == vpc.name)
            && params.wants(&vpc.tags)
    });
    let items: Vec<Value> = vpcs
        .map(|vpc| {
            let vswitches: Vec<&String> = account
                .vswitches
                .values()
                .filter(|vswitch| vswitch.vpc_id == vpc.id)
                .map(|vswitch| &vswitch.id)
                .collect();
            json!({
                "VpcId": vpc.id, "RegionId": vpc.region, "VpcName": vpc.name, "CidrBlock": vpc.cidr,
                "Description": vpc.description, "Status": vpc.stage.now, "VRouterId": vpc.router_id,
                "CreationTime": vpc.created.to_seconds(), "IsDefault": false,
                "ResourceGroupId": vpc.resource_group, "VSwitchIds": {"VSwitchId": vswitches},
                "Tags": vpc_tags(&vpc.tags), "OwnerId": account.uid.parse::<u64>().unwrap_or_default(),
            })
        })
        .collect();
    cx.page("Vpcs", "Vpc", items, PAGE_50)
}

fn delete_vpc(cx: &mut Cx<'_>) -> Answer {
    let id = cx.params.text("VpcId");
    let vpc = cx.account().vpcs.get(&id).filter(|vpc| cx.in_region(&vpc.region));
    let vpc = vpc.ok_or_else(|| refuse("InvalidVpcID.NotFound"))?;
    if vpc.stage.now == NetworkStatus::Pending {
        return Err(refuse("IncorrectVpcStatus"));
    }
    let account = cx.account();
    if account.vswitches.values().any(|vswitch| vswitch.vpc_id == id) {
        return Err(refuse("DependencyViolation.VSwitch"));
    }
    if account.security_groups.values().any(|group| group.vpc_id == id) {
        return Err(refuse("DependencyViolation.SecurityGroup"));
    }
    cx.account_mut().vpcs.remove(&id);
    Ok(json!({}))
}

fn create_vswitch(cx: &mut Cx<'_>) -> Answer {
    let vpc_id = cx.params.text("VpcId");
    let vpc = cx.account().vpcs.get(&vpc_id).filter(|vpc| cx.in_region(&vpc.region));
    let vpc = vpc.ok_or_else(|| refuse("InvalidVpcId.NotFound"))?;
    if vpc.stage.now != NetworkStatus::Available {
        return Err(refuse("IncorrectVpcStatus"));
    }
    let region = catalogue::region(&vpc.region).ok_or_else(|| refuse("InvalidRegionId.NotFound"))?;
    let zone = cx.params.text("ZoneId");
    if !region.zones.contains(&zone) {
        return Err(refuse("InvalidZoneId.NotFound"));
    }
    let cidr = cx.params.text("CidrBlock");
    let net = block(&cidr, 16..=29)?;
    if !vpc.cidr.parse::<Ipv4Net>().is_ok_and(|whole| whole.contains(&net)) {
        return Err(
            refuse("InvalidCidrBlock.Malformed").saying("Specified CidrBlock is not within that of the VPC.")
        );
    }
    let mut siblings = cx.account().vswitches.values().filter(|vswitch| vswitch.vpc_id == vpc_id);
    if siblings.any(|vswitch| {
        vswitch.cidr.parse::<Ipv4Net>().is_ok_and(|other| other.contains(&net) || net.contains(&other))
    }) {
        return Err(refuse("InvalidCidrBlock.Overlapped"));
    }
    let name = cx.params.text("VSwitchName");
    if !name.is_empty() && !proper_name(&name) {
        return Err(refuse("InvalidVSwitchName.Malformed"));
    }
    let tags = cx.params.tags()?;
    let has = cx.account().vswitches.values().filter(|vswitch| vswitch.vpc_id == vpc_id).count();
    cx.within_quota("vswitch", 150, has, "QuotaExceeded.VSwitch")?;
    let vswitch = VSwitch {
        id: cx.new_id("vsw", region),
        region: region.id.clone(),
        vpc_id,
        zone,
        cidr,
        name,
        description: cx.params.text("Description"),
        tags,
        created: cx.now(),
        stage: cx.stage(NetworkStatus::Pending, &[(timings::VSWITCH_CREATE, NetworkStatus::Available)]),
    };
    let answer = json!({"VSwitchId": vswitch.id});
    cx.account_mut().vswitches.insert(vswitch.id.clone(), vswitch);
    Ok(answer)
}

fn describe_vswitches(cx: &mut Cx<'_>) -> Answer {
    let params = cx.params;
    let wanted: Option<Vec<&str>> = params.get("VSwitchId").map(|ids| ids.split(',').collect());
    let account = cx.account();
    let vswitches = account.vswitches.values().filter(|vswitch| {
        cx.in_region(&vswitch.region)
            && vswitch.stage.now != NetworkStatus::Deleting
            && wanted.as_ref().is_none_or(|ids| ids.contains(&vswitch.id.as_str()))
            && params.get("VpcId").is_none_or(|vpc| vpc == vswitch.vpc_id)
            && params.get("ZoneId").is_none_or(|zone| zone == vswitch.zone)
            && params.get("VSwitchName").is_none_or(|name| name == vswitch.name)
            && params.wants(&vswitch.tags)
    });
    let items: Vec<Value> = vswitches
        .map(|vswitch| {
            let used = account.instances.values().filter(|instance| instance.vswitch_id == vswitch.id).count();
            let hosts = vswitch.cidr.parse::<Ipv4Net>().map_or(0, |net| (1_usize << (32 - net.prefix_len())).saturating_sub(4));
            json!({
                "VSwitchId": vswitch.id, "VpcId": vswitch.vpc_id, "ZoneId": vswitch.zone, "CidrBlock": vswitch.cidr,
                "VSwitchName": vswitch.name, "Description": vswitch.description, "Status": vswitch.stage.now,
                "AvailableIpAddressCount": hosts.saturating_sub(used), "IsDefault": false,
                "CreationTime": vswitch.created.to_seconds(), "Tags": vpc_tags(&vswitch.tags),
            })
        })
        .collect();
    cx.page("VSwitches", "VSwitch", items, PAGE_50)
}

fn delete_vswitch(cx: &mut Cx<'_>) -> Answer {
    let id = cx.params.text("VSwitchId");
    let vswitch = cx.account().vswitches.get(&id).filter(|vswitch| cx.in_region(&vswitch.region));
    let vswitch = vswitch.ok_or_else(|| refuse("InvalidVSwitchID.NotFound"))?;
    match vswitch.stage.now {
        NetworkStatus::Pending => return Err(refuse("IncorrectVSwitchStatus")),
        NetworkStatus::Deleting | NetworkStatus::Deleted => return Err(refuse("InvalidVSwitchID.NotFound")),
        NetworkStatus::Available => {}
    }
    if cx.account().instances.values().any(|instance| instance.vswitch_id == id) {
        return Err(refuse("DependencyViolation").with_status(400));
    }
    let stage: Stage<NetworkStatus> =
        cx.stage(NetworkStatus::Deleting, &[(timings::VSWITCH_DELETE, NetworkStatus::Deleted)]);
    if let Some(vswitch) = cx.account_mut().vswitches.get_mut(&id) {
        vswitch.stage = stage;
    }
    Ok(json!({}))
}
