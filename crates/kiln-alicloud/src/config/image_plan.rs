//! The image to make, checked: names, copies with their names and keys, encryption.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alicloud_api::RegionId;
use alicloud_api::ecs::ImageFeatures;
use kiln_core::scope::Scope;

use super::check::{Check, given};
use super::disk::DiskConfig;
use super::image::ImageConfig;

/// The image to make.
pub(crate) struct ImagePlan {
    pub name: String,
    /// `tags` and `tag` together.
    pub tags: BTreeMap<String, String>,
    /// `image_force_delete` or `-force`.
    pub force_delete: bool,
    /// `image_force_delete_snapshots` or `-force`.
    pub force_delete_snapshots: bool,
    pub encryption: Encryption,
    /// In other regions than the build's, each once.
    pub copies: Vec<CopyPlan>,
    pub copy_failure: CopyFailure,
    pub marks: Marks,
    /// Time for snapshot and image.
    pub snapshot_timeout: Duration,
    /// Time for the copies.
    pub copy_timeout: Duration,
    /// Time until the instance has stopped.
    pub stop_timeout: Duration,
}

/// How the image of the build's region comes to be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// It is as the instance's disks are.
    AsDisks,
    /// Its disks are all encrypted as it is wanted, hence so is the image: no copy of it is needed.
    AtLaunch,
    /// An encrypted copy of a temporary image.
    ByCopy,
}

/// A copy to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyPlan {
    pub region: RegionId,
    pub name: Option<String>,
    pub key: Option<String>,
}

/// What a failed copy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyFailure {
    Fail,
    Warn,
}

/// What the template says of an image's hardware; what it does not say stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub boot_mode: Option<String>,
    pub features: ImageFeatures,
}

