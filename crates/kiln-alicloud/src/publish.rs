//! From the provisioned instance to the artifact: its end, the image, its copies, who may use them, their names and
//! their family. What others can see of the result changes last, and only when all of it is ready.

use std::collections::BTreeMap;

use alicloud_api::ecs::Image;
use alicloud_api::{InstanceId, RegionId};
use futures_util::future::BoxFuture;
use kiln_core::artifact::Artifact;
use kiln_core::error::Result;
use kiln_core::event::EventKind;
use kiln_core::run::Held;
use kiln_core::value::Value;

use crate::artifact::artifact;
use crate::build::Site;
use crate::cloud::Cloud;
use crate::config::{Encryption, given};
use crate::reclaim::Kind;
use crate::steps::replaced_image::{self, Replaced};
use crate::steps::source_image::SourceImage;
use crate::steps::{carry, copies, family, image, share, snapshot, stop};

/// An image that can be used and carries all it should, but is not yet the user's.
pub(crate) struct Ready {
    pub region: RegionId,
    /// The account in that region.
    pub cloud: Cloud,
    pub held: Held,
    pub image: Image,
}

/// Returns the artifact, or `None` where the template wants no image.
///
/// On the heap, because it would make the whole build's future too large for a thread's stack.
pub(crate) fn publish<'a>(
    site: &'a Site<'_>,
    source: &'a SourceImage,
    id: &'a InstanceId,
    values: &'a BTreeMap<String, Value>,
) -> BoxFuture<'a, Result<Option<Artifact>>> {
    Box::pin(run(site, source, id, values))
}

async fn run(
    site: &Site<'_>,
    source: &SourceImage,
    id: &InstanceId,
    values: &BTreeMap<String, Value>,
) -> Result<Option<Artifact>> {
    let (cx, plan) = (site.cx, &site.plan.image);
    cx.step("stepStopAlicloudInstance", || stop::stop(site, id)).await?;
    if site.plan.config.image.skip_create_image {
        return Ok(None);
    }
    let replaced = match plan.force_delete {
        true => cx.step("stepDeleteAlicloudImageSnapshots", || replaced_image::find(site)).await?,
        false => Vec::new(),
    };
    let snapshot = match site.plan.config.image.image_ignore_data_disks {
        true => Some(cx.step("stepCreateAlicloudSnapshot", || snapshot::of_system_disk(site, id)).await?),
        false => None,
    };
    // Nobody logs in any more: the key pair goes while the image is made.
    let (made, ()) = futures_util::join!(
        cx.step("stepCreateAlicloudImage", || image::make(site, id, snapshot.as_ref(), &replaced)),
        cx.run.release(Kind::KeyPair.key()),
    );
    let (images, all_ready) = Box::pin(images(site, made?, snapshot.as_ref(), &replaced)).await?;
    if site.plan.config.image.shares() {
        cx.step("stepShareAlicloudImage", || share::share(site, &images)).await?;
    }
    reveal(site, &images, &replaced, all_ready).await?;
    hand_over(site, source, images, snapshot.as_ref(), values).await.map(Some)
}

/// Returns the images of the result, and whether they are all that were planned.
async fn images(
    site: &Site<'_>,
    made: Ready,
    snapshot: Option<&Held>,
    replaced: &[Replaced],
) -> Result<(Vec<Ready>, bool)> {
    let (cx, plan) = (site.cx, &site.plan.image);
    let is_temporary = plan.encryption == Encryption::ByCopy;
    if plan.encryption == Encryption::AtLaunch {
        let text =
            "the instance's disks are encrypted, hence so is the image: no encrypted copy of it is made";
        cx.events.emit(EventKind::Hint { text: text.to_owned() }).await;
    }
    if !is_temporary {
        if let Some(snapshot) = snapshot {
            snapshot::becomes_the_users(site, snapshot).await?;
        }
        if !plan.tags.is_empty() {
            cx.step("stepCreateTags", || carry::tag_snapshots(site, &made, true)).await?;
        }
    }
    if plan.copies.is_empty() && !is_temporary {
        return Ok((vec![made], true));
    }
    let copied = cx.step("stepRegionCopyAlicloudImage", || copies::make(site, &made, replaced)).await?;
    let all_ready = copied.failed.is_empty();
    let home = Some(made).filter(|_| !is_temporary);
    Ok((home.into_iter().chain(copied.ready).collect(), all_ready))
}

/// Gives the images the names and the family by which others find them.
async fn reveal(site: &Site<'_>, images: &[Ready], replaced: &[Replaced], all_ready: bool) -> Result<()> {
    if !replaced.is_empty() {
        site.cx.step("stepRenameAlicloudImage", || replaced_image::swap(site, replaced, images)).await?;
    }
    let wanted = given(&site.plan.config.image.target_image_family);
    if let Some(family) = wanted.filter(|_| all_ready && family::at_creation(site, replaced).is_none()) {
        site.cx.step("stepSwitchAlicloudImageFamily", || family::switch(family, images)).await?;
    }
    Ok(())
}

/// From here on nothing fails the build.
async fn hand_over(
    site: &Site<'_>,
    source: &SourceImage,
    images: Vec<Ready>,
    snapshot: Option<&Held>,
    values: &BTreeMap<String, Value>,
) -> Result<Artifact> {
    let run = &site.cx.run;
    // An encrypted copy has snapshots of its own, and the one it was made of goes with the temporary image.
    if let Some(snapshot) = snapshot.filter(|_| site.plan.image.encryption != Encryption::ByCopy) {
        run.keep(snapshot).await?;
    }
    let shares = run.held().into_iter().filter(|resource| resource.intent.kind == Kind::ImageShare.name());
    for share in shares {
        if let Some(id) = share.id {
            run.keep(&Held { key: share.intent.key, id, facts: share.facts }).await?;
        }
    }
    let mut resources = Vec::new();
    for ready in &images {
        resources.push(run.keep(&ready.held).await?);
    }
    let ids: BTreeMap<String, String> =
        images.iter().map(|ready| (ready.region.to_string(), ready.held.id.clone())).collect();
    Ok(artifact(&ids, source.id.as_str(), generated(values), resources))
}

/// Generated data for post-processors; secrets stay behind.
fn generated(values: &BTreeMap<String, Value>) -> serde_json::Value {
    let shown = values.iter().filter(|(_, value)| !value.sensitive);
    shown.map(|(name, value)| (name.clone(), value.to_json())).collect::<serde_json::Map<_, _>>().into()
}
