//! Shares the image with other accounts, and takes shares back.

use alicloud_api::ImageId;
use alicloud_api::ecs::ModifyImageSharePermission;
use kiln_core::error::Result;

use crate::build::Site;
use crate::failure::Doing as _;

/// The API handles the first ten accounts of a call and silently ignores the rest.
const PORTION: usize = 10;

pub(crate) async fn share(site: &Site<'_>, image_id: &ImageId) -> Result<()> {
    let config = &site.plan.config.image;
    for request in requests(image_id, &config.image_share_account, &config.image_unshare_account) {
        let done = site.cloud.ecs().modify_image_share_permission(&request).await;
        done.doing("Failed modifying image share permissions")?;
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
