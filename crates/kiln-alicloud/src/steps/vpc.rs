//! The network: one the account owns, or a temporary one.

use alicloud_api::vpc::{CreateVpc, DescribeVpcs};
use alicloud_api::{Verdict, VpcId};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::run::Acquired;

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
pub(crate) async fn find_or_make(site: &Site<'_>, lane: &Lane, known: Option<VpcId>) -> Result<VpcId> {
    if let Some(id) = known {
        return Ok(id);
    }
    match given(&site.plan.config.launch.vpc_id) {
        Some(id) => existing(site, id).await,
        None => make(site, lane).await,
    }
}

async fn existing(site: &Site<'_>, id: &str) -> Result<VpcId> {
    let request = DescribeVpcs { vpc_id: Some(id.into()), ..Default::default() };
    let answer = site.cloud.vpc().describe_vpcs(&request).await.doing("Failed querying vpcs")?;
    answer.vpcs.into_iter().next().map(|vpc| vpc.vpc_id).ok_or_else(|| {
        Error::new(format!("The specified vpc {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint(format!("check `vpc_id`: `{}` has no such VPC", site.plan.region))
    })
}

async fn make(site: &Site<'_>, lane: &Lane) -> Result<VpcId> {
    lane.say("Creating vpc...").await;
    let vpc = site.cloud.vpc();
    let config = &site.plan.config;
    let intent = site.intent(Kind::Vpc, &[]);
    let request = CreateVpc {
        client_token: Some(intent.token.clone()),
        cidr_block: Some(given(&config.launch.vpc_cidr_block).unwrap_or(DEFAULT_BLOCK).to_owned()),
        vpc_name: given(&config.launch.vpc_name).map(str::to_owned),
        tags: tags::temporary(site.cx.run.id(), &intent.token, &config.launch.run_tags),
        ..Default::default()
    };
    let create = || async {
        let made = vpc.create_vpc(&request).await.doing("Failed creating vpc")?;
        Ok(Acquired::id(made.vpc_id))
    };
    let held = site.cx.run.acquire(intent, create).await?;
    let look = DescribeVpcs { vpc_id: Some(held.id.as_str().into()), ..Default::default() };
    let (vpc, look) = (&vpc, &look);
    let probe = || async move {
        let answer = vpc.describe_vpcs(look).await?;
        let status = answer.vpcs.into_iter().next().map(|vpc| vpc.status).unwrap_or_default();
        Ok(if status == "Available" { Verdict::Done(()) } else { Verdict::not_yet(status) })
    };
    let what = format!("VPC `{}`", held.id);
    site.cloud.wait(what, SHORT, &[], probe).await.doing("Failed waiting for vpc to become available")?;
    lane.message(format!("Created vpc: {}", held.id)).await;
    Ok(held.id.into())
}
