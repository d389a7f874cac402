//! The subnet: one the account owns, or a temporary one in a zone that has the instance type in stock.

use alicloud_api::vpc::{CreateVSwitch, DescribeVSwitches, VSwitch};
use alicloud_api::{VSwitchId, Verdict, VpcId, ZoneId};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::run::Acquired;

use crate::build::Site;
use crate::cloud::SHORT;
use crate::config::given;
use crate::failure::Doing as _;
use crate::lanes::Lane;
use crate::reclaim::Kind;
use crate::tags;

const DEFAULT_BLOCK: &str = "172.16.0.0/24";

/// Where the instance will stand.
pub(crate) struct Subnet {
    pub id: VSwitchId,
    pub zone: ZoneId,
}

/// Returns the vSwitch the template names, with its VPC.
pub(crate) async fn existing(site: &Site<'_>) -> Result<Option<VSwitch>> {
    let config = &site.plan.config;
    let Some(id) = given(&config.launch.vswitch_id) else {
        return Ok(None);
    };
    let request = DescribeVSwitches {
        vswitch_id: Some(id.into()),
        vpc_id: given(&config.launch.vpc_id).map(Into::into),
        ..Default::default()
    };
    let answer = site.cloud.vpc().describe_vswitches(&request).await.doing("Failed querying vswitch")?;
    answer.vswitches.into_iter().next().map(Some).ok_or_else(|| {
        Error::new(format!("The specified vswitch {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint("check `vswitch_id`, and that it belongs to `vpc_id`")
    })
}

/// Makes a temporary vSwitch.
pub(crate) async fn make(site: &Site<'_>, lane: &Lane, vpc_id: VpcId, zone: ZoneId) -> Result<Subnet> {
    lane.say("Creating vswitch...").await;
    let vpc = site.cloud.vpc();
    let config = &site.plan.config;
    let intent = site.intent(Kind::VSwitch, &[Kind::Vpc]);
    let request = CreateVSwitch {
        client_token: Some(intent.token.clone()),
        vpc_id,
        zone_id: zone.clone(),
        cidr_block: given(&config.launch.vpc_cidr_block).unwrap_or(DEFAULT_BLOCK).to_owned(),
        vswitch_name: given(&config.launch.vswitch_name).map(str::to_owned),
        tags: tags::temporary(site.cx.run.id(), &intent.token, &config.launch.run_tags),
        ..Default::default()
    };
    let create = || async {
        let made = vpc.create_vswitch(&request).await.doing("Error Creating vswitch")?;
        Ok(Acquired::id(made.vswitch_id))
    };
    let held = site.cx.run.acquire(intent, create).await?;
    let look = DescribeVSwitches { vswitch_id: Some(held.id.as_str().into()), ..Default::default() };
    let (vpc, look) = (&vpc, &look);
    let probe = || async move {
        let answer = vpc.describe_vswitches(look).await?;
        let status = answer.vswitches.into_iter().next().map(|vswitch| vswitch.status).unwrap_or_default();
        Ok(if status == "Available" { Verdict::Done(()) } else { Verdict::not_yet(status) })
    };
    let what = format!("vSwitch `{}`", held.id);
    let waited = site.cloud.wait(what, SHORT, &[], probe).await;
    waited.doing("Timeout waiting for vswitch to become available")?;
    lane.message(format!("Created vswitch: {}", held.id)).await;
    Ok(Subnet { id: held.id.into(), zone })
}
