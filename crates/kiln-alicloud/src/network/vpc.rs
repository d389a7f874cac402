//! The network: one the account owns, or a temporary one.

use alicloud_api::vpc::{CreateVpc, DescribeVpcs, VpcInfo};
use alicloud_api::{Verdict, VpcId};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::run::Acquired;

use super::{Part, intent, share};
use crate::build::Site;
use crate::cloud::SHORT;
use crate::config::given;
use crate::failure::Doing as _;
use crate::lanes::Lane;
use crate::reclaim::Kind;
use crate::tags;

/// What the API documents as its default; always sent, since versions of the documentation differ.
const DEFAULT_BLOCK: &str = "172.16.0.0/16";

/// Returns the VPC to build in. `known` is that of an existing vSwitch.
pub(super) async fn find_or_make(site: &Site<'_>, lane: &Lane, known: Option<VpcId>) -> Result<Part> {
    if let Some(id) = known {
        return Ok(Part::owned(id));
    }
    match given(&site.plan.config.launch.vpc_id) {
        Some(id) => Ok(Part::owned(owned(site, id).await?.vpc_id)),
        None => make(site, lane).await,
    }
}

/// Returns a VPC of the account.
pub(super) async fn owned(site: &Site<'_>, id: &str) -> Result<VpcInfo> {
    let request = DescribeVpcs { vpc_id: Some(id.into()), ..Default::default() };
    let answer = site.cloud.vpc().describe_vpcs(&request).await.doing("Failed querying vpcs")?;
    answer.vpcs.into_iter().next().ok_or_else(|| {
        Error::new(format!("The specified vpc {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint(format!("check `vpc_id`: `{}` has no such VPC", site.plan.region))
    })
}

async fn make(site: &Site<'_>, lane: &Lane) -> Result<Part> {
    lane.say("Creating vpc...").await;
    let launch = &site.plan.config.launch;
    let (name, block) = (given(&launch.vpc_name), block(site));
    let tags = serde_json::to_string(&launch.run_tags).unwrap_or_default();
    let intent = intent(site, Kind::Vpc, &[name.unwrap_or_default(), block, &tags], None);
    let request = CreateVpc {
        client_token: Some(intent.token.clone()),
        cidr_block: Some(block.to_owned()),
        vpc_name: name.map(str::to_owned),
        tags: tags::temporary(site.cx.run.id(), &intent.token, &launch.run_tags),
        ..Default::default()
    };
    let create = || async {
        let made = site.cloud.vpc().create_vpc(&request).await.doing("Failed creating vpc")?;
        Ok(Acquired::id(made.vpc_id))
    };
    let key = intent.key.clone();
    let vpc = share(site, intent, create).await?;
    site.cx.commons.once(&key, &site.cx.cancel, || available(site, &vpc.id)).await?;
    lane.message(format!("Created vpc: {}", vpc.id)).await;
    Ok(vpc)
}

/// Returns the address block of a temporary VPC.
pub(super) fn block<'a>(site: &'a Site<'_>) -> &'a str {
    given(&site.plan.config.launch.vpc_cidr_block).unwrap_or(DEFAULT_BLOCK)
}

async fn available(site: &Site<'_>, id: &str) -> Result<()> {
    let vpc = site.cloud.vpc();
    let look = DescribeVpcs { vpc_id: Some(id.into()), ..Default::default() };
    let (vpc, look) = (&vpc, &look);
    let probe = || async move {
        let answer = vpc.describe_vpcs(look).await?;
        let status = answer.vpcs.into_iter().next().map(|vpc| vpc.status).unwrap_or_default();
        Ok(if status == "Available" { Verdict::Done(()) } else { Verdict::not_yet(status) })
    };
    let waited = site.cloud.wait(format!("VPC `{id}`"), SHORT, &[], probe).await;
    waited.doing("Failed waiting for vpc to become available")
}
