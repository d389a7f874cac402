//! The image: made of the stopped instance (or of its system disk's snapshot), waited for, its snapshots tagged.

use alicloud_api::ecs::{CreateImage, DescribeImages, Image, ResourceType, TagResources};
use alicloud_api::{ImageId, InstanceId, Verdict};
use kiln_core::error::Result;
use kiln_core::ledger::Intent;
use kiln_core::run::{Acquired, Held};

use super::pre_validate::own_images;
use super::snapshot::raise_timeout;
use crate::build::Site;
use crate::config::given;
use crate::failure::Doing as _;
use crate::reclaim::{BEFORE, EVERY_STATUS, Kind};
use crate::tags;

/// A finished image that is not yet the user's.
pub(crate) struct Made {
    pub held: Held,
    pub image: Image,
}

pub(crate) async fn make(site: &Site<'_>, instance: &InstanceId, snapshot: Option<&Held>) -> Result<Made> {
    let (plan, config) = (&site.plan.image, &site.plan.config.image);
    site.cx.events.say(format!("Creating image: {}", plan.name)).await;
    let before = own_images(&site.cloud, &plan.name).await.doing("Error querying alicloud image")?;
    let needs = snapshot.map_or(&[][..], |_| &[Kind::Snapshot]);
    let mut intent = Intent { name: Some(plan.name.clone()), ..site.intent(Kind::Image, needs) };
    if !before.is_empty() {
        let ids: Vec<&str> = before.iter().map(|image| image.image_id.as_str()).collect();
        intent.place.insert(BEFORE.to_owned(), ids.join(","));
    }
    let text = |field: &Option<String>| given(field).map(str::to_owned);
    let request = CreateImage {
        client_token: Some(intent.token.clone()),
        image_name: plan.name.clone(),
        image_version: text(&config.image_version),
        description: text(&config.image_description),
        image_family: text(&config.target_image_family),
        boot_mode: text(&config.boot_mode),
        instance_id: snapshot.is_none().then(|| instance.clone()),
        snapshot_id: snapshot.map(|snapshot| snapshot.id.as_str().into()),
        resource_group_id: text(&config.resource_group_id),
        tags: tags::from_map(&plan.tags).collect(),
        ..Default::default()
    };
    let create = || async {
        let made = site.cloud.ecs().create_image(&request).await.doing("Error creating image")?;
        Ok(Acquired::id(made.image_id))
    };
    let held = site.cx.run.acquire(intent, create).await?;
    let image = available(site, &held.id.as_str().into()).await?;
    Ok(Made { held, image })
}

async fn available(site: &Site<'_>, id: &ImageId) -> Result<Image> {
    let ecs = site.cloud.ecs();
    let status = EVERY_STATUS.map(str::to_owned).to_vec();
    let look = DescribeImages { image_id: Some(id.clone()), status, ..Default::default() };
    let (ecs, look, events) = (&ecs, &look, &site.cx.events);
    let probe = || async move {
        let answer = ecs.describe_images(look).await?;
        Ok(match answer.images.into_iter().next() {
            Some(image) if image.status == "Available" => Verdict::Done(image),
            Some(image) if ["CreateFailed", "UnAvailable"].contains(&image.status.as_str()) => {
                Verdict::failed(image.status)
            }
            Some(image) => {
                let percent = image.progress.trim_end_matches('%').parse().unwrap_or(0);
                events.progress("image", percent, Some(100), "%");
                Verdict::not_yet(format!("at {percent}%"))
            }
            None => Verdict::not_yet("not listed"),
        })
    };
    let waited = site.cloud.wait(format!("image `{id}`"), site.plan.image.snapshot_timeout, &[], probe).await;
    waited.doing("Timeout waiting for image to be created").map_err(raise_timeout)
}

/// Gives the image's snapshots the image's tags.
pub(crate) async fn tag_snapshots(site: &Site<'_>, image: &Image) -> Result<()> {
    let ids: Vec<String> =
        image.disk_device_mappings.iter().map(|disk| disk.snapshot_id.to_string()).collect();
    let ids: Vec<String> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    let shown: Vec<String> = site.plan.image.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    for id in &ids {
        let line = format!("Adding tags(map[{}]) to snapshot: {id}", shown.join(" "));
        site.cx.events.say(line).await;
    }
    // The API takes at most 50 resources a call.
    for portion in ids.chunks(50) {
        let tags = tags::from_map(&site.plan.image.tags).collect();
        let request =
            TagResources { resource_type: ResourceType::Snapshot, resource_ids: portion.to_vec(), tags };
        site.cloud.ecs().tag_resources(&request).await.doing("Error Adding tags to snapshot")?;
    }
    Ok(())
}
