//! With `image_force_delete`: the account's own images that have exactly a new one's name.
//!
//! Names are unique in a region, yet an old image must not go before the new one is there. So the new one is made under
//! a temporary name; when all is ready they change names, and the old one is deleted with the other clean-up. A build
//! that fails gives the old image its name back.

use alicloud_api::ecs::{Image, ModifyImageAttribute};
use kiln_core::error::Result;
use kiln_core::event::EventKind;
use kiln_core::ledger::Intent;
use kiln_core::run::Acquired;
use serde::{Deserialize, Serialize};

use super::image::temporary_name;
use super::pre_validate::own_images;
use crate::build::Site;
use crate::cloud::Cloud;
use crate::failure::Doing as _;
use crate::publish::Ready;
use crate::reclaim::{Kind, ORIGINAL_NAME, REPLACED_BY, WITH_SNAPSHOTS};

/// An image to be replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Replaced {
    pub region: String,
    pub id: String,
    pub name: String,
    /// What it is made of.
    pub snapshots: Vec<String>,
}

impl Replaced {
    /// Its key in the ledger.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", Kind::ReplacedImage.key(), self.region)
    }
}

/// Returns the image that a new one in `region` replaces.
pub(crate) fn in_region<'a>(replaced: &'a [Replaced], region: &str) -> Option<&'a Replaced> {
    replaced.iter().find(|replaced| replaced.region == region)
}

/// Finds what will be replaced: in the build's region, and in those of copies that have a name.
pub(crate) async fn find(site: &Site<'_>) -> Result<Vec<Replaced>> {
    let looked_up = site.cx.run.step("replaced-images", || look_up(site)).await?;
    for Replaced { region, id, name, .. } in &looked_up {
        site.cx.events.say(format!("Deleting duplicated image and snapshot in {region}: {name}")).await;
        let text = format!("image `{id}` in `{region}` stays until the new one is ready");
        site.cx.events.emit(EventKind::Hint { text }).await;
    }
    Ok(looked_up)
}

async fn look_up(site: &Site<'_>) -> Result<Vec<Replaced>> {
    let plan = &site.plan.image;
    let home = (&site.plan.region, &plan.name);
    let copies = plan.copies.iter().filter_map(|copy| Some((&copy.region, copy.name.as_ref()?)));
    let looks = std::iter::once(home).chain(copies).map(|(region, name)| async move {
        let cloud = site.cloud.beside(region)?;
        let images = own_images(&cloud, name).await.doing("Error querying alicloud image")?;
        // There is one at most: names are unique.
        let first = images.into_iter().next();
        Ok(first.map(|image| Replaced {
            region: region.to_string(),
            id: image.image_id.to_string(),
            name: name.clone(),
            snapshots: snapshots_of(&image),
        }))
    });
    let found = futures_util::future::try_join_all(looks).await?;
    Ok(found.into_iter().flatten().collect())
}

fn snapshots_of(image: &Image) -> Vec<String> {
    let ids = image.disk_device_mappings.iter().map(|disk| disk.snapshot_id.to_string());
    ids.filter(|id| !id.is_empty()).collect()
}

/// Lets old and new images change names.
pub(crate) async fn swap(site: &Site<'_>, replaced: &[Replaced], images: &[Ready]) -> Result<()> {
    let swaps = replaced.iter().filter_map(|old| {
        let new = images.iter().find(|new| new.region.as_str() == old.region)?;
        Some(swap_one(site, old, new))
    });
    let done = futures_util::future::join_all(swaps).await;
    done.into_iter().collect()
}

async fn swap_one(site: &Site<'_>, old: &Replaced, new: &Ready) -> Result<()> {
    let key = old.key();
    let aside = temporary_name(site, &key);
    let mut place = new.cloud.place();
    place.insert(ORIGINAL_NAME.to_owned(), old.name.clone());
    place.insert(REPLACED_BY.to_owned(), new.held.id.clone());
    if site.plan.image.force_delete_snapshots {
        place.insert(WITH_SNAPSHOTS.to_owned(), old.snapshots.join(","));
    }
    let intent = Intent {
        kind: Kind::ReplacedImage.name().to_owned(),
        token: site.cx.run.token(&key),
        name: Some(aside.clone()),
        place,
        needs: Vec::new(),
        key,
    };
    let give_way = || async {
        rename(&new.cloud, &old.id, &aside).await?;
        Ok(Acquired::id(&old.id))
    };
    site.cx.run.acquire(intent, give_way).await?;
    rename(&new.cloud, &new.held.id, &old.name).await
}

async fn rename(cloud: &Cloud, id: &str, name: &str) -> Result<()> {
    let request =
        ModifyImageAttribute { image_id: id.into(), image_name: Some(name.to_owned()), ..Default::default() };
    let done = cloud.ecs().modify_image_attribute(&request).await;
    done.doing(format!("Error naming image {id} {name}")).map(drop)
}
