//! The tags every temporary resource carries, and finding what a lost journal no longer names.

use std::collections::BTreeMap;
use std::time::Duration;

use alicloud_api::ecs::{self, Tag};
use alicloud_api::vpc;
use async_trait::async_trait;
use kiln_core::error::Result;
use kiln_core::ledger::{Intent, Resource};
use kiln_core::reclaim::{Sweep, Swept};

use crate::cloud::{Cloud, REGION};
use crate::failure::Doing as _;
use crate::reclaim::Kind;

/// The run's id.
const RUN: &str = "kiln-run";
/// The client token of the creating call: finds the one resource of an intent.
pub(crate) const TOKEN: &str = "kiln-token";
/// The time after which the run cannot be alive any more, RFC 3339.
const UNTIL: &str = "kiln-until";
/// No build lives longer.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Returns the tags of a temporary resource: Kiln's three and the template's `run_tags`.
pub(crate) fn temporary(run: &str, token: &str, run_tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let until = (jiff::Timestamp::now() + LIFE).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let own = [Tag::new(RUN, run), Tag::new(TOKEN, token), Tag::new(UNTIL, until)];
    own.into_iter().chain(from_map(run_tags)).collect()
}

/// Returns the keys of [`temporary`].
pub(crate) fn keys_of_temporary(run_tags: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    [RUN, TOKEN, UNTIL].into_iter().chain(run_tags.keys().map(String::as_str))
}

/// Returns tags of a map, sorted by key.
pub(crate) fn from_map(map: &BTreeMap<String, String>) -> impl Iterator<Item = Tag> {
    map.iter().map(|(key, value)| Tag::new(key, value))
}

/// Finds temporary resources of a region by their tags.
pub(crate) struct TagSweep {
    cloud: Cloud,
}

impl TagSweep {
    pub(crate) fn new(cloud: Cloud, region: &str) -> TagSweep {
        TagSweep { cloud: cloud.in_region(region) }
    }

    fn swept(&self, kind: Kind, id: &str, tags: &[Tag]) -> Option<Swept> {
        let tag = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
        let run = tag(RUN)?;
        let expired = tag(UNTIL)
            .and_then(|until| until.parse::<jiff::Timestamp>().ok())
            .is_some_and(|until| until < jiff::Timestamp::now());
        let mut place = self.cloud.place();
        place.insert(REGION.to_owned(), self.cloud.region().to_string());
        // Without a journal, what depends on what is known by kind only.
        let key = format!("{}/{id}", kind.key());
        let intent = Intent { key, kind: kind.name().to_owned(), place, ..Intent::default() };
        let resource = Resource { intent, id: Some(id.to_owned()), facts: BTreeMap::new() };
        Some(Swept { resource, run, expired })
    }

    async fn instances(&self) -> Result<Vec<Swept>> {
        let all =
            self.cloud.ecs().all(&ecs::DescribeInstances::default()).await.doing("look instances up")?;
        let swept = all.iter().filter_map(|it| self.swept(Kind::Instance, it.instance_id.as_str(), &it.tags));
        Ok(swept.collect())
    }

    async fn others(&self) -> Result<Vec<Swept>> {
        let (ecs, vpc) = (self.cloud.ecs(), self.cloud.vpc());
        let (key_pairs, groups, snapshots) = (
            ecs::DescribeKeyPairs::default(),
            ecs::DescribeSecurityGroups::default(),
            ecs::DescribeSnapshots::default(),
        );
        let (vswitches, vpcs) = (vpc::DescribeVSwitches::default(), vpc::DescribeVpcs::default());
        let (key_pairs, groups, snapshots, vswitches, vpcs) = futures_util::join!(
            ecs.all(&key_pairs),
            ecs.all(&groups),
            ecs.all(&snapshots),
            vpc.all(&vswitches),
            vpc.all(&vpcs)
        );
        let mut swept = Vec::new();
        for it in key_pairs.doing("look key pairs up")? {
            swept.extend(self.swept(Kind::KeyPair, &it.key_pair_name, &it.tags));
        }
        for it in groups.doing("look security groups up")? {
            swept.extend(self.swept(Kind::SecurityGroup, it.security_group_id.as_str(), &it.tags));
        }
        for it in snapshots.doing("look snapshots up")? {
            swept.extend(self.swept(Kind::Snapshot, it.snapshot_id.as_str(), &it.tags));
        }
        for it in vswitches.doing("look vSwitches up")? {
            swept.extend(self.swept(Kind::VSwitch, it.vswitch_id.as_str(), &it.tags));
        }
        for it in vpcs.doing("look VPCs up")? {
            swept.extend(self.swept(Kind::Vpc, it.vpc_id.as_str(), &it.tags));
        }
        Ok(swept)
    }
}

#[async_trait]
impl Sweep for TagSweep {
    async fn sweep(&self, run: Option<&str>) -> Result<Vec<Swept>> {
        let (instances, others) = futures_util::join!(self.instances(), self.others());
        let mut swept = instances?;
        swept.extend(others?);
        swept.retain(|found| run.is_none_or(|run| found.run == run));
        order(&mut swept);
        Ok(swept)
    }
}

/// Says what must go before what: every resource of a run needs those of later kinds.
fn order(swept: &mut [Swept]) {
    let all: Vec<(String, u32, String)> = swept
        .iter()
        .map(|found| {
            let kind = Kind::of(&found.resource.intent.kind);
            (found.run.clone(), kind.map_or(0, Kind::depth), found.resource.intent.key.clone())
        })
        .collect();
    for (index, found) in swept.iter_mut().enumerate() {
        let (run, depth, _) = &all[index];
        let needs = all.iter().filter(|(other, deeper, _)| other == run && deeper > depth);
        found.resource.intent.needs = needs.map(|(_, _, key)| key.clone()).collect();
    }
}
