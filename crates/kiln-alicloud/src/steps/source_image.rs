//! Finds the image to start from: by id (public, own, then marketplace), or the newest of a family.

use alicloud_api::ImageId;
use alicloud_api::ecs::{DescribeImageFromFamily, DescribeImages};
use kiln_core::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::build::Site;
use crate::config::Source;
use crate::failure::Doing as _;
use crate::lanes::Lane;

/// What the instance starts from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SourceImage {
    pub id: ImageId,
    pub name: String,
}

pub(crate) async fn find(site: &Site<'_>, lane: &Lane) -> Result<SourceImage> {
    let found = match &site.plan.launch.source {
        Source::Image(id) => by_id(site, id).await?,
        Source::Family(family) => newest_of(site, family).await?,
    };
    match &site.plan.launch.source {
        Source::Image(_) => lane.message(format!("Found image ID: {}", found.id)).await,
        // Spelt as the plug-in spells it: scripts look for the line.
        Source::Family(family) => {
            lane.message(format!("Found lastest image: {} by image family: {family}", found.id)).await;
        }
    }
    Ok(found)
}

async fn by_id(site: &Site<'_>, id: &str) -> Result<SourceImage> {
    let show_expired = site.plan.config.access.skip_image_validation.then_some(true);
    let request = DescribeImages { image_id: Some(id.into()), show_expired, ..Default::default() };
    let ecs = site.cloud.ecs();
    let mut images = ecs.describe_images(&request).await.doing("Error querying alicloud image")?.images;
    if images.is_empty() {
        let marketplace = DescribeImages { image_owner_alias: Some("marketplace".to_owned()), ..request };
        let answer = ecs.describe_images(&marketplace).await;
        images = answer.doing("Error querying alicloud marketplace image")?.images;
    }
    let image = images.into_iter().next().ok_or_else(|| {
        let region = &site.plan.region;
        Error::new(format!("No alicloud image was found matching filters: {id}"))
            .kind(ErrorKind::Refused)
            .hint(format!(
                "check `source_image`: `{region}` has no such image (any more: see `skip_image_validation`)"
            ))
    })?;
    Ok(SourceImage { id: image.image_id, name: image.image_name })
}

/// The instance is then created with the id found, so that a family that moves on meanwhile changes nothing.
async fn newest_of(site: &Site<'_>, family: &str) -> Result<SourceImage> {
    let request = DescribeImageFromFamily { image_family: family.to_owned() };
    let answer = site.cloud.ecs().describe_image_from_family(&request).await;
    let answer = answer.doing("Error querying alicloud image by image family")?;
    let image = answer.image.filter(|image| !image.image_id.as_str().is_empty()).ok_or_else(|| {
        Error::new(format!("No alicloud image was found matching image family: {family}"))
            .kind(ErrorKind::Refused)
            .hint("public families begin with `acs:`, such as `acs:ubuntu_22_04_x64`")
    })?;
    Ok(SourceImage { id: image.image_id, name: image.image_name })
}
