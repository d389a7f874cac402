//! Images: the public ones of the catalogue, and the custom ones that instances and snapshots become. What is here
//! is what all their actions have in common; each subject has a file.

mod attribute;
mod copy;
mod create;
mod describe;
mod share;

pub use copy::promote;

use serde_json::json;

use crate::api::{Action, Answer, ApiError, Cx, Effect, Outcome, proper_name, read, refuse, write};
use crate::catalogue::{self, PublicImage};
use crate::model::{Image, ImageStatus, State};

/// The actions of images.
pub const ACTIONS: &[Action] = &[
    read("DescribeImages", &["RegionId"], describe::images),
    read("DescribeImageFromFamily", &["RegionId", "ImageFamily"], describe::from_family),
    write("CreateImage", &["RegionId"], create::create),
    write("CopyImage", &["RegionId", "ImageId", "DestinationRegionId"], copy::copy),
    write("CancelCopyImage", &["RegionId", "ImageId"], copy::cancel),
    write("DeleteImage", &["RegionId", "ImageId"], delete),
    write("ModifyImageAttribute", &["RegionId", "ImageId"], attribute::modify),
    write("ModifyImageSharePermission", &["RegionId", "ImageId"], share::modify),
    read("DescribeImageSharePermission", &["RegionId", "ImageId"], share::describe),
];

/// How an image boots for which nobody said it.
const DEFAULT_BOOT_MODE: &str = "BIOS";

/// Returns the image of the catalogue that an image of either kind began with.
pub fn base_of(state: &State, id: &str) -> Option<&'static PublicImage> {
    let base = state.images.get(id).map_or(id, |image| image.base_image.as_str());
    catalogue::public_image(base)
}

/// Returns whether an account may use an image: it is its own, shared with it, or a community image.
pub fn may_use(image: &Image, uid: &str) -> bool {
    image.owner == uid || image.community || image.shared_with.iter().any(|with| with == uid)
}

/// Finds the newest image of a family, deprecated ones left out: the caller's own before the public ones. A family
/// shared by another account is addressed as `acs:` with that account and the family's name.
pub fn newest_of_family(cx: &Cx<'_>, region: &str, family: &str) -> Option<String> {
    let of_account = family
        .strip_prefix("acs:")
        .and_then(|rest| rest.split_once(':'))
        .filter(|(uid, _)| uid.bytes().all(|byte| byte.is_ascii_digit()));
    let (owner, own_name) = of_account.unwrap_or((cx.uid.as_str(), family));
    let own = cx.state.images.values().filter(|image| {
        image.region == region
            && image.family == own_name
            && image.stage.now == ImageStatus::Available
            && image.owner == owner
            && may_use(image, &cx.uid)
    });
    let public =
        || catalogue::public_images().iter().filter(|image| image.family == family && !image.expired);
    own.max_by(|one, other| one.created.cmp(&other.created).then_with(|| one.id.cmp(&other.id)))
        .map(|image| image.id.clone())
        .or_else(|| public().max_by_key(|image| image.day()).map(|image| image.id.clone()))
}

/// Finds the caller's own image that the call names.
fn own<'a>(cx: &'a Cx<'_>) -> Result<&'a Image, ApiError> {
    let region = cx.region()?;
    let image = cx.params.get("ImageId").and_then(|id| cx.state.images.get(id));
    image
        .filter(|image| image.region == region.id && image.owner == cx.uid)
        .ok_or_else(|| refuse("InvalidImageId.NotFound"))
}

/// Refuses a name that is malformed or taken.
fn check_name(cx: &Cx<'_>, region: &str, name: &str) -> Result<(), ApiError> {
    let lower = name.to_ascii_lowercase();
    if !proper_name(name) || lower.starts_with("aliyun") || lower.starts_with("acs:") {
        return Err(refuse("InvalidImageName.Malformed"));
    }
    let taken = |image: &Image| image.owner == cx.uid && image.region == region && image.name == name;
    if cx.state.images.values().any(taken) { Err(refuse("InvalidImageName.Duplicated")) } else { Ok(()) }
}

/// Refuses a family's name that is malformed.
fn check_family(family: &str) -> Result<(), ApiError> {
    let lower = family.to_ascii_lowercase();
    let fits = proper_name(family) && !lower.starts_with("acs:") && !lower.starts_with("aliyun");
    if family.is_empty() || fits { Ok(()) } else { Err(refuse("InvalidImageFamily.Malformed")) }
}

/// Refuses a description that is too short or too long, or a link.
fn check_description(text: &str) -> Result<(), ApiError> {
    let fits = (2..=256).contains(&text.chars().count())
        && !text.starts_with("http://")
        && !text.starts_with("https://");
    if text.is_empty() || fits { Ok(()) } else { Err(refuse("InvalidDescription.Malformed")) }
}

/// Returns the value of a parameter that is one of a few words.
fn one_of(cx: &Cx<'_>, name: &str, words: &[&str]) -> Result<Option<String>, ApiError> {
    match cx.params.get(name) {
        Some(value) if !words.contains(&value) => Err(ApiError::invalid(name)),
        value => Ok(value.map(str::to_owned)),
    }
}

/// The boot modes there are.
const BOOT_MODES: &[&str] = &["BIOS", "UEFI", "UEFI-Preferred"];

/// Refuses when the caller's images in a region have used up their number.
fn within_quota(cx: &Cx<'_>, region: &str) -> Result<(), ApiError> {
    let has = cx.state.images.values().filter(|image| image.owner == cx.uid && image.region == region);
    cx.within_quota("image", 100, has.count(), "QuotaExceed.Image")
}

/// Returns how an image ends that the call creates, as fault rules want it.
fn end_of(cx: &Cx<'_>) -> ImageStatus {
    match cx.outcome {
        Outcome::Fails => ImageStatus::CreateFailed,
        Outcome::Unavailable => ImageStatus::UnAvailable,
        Outcome::Normal | Outcome::Stuck => ImageStatus::Available,
    }
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let (id, force) = (image.id.clone(), cx.params.flag("Force")?);
    // Neither end of a copy that is under way can be deleted; the copy has to be cancelled.
    let is_source = |copy: &Image| copy.copying.as_ref().is_some_and(|copying| copying.source == id);
    if image.copying.is_some() || cx.state.images.values().any(is_source) {
        return Err(refuse("OperationDenied.ImageCopying"));
    }
    // Documented without a word on `Force`; that it covers this, too, is a guess.
    if !image.shared_with.is_empty() && !force {
        return Err(refuse("ImageUseShared"));
    }
    let mut instances = cx.state.accounts.values().flat_map(|account| account.instances.values());
    if !force && instances.any(|instance| instance.image_id == id && !instance.deleting) {
        return Err(refuse("ImageUsingByInstance"));
    }
    cx.state.images.remove(&id);
    cx.effects.push(Effect::SweepLayers);
    Ok(json!({}))
}
