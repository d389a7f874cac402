//! Changing what an image is called, which family it is in, what it supports, and whether it is deprecated.

use serde_json::json;

use super::{BOOT_MODES, check_description, check_family, check_name, one_of, own};
use crate::api::{Answer, ApiError, Cx, refuse};
use crate::model::{ImageStatus, Stage};

/// Changes what the call names. An empty value changes nothing, so a family once set cannot be taken away.
pub fn modify(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    let (id, region, old) = (image.id.clone(), image.region.clone(), image.name.clone());
    if !matches!(image.stage.now, ImageStatus::Available | ImageStatus::Deprecated) {
        return Err(refuse("IncorrectImageStatus"));
    }
    let name = cx.params.get("ImageName").map(str::to_owned);
    if let Some(name) = name.as_ref().filter(|name| **name != old) {
        check_name(cx, &region, name)?;
    }
    check_family(&cx.params.text("ImageFamily"))?;
    check_description(&cx.params.text("Description"))?;
    let boot_mode = one_of(cx, "BootMode", BOOT_MODES)?;
    let license = one_of(cx, "LicenseType", &["BYOL"])?;
    let nvme = one_of(cx, "Features.NvmeSupport", &["supported", "unsupported"])?;
    let imds = one_of(cx, "Features.ImdsSupport", &["v1", "v2"])?;
    if image.imds_v2 && imds.as_deref() == Some("v1") {
        // That it is refused is documented, the code is not: a guess.
        return Err(ApiError::invalid("Features.ImdsSupport")
            .saying("The specified parameter Features.ImdsSupport cannot be changed from v2 to v1."));
    }
    let status = match cx.params.get("Status") {
        None => None,
        Some("Available") => Some(ImageStatus::Available),
        Some("Deprecated") if !image.shared_with.is_empty() => {
            // Documented as a rule ("you must unshare it first"); the code is that of deleting a shared image.
            return Err(refuse("ImageUseShared"));
        }
        Some("Deprecated") => Some(ImageStatus::Deprecated),
        Some(_) => return Err(ApiError::invalid("Status")),
    };
    let (params, now) = (cx.params, cx.now());
    let Some(image) = cx.state.images.get_mut(&id) else { return Err(refuse("InvalidImageId.NotFound")) };
    if let Some(name) = name {
        image.name = name;
    }
    if let Some(description) = params.get("Description") {
        description.clone_into(&mut image.description);
    }
    if let Some(family) = params.get("ImageFamily") {
        family.clone_into(&mut image.family);
    }
    if let Some(mode) = boot_mode {
        image.boot_mode = mode;
    }
    if let Some(license) = license {
        image.license_type = license;
    }
    if let Some(nvme) = nvme {
        image.nvme = nvme == "supported";
    }
    if let Some(imds) = imds {
        image.imds_v2 = imds == "v2";
    }
    if let Some(status) = status.filter(|status| *status != image.stage.now) {
        image.stage = Stage::settled(status, now);
    }
    Ok(json!({}))
}
