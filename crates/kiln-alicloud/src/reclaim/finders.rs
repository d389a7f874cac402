//! Finds what an intent may have created when no answer told its id: by the token in its tags, or by its name.

use std::collections::BTreeMap;

use alicloud_api::ecs::{self, Tag};
use alicloud_api::vpc;
use kiln_core::error::Result;
use kiln_core::ledger::{Intent, Resource};

use super::Kind;
use crate::cloud::Cloud;
use crate::failure::Doing as _;
use crate::tags::TOKEN;

pub(super) async fn find(kind: Kind, cloud: &Cloud, intent: &Intent) -> Result<Vec<Resource>> {
    let ids =
        ids(kind, cloud, intent).await.doing(format!("look for the {} of a lost answer", kind.thing()))?;
    let resource = |id| Resource { intent: intent.clone(), id: Some(id), facts: BTreeMap::new() };
    Ok(ids.into_iter().map(resource).collect())
}

async fn ids(kind: Kind, cloud: &Cloud, intent: &Intent) -> alicloud_api::Result<Vec<String>> {
    let (ecs, vpc) = (cloud.ecs(), cloud.vpc());
    let tags = vec![Tag::new(TOKEN, &intent.token)];
    Ok(match kind {
        Kind::KeyPair => {
            let key_pair_name = intent.name.clone();
            let all = ecs.all(&ecs::DescribeKeyPairs { key_pair_name, tags, ..Default::default() }).await?;
            all.into_iter()
                .map(|it| it.key_pair_name)
                .filter(|name| Some(name) == intent.name.as_ref())
                .collect()
        }
        Kind::Image | Kind::ImageCopy | Kind::ReplacedImage => image_of_this_build(cloud, intent).await?,
        Kind::Snapshot => {
            let all = ecs.all(&ecs::DescribeSnapshots { tags, ..Default::default() }).await?;
            all.into_iter().map(|it| it.snapshot_id.to_string()).collect()
        }
        Kind::Instance => {
            let all = ecs.all(&ecs::DescribeInstances { tags, ..Default::default() }).await?;
            all.into_iter().map(|it| it.instance_id.to_string()).collect()
        }
        Kind::SecurityGroup => {
            let all = ecs.all(&ecs::DescribeSecurityGroups { tags, ..Default::default() }).await?;
            all.into_iter().map(|it| it.security_group_id.to_string()).collect()
        }
        Kind::VSwitch => {
            let all = vpc.all(&vpc::DescribeVSwitches { tags, ..Default::default() }).await?;
            all.into_iter().map(|it| it.vswitch_id.to_string()).collect()
        }
        Kind::Vpc => {
            let all = vpc.all(&vpc::DescribeVpcs { tags, ..Default::default() }).await?;
            all.into_iter().map(|it| it.vpc_id.to_string()).collect()
        }
        // The id was known before: of the account's own address, or of the image, named in the intent.
        Kind::EipAssociation | Kind::ImageShare => intent.name.iter().cloned().collect(),
    })
}

/// Statuses that a lost image may have; without the filter only available ones are listed.
pub(crate) const EVERY_STATUS: [&str; 4] = ["Waiting", "Creating", "CreateFailed", "Available"];

/// The image carries the user's tags alone, so it is known by its exact name among our own — and by being younger than
/// its intent, which keeps an image that had the name before safe.
async fn image_of_this_build(cloud: &Cloud, intent: &Intent) -> alicloud_api::Result<Vec<String>> {
    let request = ecs::DescribeImages {
        image_name: intent.name.clone(),
        image_owner_alias: Some("self".to_owned()),
        status: EVERY_STATUS.map(str::to_owned).to_vec(),
        ..Default::default()
    };
    let before: Vec<&str> = intent.place.get(BEFORE).map(|ids| ids.split(',').collect()).unwrap_or_default();
    let all = cloud.ecs().all(&request).await?;
    let ours = all.into_iter().filter(|image| Some(&image.image_name) == intent.name.as_ref());
    Ok(ours.map(|image| image.image_id.to_string()).filter(|id| !before.contains(&id.as_str())).collect())
}

/// Key of an image intent's place: ids of images that had the name before, separated by commas.
pub(crate) const BEFORE: &str = "existed_before";
