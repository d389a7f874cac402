//! Copies of the image: to other regions, and the encrypted one in its own. All begin at once; each is waited for and
//! looked at as the image itself was. One that fails ends the build, or is left out with a warning.

use alicloud_api::ecs::{CopyImage, ImageFeatures};
use alicloud_api::{ImageId, RegionId};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::EventKind;
use kiln_core::run::{Acquired, Held};

use super::carry;
use super::image::{available, intent, temporary_name};
use super::replaced_image::{self, Replaced};
use crate::build::Site;
use crate::cloud::Cloud;
use crate::config::{CopyFailure, Encryption, Marks, given};
use crate::failure::Doing as _;
use crate::publish::Ready;
use crate::reclaim::Kind;
use crate::tags;

/// The longest name the cloud takes, in characters.
const NAME_MAX: usize = 128;

/// A copy to make.
struct Target {
    region: RegionId,
    cloud: Cloud,
    /// The name it is made with.
    name: String,
    /// What must not be undone before it is gone.
    needs: Vec<String>,
    key: Option<String>,
    /// The encrypted copy in the build's region: without it there is no image.
    is_home: bool,
}

/// What became of the copies.
pub(crate) struct Copies {
    /// Those that are ready, in the template's order.
    pub ready: Vec<Ready>,
    /// Regions whose copy failed, where that is allowed.
    pub failed: Vec<RegionId>,
}

/// Copies `source` as planned.
pub(crate) async fn make(site: &Site<'_>, source: &Ready, replaced: &[Replaced]) -> Result<Copies> {
    let targets = targets(site, source, replaced)?;
    let line = format!("Coping image {} from {}...", source.held.id, source.region);
    site.cx.events.say(line).await;
    let begun =
        futures_util::future::join_all(targets.iter().map(|target| begin(site, source, target))).await;
    for (target, held) in targets.iter().zip(&begun) {
        if let Ok(held) = held {
            let line = format!(
                "Copy image from {}({}) to {}({})",
                source.region, source.held.id, target.region, held.id
            );
            site.cx.events.message(line).await;
        }
    }
    let marks = &marks(site, source);
    let mut under_way: FuturesUnordered<_> = targets
        .iter()
        .zip(begun)
        .enumerate()
        .map(|(index, (target, begun))| async move {
            let finished = match begun {
                Ok(held) => finish(site, target, held, marks).await,
                Err(error) => Err(error),
            };
            (index, target, finished)
        })
        .collect();
    let mut copies: Vec<(usize, Ready)> = Vec::new();
    let mut failed = Vec::new();
    while let Some((index, target, finished)) = under_way.next().await {
        match finished {
            Ok(ready) => copies.push((index, ready)),
            // The waits of the others end here; what they wait for is in the ledger.
            Err(error) if must_fail(site, target, &error) => return Err(error),
            Err(error) => {
                give_up(site, target, &error).await;
                failed.push(target.region.clone());
            }
        }
    }
    copies.sort_by_key(|(index, _)| *index);
    Ok(Copies { ready: copies.into_iter().map(|(_, ready)| ready).collect(), failed })
}

fn targets(site: &Site<'_>, source: &Ready, replaced: &[Replaced]) -> Result<Vec<Target>> {
    let plan = &site.plan.image;
    let needs = |region: &RegionId| -> Vec<String> {
        let old = replaced_image::in_region(replaced, region.as_str()).map(Replaced::key);
        std::iter::once(Kind::Image.key().to_owned()).chain(old).collect()
    };
    let name = |region: &RegionId, given: Option<&str>| match given {
        Some(_) if replaced_image::in_region(replaced, region.as_str()).is_some() => {
            temporary_name(site, &ledger_key(region))
        }
        Some(name) => name.to_owned(),
        None => name_after(&plan.name, &source.held.id),
    };
    let others = plan.copies.iter().map(|copy| {
        Ok(Target {
            region: copy.region.clone(),
            cloud: site.cloud.beside(&copy.region)?,
            name: name(&copy.region, copy.name.as_deref()),
            needs: needs(&copy.region),
            key: copy.key.clone(),
            is_home: false,
        })
    });
    let home = (plan.encryption == Encryption::ByCopy).then(|| {
        Ok(Target {
            region: site.plan.region.clone(),
            cloud: site.cloud.clone(),
            name: name(&site.plan.region, Some(&plan.name)),
            needs: needs(&site.plan.region),
            key: given(&site.plan.config.image.kms_key_id).map(str::to_owned),
            is_home: true,
        })
    });
    others.chain(home).collect()
}

