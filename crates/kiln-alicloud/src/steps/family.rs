//! The image's family, where other work lies between the image and its readiness: the last act, in all regions at once,
//! so that nobody launches by family what may still fail.

use alicloud_api::ecs::ModifyImageAttribute;
use kiln_core::error::Result;

use crate::build::Site;
use crate::config::{Encryption, given};
use crate::failure::Doing as _;
use crate::publish::Ready;
use crate::steps::replaced_image::Replaced;

/// Returns the family the image may be created in: nothing is left to do after it.
pub(crate) fn at_creation(site: &Site<'_>, replaced: &[Replaced]) -> Option<String> {
    let (plan, config) = (&site.plan.image, &site.plan.config.image);
    let is_simple = plan.encryption == Encryption::AsDisks
        && plan.copies.is_empty()
        && replaced.is_empty()
        && plan.marks.features.nvme_support.is_none()
        && !config.shares();
    given(&config.target_image_family).filter(|_| is_simple).map(str::to_owned)
}

/// Makes every image the newest of its region's family.
pub(crate) async fn switch(family: &str, images: &[Ready]) -> Result<()> {
    let switches = images.iter().map(|ready| async move {
        let request = ModifyImageAttribute {
            image_id: ready.held.id.as_str().into(),
            image_family: Some(family.to_owned()),
            ..Default::default()
        };
        let done = ready.cloud.ecs().modify_image_attribute(&request).await;
        done.doing(format!("Error switching image family {family} in {}", ready.region)).map(drop)
    });
    futures_util::future::join_all(switches).await.into_iter().collect()
}
