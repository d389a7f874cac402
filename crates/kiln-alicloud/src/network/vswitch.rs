//! The subnet: one the account owns, or a temporary one in a zone that has the instance type in stock.

use alicloud_api::vpc::{CreateVSwitch, DescribeVSwitches};
use alicloud_api::{Verdict, VpcId, ZoneId};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::run::Acquired;

use super::block::Block;
use super::{Part, Subnet, intent, share, vpc};
use crate::build::Site;
use crate::cloud::SHORT;
use crate::config::given;
use crate::failure::Doing as _;
use crate::lanes::Lane;
use crate::reclaim::Kind;
use crate::tags;

/// The block Packer's plug-in takes in a VPC of the account.
const USUAL_BLOCK: &str = "172.16.0.0/24";
/// What a vSwitch takes of a temporary VPC: about 4,000 addresses, since all builds of the run in a zone share it.
const SHARED_PREFIX: u32 = 20;

/// Returns the vSwitch the template names, with its VPC.
pub(super) async fn owned(site: &Site<'_>) -> Result<Option<(Subnet, VpcId)>> {
    let launch = &site.plan.config.launch;
    let Some(id) = given(&launch.vswitch_id) else {
        return Ok(None);
    };
    let request = DescribeVSwitches {
        vswitch_id: Some(id.into()),
        vpc_id: given(&launch.vpc_id).map(Into::into),
        ..Default::default()
    };
    let answer = site.cloud.vpc().describe_vswitches(&request).await.doing("Failed querying vswitch")?;
    let found = answer.vswitches.into_iter().next().ok_or_else(|| {
        Error::new(format!("The specified vswitch {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint("check `vswitch_id`, and that it belongs to `vpc_id`")
    })?;
    if let Some(zone) = given(&launch.zone_id).filter(|zone| *zone != found.zone_id.as_str()) {
        let hint =
            format!("it is in zone `{}`, and `zone_id` is `{zone}`: leave `zone_id` out", found.zone_id);
        let error = Error::new(format!("The specified vswitch {{{id}}} doesn't exist."));
        return Err(error.kind(ErrorKind::Refused).hint(hint));
    }
    Ok(Some((Subnet { id: found.vswitch_id, zone: found.zone_id, key: None }, found.vpc_id)))
}

/// Makes a temporary vSwitch in `zone`.
pub(super) async fn make(site: &Site<'_>, lane: &Lane, vpc: &Part, zone: &ZoneId) -> Result<Subnet> {
    lane.say("Creating vswitch...").await;
    let launch = &site.plan.config.launch;
    let name = given(&launch.vswitch_name);
    let tags = serde_json::to_string(&launch.run_tags).unwrap_or_default();
    let wanted = given(&launch.vpc_cidr_block).unwrap_or_default();
    let settings = [&vpc.id, zone.as_str(), name.unwrap_or_default(), wanted, &tags];
    let intent = intent(site, Kind::VSwitch, &settings, Some(vpc));
    let token = intent.token.clone();
    let create = || async {
        let request = CreateVSwitch {
            client_token: Some(token.clone()),
            vpc_id: vpc.id.as_str().into(),
            zone_id: zone.clone(),
            cidr_block: block(site, vpc, zone).await?,
            vswitch_name: name.map(str::to_owned),
            tags: tags::temporary(site.cx.run.id(), &token, &launch.run_tags),
            ..Default::default()
        };
        let made = site.cloud.vpc().create_vswitch(&request).await.doing("Error Creating vswitch")?;
        Ok(Acquired::id(made.vswitch_id))
    };
    let key = intent.key.clone();
    let made = share(site, intent, create).await?;
    site.cx.commons.once(&key, &site.cx.cancel, || available(site, &made.id)).await?;
    lane.message(format!("Created vswitch: {}", made.id)).await;
    Ok(Subnet { id: made.id.into(), zone: zone.clone(), key: made.key })
}

/// Returns the block of a vSwitch: a slice of a temporary VPC, or something free in a VPC of the account. What cannot
/// be read as a block goes to the cloud as it is, whose refusal names it.
async fn block(site: &Site<'_>, vpc: &Part, zone: &ZoneId) -> Result<String> {
    if vpc.key.is_some() {
        let whole = vpc::block(site);
        let block = whole.parse::<Block>().map(|it| it.slice_of_zone(SHARED_PREFIX, zone.as_str()));
        return Ok(block.map_or_else(|_| whole.to_owned(), |block| block.to_string()));
    }
    let wanted = given(&site.plan.config.launch.vpc_cidr_block).unwrap_or(USUAL_BLOCK);
    let found = vpc::owned(site, &vpc.id).await?;
    let Ok(whole) = found.cidr_block.parse::<Block>() else {
        return Ok(wanted.to_owned());
    };
    let request = DescribeVSwitches { vpc_id: Some(vpc.id.as_str().into()), ..Default::default() };
    let others = site.cloud.vpc().all(&request).await.doing("Failed querying vswitch")?;
    let taken: Vec<Block> = others.iter().filter_map(|other| other.cidr_block.parse().ok()).collect();
    let free = whole.free(wanted.parse().ok(), &taken).ok_or_else(|| {
        Error::new(format!("Error Creating vswitch: VPC `{}` ({whole}) has no free block of 24 bits", vpc.id))
            .kind(ErrorKind::Refused)
            .hint("name an existing vSwitch in `vswitch_id`, or another VPC in `vpc_id`")
    })?;
    Ok(free.to_string())
}

async fn available(site: &Site<'_>, id: &str) -> Result<()> {
    let vpc = site.cloud.vpc();
    let look = DescribeVSwitches { vswitch_id: Some(id.into()), ..Default::default() };
    let (vpc, look) = (&vpc, &look);
    let probe = || async move {
        let answer = vpc.describe_vswitches(look).await?;
        let status = answer.vswitches.into_iter().next().map(|vswitch| vswitch.status).unwrap_or_default();
        Ok(if status == "Available" { Verdict::Done(()) } else { Verdict::not_yet(status) })
    };
    let waited = site.cloud.wait(format!("vSwitch `{id}`"), SHORT, &[], probe).await;
    waited.doing("Timeout waiting for vswitch to become available")
}