fn ledger_key(region: &RegionId) -> String {
    format!("{}/{region}", Kind::ImageCopy.key())
}

/// Returns the name of a copy that was given none: the image's, and the id of what it is a copy of. No other image has
/// it, so a copy whose answer was lost is found by it.
fn name_after(image_name: &str, source: &str) -> String {
    let room = NAME_MAX.saturating_sub(source.chars().count() + 1);
    let image_name: String = image_name.chars().take(room).collect();
    format!("{image_name}_{source}")
}

async fn begin(site: &Site<'_>, source: &Ready, target: &Target) -> Result<Held> {
    let config = &site.plan.config.image;
    let key = ledger_key(&target.region);
    let needs = target.needs.clone();
    let intent = intent(site, &target.cloud, Kind::ImageCopy, key, &target.name, needs).await?;
    let request = CopyImage {
        client_token: Some(intent.token.clone()),
        image_id: source.held.id.as_str().into(),
        destination_region_id: target.region.clone(),
        destination_image_name: Some(target.name.clone()),
        destination_description: given(&config.image_description).map(str::to_owned),
        encrypted: config.image_encrypted,
        kms_key_id: target.key.clone(),
        resource_group_id: given(&config.resource_group_id).map(str::to_owned),
        tags: tags::from_map(&site.plan.image.tags).collect(),
        ..Default::default()
    };
    let create = || async {
        // Asked of the source's region, whatever the copy's.
        let made = source.cloud.ecs().copy_image(&request).await.doing("Error copying images")?;
        Ok(Acquired::id(made.image_id))
    };
    site.cx.run.acquire(intent, create).await
}

/// Returns the marks a copy must have: the template's, else those of the image it is a copy of, which the cloud does not
/// all carry over.
fn marks(site: &Site<'_>, source: &Ready) -> Marks {
    let (wanted, image) = (&site.plan.image.marks, &source.image);
    let has = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    // No image goes back to `v1`, which is the default anyway.
    let imds = image.features.imds_support.clone().filter(|imds| imds != "v1");
    Marks {
        boot_mode: wanted.boot_mode.clone().or_else(|| has(&image.boot_mode)),
        features: ImageFeatures {
            imds_support: wanted.features.imds_support.clone().or(imds),
            nvme_support: wanted
                .features
                .nvme_support
                .clone()
                .or_else(|| image.features.nvme_support.clone()),
        },
    }
}

/// Waits for a copy and gives it what it must carry.
async fn finish(site: &Site<'_>, target: &Target, held: Held, marks: &Marks) -> Result<Ready> {
    let id = ImageId::from(held.id.as_str());
    let what = format!("copy `{id}` in `{}`", target.region);
    let image = available(site, &target.cloud, &id, what, site.plan.image.copy_timeout).await;
    let image = image.doing(format!("Timeout waiting image {id} finish copying"));
    let image = image.map_err(|error| match error.kind {
        ErrorKind::TimedOut => error.hint("raise `wait_copying_image_ready_timeout`"),
        _ => error,
    })?;
    if site.plan.config.image.image_encrypted == Some(true)
        && let Some(disk) = image.disk_device_mappings.iter().find(|disk| !disk.encrypted)
    {
        let text = format!("Error verifying image {id}: its disk {} is not encrypted", disk.device);
        return Err(Error::new(text));
    }
    let image = carry::settle(site, &target.cloud, &image, marks).await?;
    let ready = Ready { region: target.region.clone(), cloud: target.cloud.clone(), held, image };
    carry::tag_snapshots(site, &ready, target.is_home).await?;
    Ok(ready)
}

fn must_fail(site: &Site<'_>, target: &Target, error: &Error) -> bool {
    let may_warn = site.plan.image.copy_failure == CopyFailure::Warn;
    error.is_cancelled() || target.is_home || !may_warn
}

/// Leaves a copy out of the result. What there is of it is deleted now, or with the other clean-up.
async fn give_up(site: &Site<'_>, target: &Target, error: &Error) {
    let family = given(&site.plan.config.image.target_image_family);
    let family = family.map(|family| format!("; family {family} stays as it is in all regions"));
    let text = format!(
        "the image was not copied to {}: {}{}",
        target.region,
        error.chain(),
        family.unwrap_or_default()
    );
    site.cx.events.emit(EventKind::Warning { text }).await;
    site.cx.run.release(&ledger_key(&target.region)).await;
}
