//! Looks before anything is made: does the region exist, is the image's name free?

use std::collections::BTreeSet;

use alicloud_api::ecs::{DescribeImages, DescribeRegions, Image};
use kiln_core::error::{Error, ErrorKind, Result};

use crate::build::Site;
use crate::cloud::Cloud;
use crate::failure::Doing as _;
use crate::reclaim::EVERY_STATUS;

/// Fails if the region is not one, or if an image of ours has exactly the name (the API's own filter also matches
/// names that merely contain it).
pub(crate) async fn pre_validate(site: &Site<'_>) -> Result<()> {
    let events = &site.cx.events;
    if site.plan.config.skip_region_validation {
        let text =
            "Skip region validation flag found, skipping prevalidating source region and copied regions.";
        events.say(text).await;
    } else {
        events.say("Prevalidating source region and copied regions...").await;
        region_exists(site).await?;
    }
    if site.plan.force_delete {
        events.say("Force delete flag found, skipping prevalidating image name.").await;
        return Ok(());
    }
    events.say("Prevalidating image name...").await;
    let name = &site.plan.image_name;
    let taken = own_images(&site.cloud, name).await.doing("Error querying alicloud image")?;
    match taken.first() {
        None => Ok(()),
        Some(image) => Err(Error::new(format!(
            "Error: Image Name: '{name}' is used by an existing alicloud image: {}",
            image.image_id
        ))
        .kind(ErrorKind::Refused)
        .hint("choose another `image_name`, or replace that image with `image_force_delete` or -force")),
    }
}

async fn region_exists(site: &Site<'_>) -> Result<()> {
    let region = &site.plan.region;
    let answer = site.cloud.ecs().describe_regions(&DescribeRegions::default()).await;
    let answer = answer.doing("Error querying regions")?;
    let known: BTreeSet<&str> = answer.regions.iter().map(|known| known.region_id.as_str()).collect();
    if known.contains(region.as_str()) {
        return Ok(());
    }
    let error = Error::new(format!("Not a valid alicloud region: {region}")).kind(ErrorKind::Refused);
    Err(match kiln_core::diagnostic::nearest(region.as_str(), known) {
        Some(near) => error.hint(format!("is `{near}` meant?")),
        None => error.hint("`kiln` asked DescribeRegions; see the cloud's list of regions"),
    })
}

/// Returns the account's own images of exactly this name, in any state.
pub(crate) async fn own_images(cloud: &Cloud, name: &str) -> alicloud_api::Result<Vec<Image>> {
    let request = DescribeImages {
        image_name: Some(name.to_owned()),
        image_owner_alias: Some("self".to_owned()),
        status: EVERY_STATUS.map(str::to_owned).to_vec(),
        ..Default::default()
    };
    let mut images = cloud.ecs().all(&request).await?;
    images.retain(|image| image.image_name == name);
    Ok(images)
}
