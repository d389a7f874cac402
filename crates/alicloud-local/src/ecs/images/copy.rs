//! Copying an image to another region, or within one to encrypt it. A few copies are made at a time, the others wait
//! their turn: `promote` lets them begin.

use serde_json::json;

use super::{DEFAULT_BOOT_MODE, check_description, check_name, end_of, may_use, own, within_quota};
use crate::api::{Answer, ApiError, Cx, Effect, Outcome, refuse};
use crate::catalogue::{self, Region};
use crate::clock::{Clock, Moment};
use crate::model::{
    Content, Copying, Image, ImageDisk, ImageStatus, Snapshot, SnapshotStatus, Stage, State, Tags,
};
use crate::timings;

/// So many copies of an account are made in a region at a time (documentation of CopyImage, since 2024).
const AT_A_TIME: usize = 5;

/// Orders a copy.
pub fn copy(cx: &mut Cx<'_>) -> Answer {
    let source = source(cx)?.clone();
    let target = catalogue::region(&cx.params.text("DestinationRegionId"))
        .ok_or_else(|| refuse("DestinationRegion.NotFound"))?;
    let mine = source.owner == cx.uid;
    if !mine && target.id != source.region {
        return Err(refuse("OperationDenied.SameRegionOnly"));
    }
    let encryption = Encryption::read(cx, &source, target)?;
    // Within its region an image of one's own is copied to be encrypted otherwise, and for nothing else.
    if mine && target.id == source.region && cx.params.get("Encrypted").is_none() {
        return Err(refuse("IncorrectDestinationRegion"));
    }
    let name = cx.params.get("DestinationImageName").map(str::to_owned);
    if let Some(name) = &name {
        check_name(cx, &target.id, name)?;
    }
    let description =
        cx.params.get("DestinationDescription").map_or(source.description.clone(), str::to_owned);
    check_description(&description)?;
    // That only the same destination is meant is a guess: tools copy one image to many regions at once.
    let again = |image: &Image| {
        image.region == target.id
            && image.owner == cx.uid
            && image.copying.as_ref().is_some_and(|copying| copying.source == source.id)
    };
    if cx.state.images.values().any(again) {
        return Err(refuse("OperationDenied.ImageCopyConflict"));
    }
    let tags = cx.params.tags()?;
    within_quota(cx, &target.id)?;
    crate::ecs::disks::snapshot_quota(cx, &target.id, source.disks.len())?;

    let mut disks = Vec::new();
    for disk in &source.disks {
        disks.push(copy_disk(cx, target, disk, &encryption, &tags));
    }
    let id = cx.new_id("m", target);
    let image = Image {
        id: id.clone(),
        owner: cx.uid.clone(),
        region: target.id.clone(),
        name: name.unwrap_or_else(|| id.clone()),
        description,
        resource_group: cx.params.text("ResourceGroupId"),
        // Neither these nor tags go along.
        family: String::new(),
        boot_mode: DEFAULT_BOOT_MODE.to_owned(),
        nvme: false,
        detect: false,
        copied: true,
        copying: Some(Copying {
            source: source.id.clone(),
            end: end_of(cx),
            stuck: cx.outcome == Outcome::Stuck,
        }),
        disks,
        shared_with: Vec::new(),
        tags,
        created: cx.now(),
        stage: Stage::settled(ImageStatus::Waiting, cx.now()),
        ..source
    };
    cx.state.images.insert(id.clone(), image);
    let now = cx.now();
    promote(cx.state, cx.clock, now);
    Ok(json!({"ImageId": id}))
}

/// Finds the image to copy, which may also be one that is shared with the caller.
fn source<'a>(cx: &'a Cx<'_>) -> Result<&'a Image, ApiError> {
    let region = cx.region()?;
    let found = cx.params.get("ImageId").and_then(|id| cx.state.images.get(id));
    let found = found.filter(|image| image.region == region.id && may_use(image, &cx.uid));
    let image = found.ok_or_else(|| refuse("InvalidImageId.NotFound"))?;
    if image.community {
        return Err(refuse("OperationDenied.CommunityImage"));
    }
    if image.stage.now == ImageStatus::Available {
        Ok(image)
    } else {
        // Documented with this status here; other actions answer the code with 403.
        Err(refuse("IncorrectImageStatus").with_status(400))
    }
}

/// How the disks of a copy are encrypted.
struct Encryption {
    /// Said by the call; without it each disk stays as it is.
    wanted: bool,
    key: String,
    /// Whether keys of the source can be used: keys belong to a region.
    same_region: bool,
}

