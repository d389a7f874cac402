//! With `image_force_delete`: deletes the account's own images of exactly the new one's name. The name is unique, so the
//! old image has to go first.

use alicloud_api::ecs::{DeleteImage, DeleteSnapshot, Image};
use kiln_core::error::Result;

use super::pre_validate::own_images;
use crate::build::Site;
use crate::failure::Doing as _;

pub(crate) async fn delete(site: &Site<'_>) -> Result<()> {
    let (name, region) = (&site.plan.image.name, &site.plan.region);
    let images = own_images(&site.cloud, name).await.doing("Error querying alicloud image")?;
    if !images.is_empty() {
        let line = format!("Deleting duplicated image and snapshot in {region}: {name}");
        site.cx.events.say(line).await;
    }
    for image in images {
        delete_one(site, image).await?;
    }
    Ok(())
}

async fn delete_one(site: &Site<'_>, image: Image) -> Result<()> {
    let ecs = site.cloud.ecs();
    let request = DeleteImage { image_id: image.image_id, force: Some(true) };
    match ecs.delete_image(&request).await {
        Err(error) if !error.is_not_found() => return Err(error).doing("Failed to delete image"),
        _ => {}
    }
    if !site.plan.image.force_delete_snapshots {
        return Ok(());
    }
    for disk in image.disk_device_mappings.into_iter().filter(|disk| !disk.snapshot_id.as_str().is_empty()) {
        let request = DeleteSnapshot { snapshot_id: disk.snapshot_id, force: Some(true) };
        match ecs.delete_snapshot(&request).await {
            Err(error) if !error.is_not_found() => return Err(error).doing("Deleting ECS snapshot failed"),
            _ => {}
        }
    }
    Ok(())
}
