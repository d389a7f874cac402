//! What an image must carry besides its content: tags, also on its snapshots, boot mode, the marks of its hardware,
//! description. The cloud does not carry all of it to copies, so it is set again where it differs, and looked at once
//! more: an image that lacks something must not be handed over.

use alicloud_api::ecs::{Image, ImageFeatures, ModifyImageAttribute, ResourceType, TagResources};
use alicloud_api::{ImageId, Verdict};
use kiln_core::error::Result;

use super::image::look_at;
use crate::build::Site;
use crate::cloud::{Cloud, SHORT};
use crate::config::{Marks, given};
use crate::failure::Doing as _;
use crate::publish::Ready;
use crate::tags;

/// Gives the image's snapshots the image's tags. `said`: with Packer's line for each.
pub(crate) async fn tag_snapshots(site: &Site<'_>, ready: &Ready, said: bool) -> Result<()> {
    let snapshots = ready.image.disk_device_mappings.iter().map(|disk| disk.snapshot_id.to_string());
    let ids: Vec<String> = snapshots.filter(|id| !id.is_empty()).collect();
    let tags = &site.plan.image.tags;
    if tags.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    for id in ids.iter().filter(|_| said) {
        let line = format!("Adding tags(map[{}]) to snapshot: {id}", shown.join(" "));
        site.cx.events.say(line).await;
    }
    // The API takes at most 50 resources a call.
    for portion in ids.chunks(50) {
        let tags = tags::from_map(tags).collect();
        let request =
            TagResources { resource_type: ResourceType::Snapshot, resource_ids: portion.to_vec(), tags };
        ready.cloud.ecs().tag_resources(&request).await.doing("Error Adding tags to snapshot")?;
    }
    Ok(())
}

/// Gives an available image of `cloud`'s region what it must carry and does not, and returns it as it is then.
pub(super) async fn settle(site: &Site<'_>, cloud: &Cloud, image: &Image, marks: &Marks) -> Result<Image> {
    if lacks(site, image, marks).is_none() {
        return Ok(image.clone());
    }
    let id = &image.image_id;
    if lacks_tags(site, image) {
        let tags = tags::from_map(&site.plan.image.tags).collect();
        let resource_ids = vec![id.to_string()];
        let request = TagResources { resource_type: ResourceType::Image, resource_ids, tags };
        cloud.ecs().tag_resources(&request).await.doing("Error Adding tags to image")?;
    }
    let request = changes(site, image, marks);
    if request != (ModifyImageAttribute { image_id: id.clone(), ..Default::default() }) {
        let done = cloud.ecs().modify_image_attribute(&request).await;
        done.doing(format!("Error modifying image {id}"))?;
    }
    settled(site, cloud, id, marks).await.doing(format!("Error verifying image {id}"))
}

fn changes(site: &Site<'_>, image: &Image, marks: &Marks) -> ModifyImageAttribute {
    let differs = |wanted: &Option<String>, has: Option<&str>| {
        wanted.clone().filter(|wanted| Some(wanted.as_str()) != has)
    };
    let features = ImageFeatures {
        imds_support: differs(&marks.features.imds_support, image.features.imds_support.as_deref()),
        nvme_support: differs(&marks.features.nvme_support, image.features.nvme_support.as_deref()),
    };
    let description = given(&site.plan.config.image.image_description);
    ModifyImageAttribute {
        image_id: image.image_id.clone(),
        description: description.filter(|wanted| image.description != *wanted).map(str::to_owned),
        boot_mode: differs(&marks.boot_mode, Some(&image.boot_mode)),
        features: Some(features).filter(|features| *features != ImageFeatures::default()),
        ..Default::default()
    }
}

/// The cloud may take a moment to show what it was told.
async fn settled(site: &Site<'_>, cloud: &Cloud, id: &ImageId, marks: &Marks) -> alicloud_api::Result<Image> {
    let (ecs, look) = (&cloud.ecs(), &look_at(id));
    let probe = || async move {
        let Some(image) = ecs.describe_images(look).await?.images.into_iter().next() else {
            return Ok(Verdict::not_yet("not listed"));
        };
        Ok(match lacks(site, &image, marks) {
            None => Verdict::Done(image),
            Some(lack) => Verdict::not_yet(lack),
        })
    };
    let what = format!("image `{id}` in `{}` to carry what it should", cloud.region());
    cloud.wait(what, SHORT, &[], probe).await
}

/// Says how an image stands that is not yet as it should be.
fn lacks(site: &Site<'_>, image: &Image, marks: &Marks) -> Option<String> {
    let missing = changes(site, image, marks);
    let features = missing.features.unwrap_or_default();
    let told = |what: &str, has: Option<&str>| format!("with {what} `{}`", has.unwrap_or_default());
    if image.status != "Available" {
        Some(image.status.clone())
    } else if lacks_tags(site, image) {
        Some("without some of its tags".to_owned())
    } else if missing.boot_mode.is_some() {
        Some(told("boot mode", Some(&image.boot_mode)))
    } else if features.nvme_support.is_some() {
        Some(told("NVMe support", image.features.nvme_support.as_deref()))
    } else if features.imds_support.is_some() {
        Some(told("IMDS support", image.features.imds_support.as_deref()))
    } else {
        missing.description.map(|_| "with another description".to_owned())
    }
}

fn lacks_tags(site: &Site<'_>, image: &Image) -> bool {
    tags::from_map(&site.plan.image.tags).any(|tag| !image.tags.contains(&tag))
}
