//! From the provisioned instance to the artifact: its end, the image, what the image carries and who may use it.

use std::collections::BTreeMap;

use alicloud_api::InstanceId;
use kiln_core::artifact::Artifact;
use kiln_core::error::Result;
use kiln_core::value::Value;

use crate::artifact::artifact;
use crate::build::Site;
use crate::reclaim::Kind;
use crate::steps::source_image::SourceImage;
use crate::steps::{image, replaced_image, share, snapshot, stop};

/// Returns the artifact, or `None` where the template wants no image.
pub(crate) async fn publish(
    site: &Site<'_>,
    source: &SourceImage,
    id: &InstanceId,
    values: &BTreeMap<String, Value>,
) -> Result<Option<Artifact>> {
    let cx = site.cx;
    cx.step("stepStopAlicloudInstance", || stop::stop(site, id)).await?;
    if site.plan.config.image.skip_create_image {
        return Ok(None);
    }
    if site.plan.image.force_delete {
        cx.step("stepDeleteAlicloudImageSnapshots", || replaced_image::delete(site)).await?;
    }
    let snapshot = match site.plan.config.image.image_ignore_data_disks {
        true => Some(cx.step("stepCreateAlicloudSnapshot", || snapshot::of_system_disk(site, id)).await?),
        false => None,
    };
    // Nobody logs in any more: the key pair goes while the image is made.
    let (made, ()) = futures_util::join!(
        cx.step("stepCreateAlicloudImage", || image::make(site, id, snapshot.as_ref())),
        cx.run.release(Kind::KeyPair.key()),
    );
    let made = made?;
    if !site.plan.image.tags.is_empty() {
        cx.step("stepCreateTags", || image::tag_snapshots(site, &made.image)).await?;
    }
    if site.plan.config.image.shares() {
        cx.step("stepShareAlicloudImage", || share::share(site, &made.image.image_id)).await?;
    }
    if let Some(snapshot) = &snapshot {
        // It *is* the image's disk now.
        cx.run.keep(snapshot).await?;
    }
    let resource = cx.run.keep(&made.held).await?;
    let images = BTreeMap::from([(site.plan.region.to_string(), made.held.id.clone())]);
    Ok(Some(artifact(&images, source.id.as_str(), generated(values), vec![resource])))
}

/// Generated data for post-processors; secrets stay behind.
fn generated(values: &BTreeMap<String, Value>) -> serde_json::Value {
    let shown = values.iter().filter(|(_, value)| !value.sensitive);
    shown.map(|(name, value)| (name.clone(), value.to_json())).collect::<serde_json::Map<_, _>>().into()
}
