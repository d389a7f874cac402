//! With whom an image is shared.

use serde_json::{Value, json};

use super::own;
use crate::api::{Answer, ApiError, Cx, PAGE_100, refuse};
use crate::model::{Image, ImageStatus};

/// Of more accounts in a request the API takes the first ten and ignores the rest.
const ACCOUNTS_A_REQUEST: usize = 10;
/// With how many accounts an image can be shared.
const ACCOUNTS_MAX: usize = 50;

/// Shares an image with accounts, takes it back from others, or makes it a community image.
pub fn modify(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let id = image.id.clone();
    let some =
        |name: &str| -> Vec<String> { cx.params.list(name).into_iter().take(ACCOUNTS_A_REQUEST).collect() };
    let (add, remove) = (some("AddAccount"), some("RemoveAccount"));
    // Naming nobody is a request with nothing to do. Packer makes it for every copy, long before that is available,
    // and its builds succeed.
    let names_nobody = add.is_empty() && remove.is_empty() && cx.params.get("IsPublic").is_none();
    match image.stage.now {
        ImageStatus::Available => {}
        _ if names_nobody => {}
        ImageStatus::Deprecated => return Err(refuse("OperationDenied.InvalidImageStatus")),
        _ => return Err(refuse("IncorrectImageStatus").with_status(400)),
    }
    if cx.params.get("IsPublic").is_some() {
        let public = cx.params.flag("IsPublic")?;
        check_publishing(image, public, !add.is_empty() || !remove.is_empty())?;
        if let Some(image) = cx.state.images.get_mut(&id) {
            image.community = public;
        }
        return Ok(json!({}));
    }
    if image.community {
        return Err(refuse("Image.Public"));
    }
    // Sharing a key that is one's own is possible, the service's own cannot be given to others.
    if image.disks.iter().any(|disk| disk.encrypted && disk.kms_key.is_empty()) {
        return Err(refuse("InvalidOperation.ServiceKeyEncryptedImageUnsupported"));
    }
    let known = |uid: &&String| uid.len() >= 8 && uid.bytes().all(|byte| byte.is_ascii_digit());
    if !add.iter().all(|uid| known(&uid)) || !remove.iter().all(|uid| known(&uid)) {
        return Err(refuse("InvalidAccount.NotFound"));
    }
    if add.contains(&cx.uid) {
        return Err(refuse("InvalidAccount.Forbbiden"));
    }
    let mut shared_with = image.shared_with.clone();
    for uid in add {
        if !shared_with.contains(&uid) {
            shared_with.push(uid);
        }
    }
    shared_with.retain(|uid| !remove.contains(uid));
    if shared_with.len() > ACCOUNTS_MAX {
        return Err(refuse("QuotaExceed.ShareImageUser"));
    }
    if let Some(image) = cx.state.images.get_mut(&id) {
        image.shared_with = shared_with;
    }
    Ok(json!({}))
}

fn check_publishing(image: &Image, public: bool, with_accounts: bool) -> Result<(), ApiError> {
    if with_accounts {
        return Err(refuse("InvalidParameter.IsPublic"));
    }
    if public && image.community {
        return Err(refuse("Image.Public"));
    }
    if public && image.disks.iter().any(|disk| disk.encrypted) {
        return Err(refuse("OperationDeined.EncryptedSnapshot"));
    }
    Ok(())
}

/// Lists the accounts an image is shared with.
pub fn describe(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let accounts: Vec<Value> = image.shared_with.iter().map(|uid| json!({"AliyunId": uid})).collect();
    let (id, region) = (image.id.clone(), image.region.clone());
    let mut answer = cx.page("Accounts", "Account", accounts, PAGE_100)?;
    answer["ImageId"] = json!(id);
    answer["RegionId"] = json!(region);
    answer["ShareGroups"] = json!({"ShareGroup": []});
    Ok(answer)
}
