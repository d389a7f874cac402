//! Shares the images with other accounts, and takes shares back. Only what changes is sent; what this build has shared is
//! taken back if it fails.

use std::collections::BTreeSet;

use alicloud_api::ImageId;
use alicloud_api::ecs::{DescribeImageSharePermission, ModifyImageSharePermission};
use kiln_core::error::Result;
use kiln_core::ledger::Intent;
use kiln_core::run::Acquired;

use crate::build::Site;
use crate::cloud::Cloud;
use crate::failure::Doing as _;
use crate::publish::Ready;
use crate::reclaim::{Kind, SHARED_BEFORE};

/// The API handles the first ten accounts of a call and silently ignores the rest.
const PORTION: usize = 10;

pub(crate) async fn share(site: &Site<'_>, images: &[Ready]) -> Result<()> {
    let done = futures_util::future::join_all(images.iter().map(|ready| share_one(site, ready))).await;
    done.into_iter().collect()
}

async fn share_one(site: &Site<'_>, ready: &Ready) -> Result<()> {
    let config = &site.plan.config.image;
    let id = ImageId::from(ready.held.id.as_str());
    let key = format!("{}/{}", Kind::ImageShare.key(), ready.region);
    // Recorded: what the run finds when it is taken up again is its own doing.
    let look = || async {
        let before = accounts(&ready.cloud, &id).await.doing(FAILED)?;
        Ok(before.into_iter().collect::<Vec<String>>())
    };
    let before: BTreeSet<String> = site.cx.run.step(&key, look).await?.into_iter().collect();
    let changed = |accounts: &[String], is_now: bool| -> Vec<String> {
        let mut seen = BTreeSet::new();
        let changed = accounts.iter().filter(|account| before.contains(*account) == is_now);
        changed.filter(|account| seen.insert(account.as_str())).cloned().collect()
    };
    let (add, remove) =
        (changed(&config.image_share_account, false), changed(&config.image_unshare_account, true));
    if add.is_empty() && remove.is_empty() {
        return Ok(());
    }
    let mut place = ready.cloud.place();
    place.insert(SHARED_BEFORE.to_owned(), Vec::from_iter(before.iter().cloned()).join(","));
    let intent = Intent {
        kind: Kind::ImageShare.name().to_owned(),
        token: site.cx.run.token(&key),
        name: Some(id.to_string()),
        place,
        // The image waits for it.
        needs: vec![ready.held.key.clone()],
        key,
    };
    let modify = || async {
        modify(&ready.cloud, &id, &add, &remove).await.doing(FAILED)?;
        Ok(Acquired::id(id.clone()))
    };
    site.cx.run.acquire(intent, modify).await.map(drop)
}

const FAILED: &str = "Failed modifying image share permissions";

/// Returns the accounts an image is shared with.
pub(crate) async fn accounts(cloud: &Cloud, id: &ImageId) -> alicloud_api::Result<BTreeSet<String>> {
    let look = DescribeImageSharePermission { image_id: id.clone(), ..Default::default() };
    let accounts = cloud.ecs().all(&look).await?;
    Ok(accounts.into_iter().map(|account| account.aliyun_id).collect())
}

/// Shares an image with the accounts `add` and takes the shares of `remove` back.
pub(crate) async fn modify(
    cloud: &Cloud,
    id: &ImageId,
    add: &[String],
    remove: &[String],
) -> alicloud_api::Result<()> {
    for request in requests(id, add, remove) {
        cloud.ecs().modify_image_share_permission(&request).await?;
    }
    Ok(())
}

fn requests(image_id: &ImageId, add: &[String], remove: &[String]) -> Vec<ModifyImageSharePermission> {
    let count = add.len().max(remove.len()).div_ceil(PORTION);
    let portion = |accounts: &[String], index: usize| -> Vec<String> {
        accounts.chunks(PORTION).nth(index).unwrap_or_default().to_vec()
    };
    (0..count)
        .map(|index| ModifyImageSharePermission {
            image_id: image_id.clone(),
            add_accounts: portion(add, index),
            remove_accounts: portion(remove, index),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_sent_in_portions_of_ten() {
        let accounts: Vec<String> = (0..23).map(|number| number.to_string()).collect();
        let requests = requests(&"m-1".into(), &accounts, &accounts[..3]);
        let sizes: Vec<_> =
            requests.iter().map(|it| (it.add_accounts.len(), it.remove_accounts.len())).collect();
        assert_eq!(sizes, [(10, 3), (10, 0), (3, 0)]);
    }
}