impl Check<'_> {
    /// Checks the fields of the image; `None` with at least one fault.
    pub(super) fn image(
        &mut self,
        config: &ImageConfig,
        scope: &Scope,
        region: Option<&RegionId>,
    ) -> Option<ImagePlan> {
        match given(&config.image_name) {
            Some(name) => self.image_name("image_name", name),
            None => self.fault("image_name", "image_name must be specified", ""),
        }
        self.texts(config);
        let marks = self.marks(config);
        let tags = self.tags(config);
        let copy_failure = self.copy_failure(config);
        let encryption = self.encryption(config);
        let copies = self.copies(config, region);
        self.disks(config);
        self.shares(config, &copies);
        let force_delete = config.image_force_delete || scope.force;
        Some(ImagePlan {
            name: given(&config.image_name)?.to_owned(),
            tags,
            force_delete,
            force_delete_snapshots: config.image_force_delete_snapshots || scope.force,
            encryption,
            copies,
            copy_failure,
            marks,
            snapshot_timeout: seconds(config.wait_snapshot_ready_timeout, 3600),
            copy_timeout: seconds(config.wait_copying_image_ready_timeout, 3600),
            stop_timeout: seconds(config.wait_instance_stopped_timeout, 1800),
        })
    }

    fn image_name(&mut self, field: &str, name: &str) {
        if !(2..=128).contains(&name.len()) {
            self.fault(field, format!("{field} must less than 128 letters and more than 1 letters"), "");
        }
        if name.starts_with("http://") || name.starts_with("https://") {
            self.fault(field, format!("{field} can't start with 'http://' or 'https://'"), "");
        }
        if name.contains(char::is_whitespace) {
            self.fault(field, format!("{field} can't include spaces"), "");
        }
    }

    fn texts(&mut self, config: &ImageConfig) {
        if let Some(family) = given(&config.target_image_family) {
            self.family(family);
        }
        if given(&config.image_version).is_some_and(|version| version.chars().count() > 40) {
            self.fault("image_version", "image_version has more than 40 characters", "");
        }
        if let Some(description) = given(&config.image_description) {
            if !(2..=256).contains(&description.chars().count()) {
                let message = "image_description must have 2 to 256 characters";
                self.fault("image_description", message, "");
            }
            if description.starts_with("http://") || description.starts_with("https://") {
                let message = "image_description can't start with 'http://' or 'https://'";
                self.fault("image_description", message, "");
            }
        }
    }

    fn family(&mut self, family: &str) {
        if ["aliyun", "acs:", "http://", "https://"].iter().any(|prefix| family.starts_with(prefix)) {
            let message = "target_image_family can't start with 'aliyun', 'acs:', 'http://' or 'https://'";
            return self.fault("target_image_family", message, "");
        }
        let rest = |letter: char| letter.is_alphanumeric() || "_-.:".contains(letter);
        let well_formed =
            family.chars().next().is_some_and(char::is_alphabetic) && family.chars().skip(1).all(rest);
        if !well_formed || !(2..=128).contains(&family.chars().count()) {
            let message = "target_image_family should be [2, 128] English or Chinese characters. It must begin with an \
                           uppercase/lowercase letter or a Chinese character, and may contain numbers, '_' or '-'";
            self.fault("target_image_family", message, "");
        }
    }

    fn marks(&mut self, config: &ImageConfig) -> Marks {
        if given(&config.boot_mode).is_some_and(|mode| !["BIOS", "UEFI", "UEFI-Preferred"].contains(&mode)) {
            self.fault("boot_mode", "boot_mode should to be one of 'BIOS', 'UEFI' or 'UEFI-Preferred'", "");
        }
        self.one_of("nvme_support", &config.nvme_support, ["supported", "unsupported"]);
        self.one_of("image_imds_support", &config.image_imds_support, ["v1", "v2"]);
        let text = |field: &Option<String>| given(field).map(str::to_owned);
        Marks {
            boot_mode: text(&config.boot_mode),
            features: ImageFeatures {
                imds_support: text(&config.image_imds_support),
                nvme_support: text(&config.nvme_support),
            },
        }
    }

    fn one_of(&mut self, field: &str, value: &Option<String>, known: [&str; 2]) {
        if given(value).is_some_and(|value| !known.contains(&value)) {
            let [one, other] = known;
            self.fault(field, format!("{field} should be '{one}' or '{other}'"), "");
        }
    }

    /// The rules of the cloud for tags; `tag` wins over an equal key of `tags`.
    fn tags(&mut self, config: &ImageConfig) -> BTreeMap<String, String> {
        let mut tags = config.tags.clone();
        tags.extend(config.tag.iter().map(|tag| (tag.key.clone(), tag.value.clone())));
        if tags.len() > 20 {
            self.fault("tags", "more than 20 tags", "the cloud takes at most 20 tags a resource");
        }
        let forbidden = ["aliyun", "acs:", "http://", "https://"];
        for (key, value) in &tags {
            let field = if config.tags.contains_key(key) { "tags" } else { "tag" };
            let begins = |text: &str| forbidden.iter().any(|prefix| text.to_lowercase().starts_with(prefix));
            if key.is_empty() || key.chars().count() > 128 || begins(key) {
                let hint =
                    "a key has 1 to 128 characters and does not begin with `aliyun`, `acs:` or `http(s)://`";
                self.fault(field, format!("a tag cannot have the key '{key}'"), hint);
            }
            if value.chars().count() > 128 || value.starts_with("http://") || value.starts_with("https://") {
                let hint = "a value has at most 128 characters and does not begin with `http(s)://`";
                self.fault(field, format!("the tag '{key}' cannot have the value '{value}'"), hint);
            }
        }
        tags
    }

    fn disks(&mut self, config: &ImageConfig) {
        let system = std::iter::once(("system_disk_mapping", &config.system_disk_mapping));
        let data = config.image_disk_mappings.iter().map(|disk| ("image_disk_mappings", disk));
        for (field, disk) in system.chain(data) {
            for (message, hint) in disk.faults() {
                self.fault(field, format!("{field}: {message}"), hint);
            }
        }
        if config.image_disk_mappings.len() > 16 {
            let message = format!("{} image_disk_mappings", config.image_disk_mappings.len());
            self.fault("image_disk_mappings", message, "an instance takes at most 16 data disks");
        }
    }

    fn copy_failure(&mut self, config: &ImageConfig) -> CopyFailure {
        self.one_of("copy_failure", &config.copy_failure, ["fail", "warn"]);
        match given(&config.copy_failure) {
            Some("warn") => CopyFailure::Warn,
            _ => CopyFailure::Fail,
        }
    }

    fn encryption(&mut self, config: &ImageConfig) -> Encryption {
        if config.image_encrypted == Some(true) {
            let key = given(&config.kms_key_id);
            let as_wanted =
                |disk: &DiskConfig| disk.disk_encrypted == Some(true) && given(&disk.disk_kms_key_id) == key;
            return match config.disks_of_image().all(as_wanted) {
                true => Encryption::AtLaunch,
                false => Encryption::ByCopy,
            };
        }
        // What is believed to be encrypted with a key must not turn out plain.
        let keys = config.kms_key_copy_ids.iter().any(|key| !key.is_empty());
        for (field, is_given) in
            [("kms_key_id", given(&config.kms_key_id).is_some()), ("kms_key_copy_ids", keys)]
        {
            if is_given {
                let hint = "set `image_encrypted` to true, or leave the key out";
                self.fault(field, format!("{field} without image_encrypted encrypts nothing"), hint);
            }
        }
        Encryption::AsDisks
    }

    /// Pairs regions, names and keys by index. The build's own region needs no copy.
    fn copies(&mut self, config: &ImageConfig, home: Option<&RegionId>) -> Vec<CopyPlan> {
        let mut seen = BTreeSet::new();
        let regions: Vec<&String> =
            config.image_copy_regions.iter().filter(|region| seen.insert(region.as_str())).collect();
        for (field, list) in
            [("image_copy_names", &config.image_copy_names), ("kms_key_copy_ids", &config.kms_key_copy_ids)]
        {
            if list.len() > regions.len() {
                let message = format!(
                    "{} {field} for {} image_copy_regions (each counted once)",
                    list.len(),
                    regions.len()
                );
                self.fault(field, message, "they belong to the regions by their order");
            }
        }
        let at = |list: &[String], index: usize| list.get(index).filter(|text| !text.is_empty()).cloned();
        for name in config.image_copy_names.iter().filter(|name| !name.is_empty()) {
            self.image_name("image_copy_names", name);
        }
        if regions.iter().any(|region| region.is_empty()) {
            self.fault("image_copy_regions", "image_copy_regions holds an empty name", "");
        }
        let plans = regions.into_iter().enumerate().map(|(index, region)| CopyPlan {
            region: region.as_str().into(),
            name: at(&config.image_copy_names, index),
            key: at(&config.kms_key_copy_ids, index),
        });
        plans.filter(|plan| Some(&plan.region) != home).collect()
    }

    /// The cloud refuses to share what is encrypted with a service key, because no other account can use that key.
    fn shares(&mut self, config: &ImageConfig, copies: &[CopyPlan]) {
        if config.image_share_account.is_empty() {
            return;
        }
        for account in &config.image_share_account {
            if account.is_empty() || !account.bytes().all(|digit| digit.is_ascii_digit()) {
                let message = format!("image_share_account: '{account}' is not the number of an account");
                self.fault("image_share_account", message, "the id of an account is a number of 16 digits");
            }
            if config.image_unshare_account.contains(account) {
                let message = format!("{account} stands in image_share_account and in image_unshare_account");
                self.fault("image_unshare_account", message, "");
            }
        }
        let message = "an image that is encrypted with a service key cannot be shared";
        if config.image_encrypted == Some(true) {
            if given(&config.kms_key_id).is_none() {
                self.fault("image_share_account", message, "name a key of your own in `kms_key_id`");
            }
            for copy in copies.iter().filter(|copy| copy.key.is_none()) {
                let hint = format!("name a key of your own for `{}` in `kms_key_copy_ids`", copy.region);
                self.fault("image_share_account", message, &hint);
            }
        } else if config
            .disks_of_image()
            .any(|disk| disk.disk_encrypted == Some(true) && given(&disk.disk_kms_key_id).is_none())
        {
            self.fault("image_share_account", message, "name a key of your own in `disk_kms_key_id`");
        }
    }
}

/// Returns a number of seconds; what is not above zero is `usual`, as in Packer.
pub(super) fn seconds(field: Option<i64>, usual: u64) -> Duration {
    let given = field.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    Duration::from_secs(given.unwrap_or(usual))
}
