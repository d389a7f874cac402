//! The image: made of the stopped instance (or of its system disk's snapshot) and waited for.

use std::time::Duration;

use alicloud_api::ecs::{CreateImage, DescribeImages, Image, ImageFeatures};
use alicloud_api::{ImageId, InstanceId, Verdict};
use kiln_core::error::{Error, Result};
use kiln_core::ledger::Intent;
use kiln_core::run::{Acquired, Held};

use super::pre_validate::own_images;
use super::replaced_image::{self, Replaced};
use super::snapshot::raise_timeout;
use super::{carry, family};
use crate::build::Site;
use crate::cloud::Cloud;
use crate::config::{Encryption, given};
use crate::failure::Doing as _;
use crate::publish::Ready;
use crate::reclaim::{BEFORE, EVERY_STATUS, Kind};
use crate::tags;

/// Makes the image. With encryption by copy it is a temporary one.
pub(crate) async fn make(
    site: &Site<'_>,
    instance: &InstanceId,
    snapshot: Option<&Held>,
    replaced: &[Replaced],
) -> Result<Ready> {
    let (plan, config) = (&site.plan.image, &site.plan.config.image);
    let key = Kind::Image.key();
    let old = replaced_image::in_region(replaced, site.plan.region.as_str());
    let is_temporary = plan.encryption == Encryption::ByCopy;
    let name = match is_temporary || old.is_some() {
        true => temporary_name(site, key),
        false => plan.name.clone(),
    };
    let line = match is_temporary {
        true => format!("Creating temporary image for encryption: {name}"),
        false => format!("Creating image: {}", plan.name),
    };
    site.cx.events.say(line).await;
    let needs = snapshot.map(|_| Kind::Snapshot.key().to_owned());
    let needs = needs.into_iter().chain(old.filter(|_| !is_temporary).map(Replaced::key)).collect();
    let intent = intent(site, &site.cloud, Kind::Image, key.to_owned(), &name, needs).await?;
    let text = |field: &Option<String>| given(field).map(str::to_owned);
    let imds_support = plan.marks.features.imds_support.clone();
    let request = CreateImage {
        client_token: Some(intent.token.clone()),
        image_name: name,
        image_version: text(&config.image_version),
        description: text(&config.image_description),
        image_family: family::at_creation(site, replaced),
        boot_mode: plan.marks.boot_mode.clone(),
        // The call does not take the other feature: that is marked afterwards.
        features: imds_support
            .map(|imds| ImageFeatures { imds_support: Some(imds), ..ImageFeatures::default() }),
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
    let id = ImageId::from(held.id.as_str());
    let image = available(site, &site.cloud, &id, format!("image `{id}`"), plan.snapshot_timeout).await;
    let image = image.doing("Timeout waiting for image to be created").map_err(raise_timeout)?;
    let ready = Ready { region: site.plan.region.clone(), cloud: site.cloud.clone(), held, image };
    match is_temporary {
        true => Ok(ready),
        false => finished(site, ready).await,
    }
}

async fn finished(site: &Site<'_>, ready: Ready) -> Result<Ready> {
    let plan = &site.plan.image;
    if plan.encryption == Encryption::AtLaunch
        && let Some(disk) = ready.image.disk_device_mappings.iter().find(|disk| !disk.encrypted)
    {
        let text = format!("Error creating image: its disk {} is not encrypted", disk.device);
        return Err(Error::new(text).hint(
            "encrypt every disk with `disk_encrypted`, or none, so that the image is encrypted by making a copy",
        ));
    }
    let image = carry::settle(site, &ready.cloud, &ready.image, &plan.marks).await?;
    Ok(Ready { image, ..ready })
}

/// Returns the intent to make an image called `name` in the region of `cloud`. Images that have the name already are
/// noted in it: they are not taken for the one of a lost answer.
pub(super) async fn intent(
    site: &Site<'_>,
    cloud: &Cloud,
    kind: Kind,
    key: String,
    name: &str,
    needs: Vec<String>,
) -> Result<Intent> {
    let before = own_images(cloud, name).await.doing("Error querying alicloud image")?;
    let mut place = cloud.place();
    if !before.is_empty() {
        let ids: Vec<&str> = before.iter().map(|image| image.image_id.as_str()).collect();
        place.insert(BEFORE.to_owned(), ids.join(","));
    }
    let token = site.cx.run.token(&key);
    Ok(Intent { kind: kind.name().to_owned(), token, name: Some(name.to_owned()), place, needs, key })
}

/// Returns the name that the image `key` of this build has until it gets its own: `packer_` and seven letters or
/// digits, the same whenever the run is taken up again.
pub(super) fn temporary_name(site: &Site<'_>, key: &str) -> String {
    let digits: String = site.cx.run.token(key).chars().filter(char::is_ascii_hexdigit).collect();
    let mut number = u128::from_str_radix(&digits, 16).unwrap_or_default();
    let mut name = "packer_".to_owned();
    for _ in 0..7 {
        // 36 letters and digits: the remainder is one of them.
        let digit = u32::try_from(number % 36).unwrap_or_default();
        name.extend(char::from_digit(digit, 36));
        number /= 36;
    }
    name
}

/// Waits until an image can be used; `what` is fit behind "waited 10m for".
pub(super) async fn available(
    site: &Site<'_>,
    cloud: &Cloud,
    id: &ImageId,
    what: String,
    deadline: Duration,
) -> alicloud_api::Result<Image> {
    let (events, shown) = (&site.cx.events, &what.replace('`', ""));
    let probe = || async move {
        Ok(match cloud.image(id.as_str()).await? {
            Some(image) if image.status == "Available" => Verdict::Done(image),
            Some(image) if ["CreateFailed", "UnAvailable"].contains(&image.status.as_str()) => {
                Verdict::failed(image.status)
            }
            Some(image) => {
                let percent = image.progress.trim_end_matches('%').parse().unwrap_or(0);
                events.progress(shown, percent, Some(100), "%");
                Verdict::not_yet(format!("at {percent}%"))
            }
            None => Verdict::not_yet("not listed"),
        })
    };
    cloud.wait(what.clone(), deadline, &[], probe).await
}

/// Returns the look at one image, whatever its state.
pub(crate) fn look_at(id: &ImageId) -> DescribeImages {
    let status = EVERY_STATUS.map(str::to_owned).to_vec();
    DescribeImages { image_id: Some(id.clone()), status, ..Default::default() }
}
