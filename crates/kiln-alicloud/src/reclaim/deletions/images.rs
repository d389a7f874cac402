//! Images, their copies and shares, and the names of those they replace.

use alicloud_api::ecs::{
    CancelCopyImage, DeleteImage, DescribeSnapshots, Image, ModifyImageAttribute, ResourceType, Tag,
    TagResources,
};
use alicloud_api::{ImageId, Result as ApiResult, Verdict};
use kiln_core::ledger::Resource;

use super::{gone, insist, snapshot};
use crate::cloud::{Cloud, SHORT};
use crate::steps::image::look_at;
use crate::steps::share;

/// Key of a share intent's place: accounts that had the image before, separated by commas.
pub(crate) const SHARED_BEFORE: &str = "shared_before";
/// Key of a replaced image's place: the name it had.
pub(crate) const ORIGINAL_NAME: &str = "original_name";
/// Key of a replaced image's place: id of the image that takes its name.
pub(crate) const REPLACED_BY: &str = "replaced_by";
/// Key of a replaced image's place, set when its snapshots go with it: their ids, separated by commas. Nothing would name
/// them if the clean-up were broken off between the image's deletion and theirs.
pub(crate) const WITH_SNAPSHOTS: &str = "with_snapshots";

/// Tag of the snapshots of an image that is about to be deleted: its id. Once it is gone nothing else tells whose they
/// were, and its clean-up may be broken off right then.
const OF_IMAGE: &str = "kiln-of-image";

/// An image, no longer shared, and perhaps the snapshots it is made of.
pub(super) async fn image(cloud: &Cloud, id: &str, with_snapshots: bool) -> ApiResult<()> {
    match find(cloud, id).await? {
        Some(image) => delete(cloud, &image, with_snapshots).await,
        None if with_snapshots => orphans(cloud, id).await,
        None => Ok(()),
    }
}

/// Snapshots of an image that is gone.
async fn orphans(cloud: &Cloud, id: &str) -> ApiResult<()> {
    let look = DescribeSnapshots { tags: vec![Tag::new(OF_IMAGE, id)], ..Default::default() };
    for found in cloud.ecs().all(&look).await? {
        snapshot(cloud, found.snapshot_id.as_str()).await?;
    }
    Ok(())
}

fn snapshots_of(image: &Image) -> impl Iterator<Item = &str> {
    image.disk_device_mappings.iter().map(|disk| disk.snapshot_id.as_str()).filter(|id| !id.is_empty())
}

/// Lets [`orphans`] find the snapshots.
async fn mark(cloud: &Cloud, image: &Image) -> ApiResult<()> {
    let resource_ids = Vec::from_iter(snapshots_of(image).map(str::to_owned));
    if resource_ids.is_empty() {
        return Ok(());
    }
    let tags = vec![Tag::new(OF_IMAGE, image.image_id.as_str())];
    let request = TagResources { resource_type: ResourceType::Snapshot, resource_ids, tags };
    gone(cloud.ecs().tag_resources(&request).await)
}

async fn find(cloud: &Cloud, id: &str) -> ApiResult<Option<Image>> {
    let found = cloud.ecs().describe_images(&look_at(&id.into())).await?;
    Ok(found.images.into_iter().next())
}

async fn delete(cloud: &Cloud, image: &Image, with_snapshots: bool) -> ApiResult<()> {
    let (ecs, id) = (cloud.ecs(), &image.image_id);
    if image.is_self_shared.eq_ignore_ascii_case("true") {
        let accounts = Vec::from_iter(share::accounts(cloud, id).await?);
        gone(share::modify(cloud, id, &[], &accounts).await)?;
    }
    if with_snapshots {
        mark(cloud, image).await?;
    }
    let request = DeleteImage { image_id: id.clone(), force: Some(true) };
    // It may be the source of a copy that is just being cancelled.
    let busy = &["IncorrectImageStatus", "ImageIsCopying"];
    insist(cloud, format!("deletion of image `{id}`"), SHORT, busy, || ecs.delete_image(&request)).await?;
    is_gone(cloud, id).await?;
    snapshots(cloud, image, with_snapshots).await
}

async fn snapshots(cloud: &Cloud, image: &Image, with_snapshots: bool) -> ApiResult<()> {
    for id in snapshots_of(image).filter(|_| with_snapshots) {
        snapshot(cloud, id).await?;
    }
    Ok(())
}

/// Whoever gives the old image its name back must not find the new one any more.
async fn is_gone(cloud: &Cloud, id: &ImageId) -> ApiResult<()> {
    let probe = || async move {
        Ok(match find(cloud, id.as_str()).await? {
            None => Verdict::Done(()),
            Some(image) => Verdict::not_yet(image.status),
        })
    };
    cloud.wait(format!("image `{id}` to be gone"), SHORT, &[], probe).await
}

/// A copy under way cannot be deleted, only cancelled, which deletes it. One that was ready meanwhile is an image as any
/// other.
pub(super) async fn copy(cloud: &Cloud, id: &str) -> ApiResult<()> {
    let Some(image) = find(cloud, id).await? else {
        return orphans(cloud, id).await;
    };
    let under_way = image.is_copied && ["Waiting", "Creating"].contains(&image.status.as_str());
    if !under_way {
        return delete(cloud, &image, true).await;
    }
    mark(cloud, &image).await?;
    let request = CancelCopyImage { image_id: image.image_id.clone() };
    match gone(cloud.ecs().cancel_copy_image(&request).await) {
        Err(error) if error.is("IncorrectImageStatus") => return delete(cloud, &image, true).await,
        cancelled => cancelled?,
    }
    is_gone(cloud, &image.image_id).await?;
    snapshots(cloud, &image, true).await
}

/// Accounts that this build has let in lose the image again.
pub(super) async fn share(cloud: &Cloud, id: &str, resource: &Resource) -> ApiResult<()> {
    let id = ImageId::from(id);
    let before = resource.intent.place.get(SHARED_BEFORE).map(String::as_str).unwrap_or_default();
    let before: Vec<&str> = before.split(',').filter(|account| !account.is_empty()).collect();
    let now = match share::accounts(cloud, &id).await {
        Err(error) if error.is_not_found() => return Ok(()),
        accounts => accounts?,
    };
    let lost: Vec<String> = before
        .iter()
        .filter(|account| !now.contains(**account))
        .map(|account| (*account).to_owned())
        .collect();
    let won: Vec<String> = now.into_iter().filter(|account| !before.contains(&account.as_str())).collect();
    gone(share::modify(cloud, &id, &lost, &won).await)
}

/// The image that took its name decides: if it is there, it is the user's (else it would have gone first) and the old
/// one goes; if not, the old one has its name back.
pub(super) async fn replaced(cloud: &Cloud, id: &str, resource: &Resource) -> ApiResult<()> {
    let place = &resource.intent.place;
    let text = |key: &str| place.get(key).map(String::as_str).unwrap_or_default();
    if find(cloud, text(REPLACED_BY)).await?.is_some() {
        image(cloud, id, false).await?;
        for id in text(WITH_SNAPSHOTS).split(',').filter(|id| !id.is_empty()) {
            snapshot(cloud, id).await?;
        }
        return Ok(());
    }
    let request = ModifyImageAttribute {
        image_id: id.into(),
        image_name: Some(text(ORIGINAL_NAME).to_owned()),
        ..Default::default()
    };
    gone(cloud.ecs().modify_image_attribute(&request).await)
}