impl Encryption {
    fn read(cx: &Cx<'_>, source: &Image, target: &Region) -> Result<Encryption, ApiError> {
        let wanted = cx.params.flag("Encrypted")?;
        let key = cx.params.text("KMSKeyId");
        if !key.is_empty() && !wanted {
            return Err(refuse("InvalidParameter.EncryptedIllegal"));
        }
        let plain = cx.params.get("Encrypted").is_some() && !wanted;
        if plain && source.disks.iter().any(|disk| disk.encrypted) {
            return Err(refuse("OperationDeined.EncryptedSnapshot").saying(
                "The image contains encrypted snapshots, which do not support copying to non-encrypted ones.",
            ));
        }
        Ok(Encryption { wanted, key, same_region: target.id == source.region })
    }

    /// Returns whether the copy of a disk is encrypted, and with which key; an empty one is the service's own.
    fn of(&self, disk: &ImageDisk) -> (bool, String) {
        if self.wanted {
            (true, self.key.clone())
        } else {
            (disk.encrypted, if self.same_region { disk.kms_key.clone() } else { String::new() })
        }
    }
}

/// Makes the snapshot of a disk's copy; it begins with the image's own copying.
fn copy_disk(
    cx: &mut Cx<'_>,
    target: &Region,
    disk: &ImageDisk,
    encryption: &Encryption,
    tags: &Tags,
) -> ImageDisk {
    let (encrypted, kms_key) = encryption.of(disk);
    if disk.snapshot_id.is_empty() {
        return ImageDisk { encrypted, kms_key, ..disk.clone() };
    }
    let id = cx.new_id("s", target);
    let original = cx.state.snapshot(&disk.snapshot_id);
    let snapshot = Snapshot {
        id: id.clone(),
        region: target.id.clone(),
        name: format!("Copied_from_{}", disk.snapshot_id),
        description: String::new(),
        disk_id: String::new(),
        disk_system: disk.system,
        size_gib: disk.size_gib,
        retention_days: None,
        encrypted,
        kms_key: kms_key.clone(),
        layers: original.map(|original| original.layers.clone()).unwrap_or_default(),
        content: Content::Ready,
        tags: tags.clone(),
        created: cx.now(),
        stage: Stage::settled(SnapshotStatus::Progressing, cx.now()),
    };
    cx.account_mut().snapshots.insert(id.clone(), snapshot);
    ImageDisk { snapshot_id: id, encrypted, kms_key, ..disk.clone() }
}

/// Lets waiting copies begin, oldest first, wherever fewer are being made than may be.
pub fn promote(state: &mut State, clock: &Clock, now: Moment) {
    let mut waiting: Vec<(Moment, String)> = state
        .images
        .values()
        .filter(|image| image.stage.now == ImageStatus::Waiting && image.copying.is_some())
        .map(|image| (image.created, image.id.clone()))
        .collect();
    waiting.sort();
    for (_, id) in waiting {
        let Some(image) = state.images.get(&id) else { continue };
        let beside = |other: &&Image| {
            other.owner == image.owner
                && other.region == image.region
                && other.copying.is_some()
                && other.stage.now == ImageStatus::Creating
        };
        if state.images.values().filter(beside).count() >= AT_A_TIME {
            continue;
        }
        if let Some(image) = state.images.get_mut(&id) {
            begin(image, &mut state.accounts, clock, now);
        }
    }
}

fn begin(
    image: &mut Image,
    accounts: &mut std::collections::BTreeMap<String, crate::model::Account>,
    clock: &Clock,
    now: Moment,
) {
    let Some(copying) = &image.copying else { return };
    let end = now.plus(clock.scaled(timings::IMAGE_COPY));
    image.stage = Stage::settled(ImageStatus::Creating, now);
    if copying.stuck {
        return;
    }
    image.stage.next.push((end, copying.end));
    let failed = copying.end == ImageStatus::CreateFailed;
    let snapshot_end = if failed { SnapshotStatus::Failed } else { SnapshotStatus::Accomplished };
    let Some(account) = accounts.get_mut(&image.owner) else { return };
    for disk in &image.disks {
        if let Some(snapshot) = account.snapshots.get_mut(&disk.snapshot_id) {
            snapshot.stage = Stage::settled(SnapshotStatus::Progressing, now);
            snapshot.stage.next.push((end, snapshot_end));
        }
    }
}

/// Cancels a copy that is waiting or being made; image and snapshots of the copy are gone.
pub fn cancel(cx: &mut Cx<'_>) -> Answer {
    let image = own(cx)?;
    if image.copying.is_none() {
        return Err(refuse("IncorrectImageStatus"));
    }
    let (id, disks) = (image.id.clone(), image.disks.clone());
    cx.state.images.remove(&id);
    for disk in disks {
        cx.account_mut().snapshots.remove(&disk.snapshot_id);
    }
    cx.effects.push(Effect::SweepLayers);
    let now = cx.now();
    promote(cx.state, cx.clock, now);
    Ok(json!({}))
}
