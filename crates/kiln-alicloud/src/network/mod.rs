//! Where instances stand: VPC, vSwitch and security group, each the account's own or a temporary one.
//!
//! Temporary ones are shared by all builds of the run that ask for the same (account, region, settings): a thousand
//! builds need one VPC, and an account may have ten. They go with the last build.

mod block;
mod security_group;
mod vpc;
mod vswitch;

use alicloud_api::{VSwitchId, VpcId, ZoneId};
use kiln_core::error::Result;
use kiln_core::ledger::Intent;
use kiln_core::run::Acquired;

use crate::build::Site;
use crate::lanes::{Lane, Lanes};
use crate::reclaim::Kind;

pub(crate) use security_group::vpc as vpc_of_security_group;

/// A part of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its id in the cloud.
    pub id: String,
    /// Its key in the ledger, if it is temporary: what stands on it needs this key.
    pub key: Option<String>,
}

impl Part {
    fn owned(id: impl Into<String>) -> Part {
        Part { id: id.into(), key: None }
    }
}

/// Where one instance will stand.
#[derive(Debug, Clone)]
pub(crate) struct Subnet {
    pub id: VSwitchId,
    pub zone: ZoneId,
    /// See [`Part::key`].
    pub key: Option<String>,
}

/// The build's network.
pub(crate) struct Network {
    vpc: Part,
    pub security_group: Part,
    /// The account's own vSwitch, if the template names one: there is no other zone then.
    own: Option<Subnet>,
    /// The vSwitch of the zone that was thought best.
    pub first: Subnet,
}

impl Network {
    /// Returns a vSwitch in `zone`, made now if there is none yet: when an instance cannot be had in the first zone.
    pub(crate) async fn subnet(&self, site: &Site<'_>, zone: &ZoneId) -> Result<Subnet> {
        if let Some(own) = &self.own {
            return Ok(own.clone());
        }
        if *zone == self.first.zone {
            return Ok(self.first.clone());
        }
        let [lane] = Lanes::open(&site.cx.events);
        lane.end_after(vswitch::make(site, &lane, &self.vpc, zone)).await
    }

    /// Returns the keys of what an instance in `subnet` stands on.
    pub(crate) fn needs(&self, subnet: &Subnet) -> Vec<String> {
        self.security_group.key.iter().chain(&subnet.key).cloned().collect()
    }
}

/// Whether `text` is an IPv4 address block, such as `172.16.0.0/16`.
pub(crate) fn is_block(text: &str) -> bool {
    text.parse::<block::Block>().is_ok()
}

/// Lanes of the three steps' lines.
pub(crate) struct NetworkLanes {
    pub vpc: Lane,
    pub vswitch: Lane,
    pub security_group: Lane,
}

/// VPC, then vSwitch (in `zone`, unless the template names one) ∥ security group.
pub(crate) async fn find_or_make(site: &Site<'_>, zone: &ZoneId, lanes: NetworkLanes) -> Result<Network> {
    let cx = site.cx;
    let own = vswitch::owned(site).await?;
    let known: Option<VpcId> = match &own {
        Some((_, vpc)) => Some(vpc.clone()),
        None => security_group::vpc(site).await?,
    };
    let own = own.map(|(subnet, _)| subnet);
    let vpc = cx.step("stepConfigAlicloudVPC", || vpc::find_or_make(site, &lanes.vpc, known.clone()));
    let vpc = lanes.vpc.end_after(vpc).await?;
    let subnet = cx.step("stepConfigAlicloudVSwitch", || async {
        match &own {
            Some(own) => Ok(own.clone()),
            None => vswitch::make(site, &lanes.vswitch, &vpc, zone).await,
        }
    });
    let group = cx.step("stepConfigAlicloudSecurityGroup", || {
        security_group::find_or_make(site, &lanes.security_group, &vpc)
    });
    let (first, security_group) =
        futures_util::join!(lanes.vswitch.end_after(subnet), lanes.security_group.end_after(group));
    Ok(Network { first: first?, security_group: security_group?, vpc, own })
}

/// Returns the intent to make something that all builds of the run use whose account, region and `settings` of it
/// are the same. `below` is what has to outlive it.
fn intent(site: &Site<'_>, kind: Kind, settings: &[&str], below: Option<&Part>) -> Intent {
    let whose = [kind.key(), site.cloud.region().as_str(), site.cloud.identity()];
    let key = [whose.as_slice(), settings].concat().join(" | ");
    Intent {
        kind: kind.name().to_owned(),
        token: site.cx.commons.token(&key),
        key,
        name: None,
        place: site.cloud.place(),
        needs: below.and_then(|part| part.key.clone()).into_iter().collect(),
    }
}

/// Makes what `intent` names, unless another build has done so.
async fn share<F, Fut>(site: &Site<'_>, intent: Intent, effect: F) -> Result<Part>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<Acquired>>,
{
    let held = site.cx.commons.acquire(intent, &site.cx.cancel, effect).await?;
    Ok(Part { id: held.id, key: Some(held.key) })
}
