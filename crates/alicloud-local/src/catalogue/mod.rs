//! What the provider offers everywhere: regions with their zones, instance types, public images. Facts as data.

use std::sync::LazyLock;

use serde::Deserialize;

/// A region.
#[derive(Debug, Deserialize)]
pub struct Region {
    /// Its id, such as `cn-beijing`.
    pub id: String,
    /// Its name in English.
    pub name: String,
    /// Three letters that ids of the region begin with.
    pub code: String,
    /// Its zones.
    pub zones: Vec<String>,
}

/// An instance type.
#[derive(Debug, Deserialize)]
pub struct InstanceType {
    /// Its id, such as `ecs.g6.large`.
    pub id: String,
    /// Virtual processors.
    pub cores: u32,
    /// Memory.
    pub memory_gib: f64,
    /// The generation, such as `ecs-5`.
    pub generation: String,
    /// Disks of the host machine, which cannot be put into a snapshot.
    #[serde(default)]
    pub local_disks: u32,
}

impl InstanceType {
    /// Returns the family, such as `ecs.g6`.
    pub fn family(&self) -> &str {
        self.id.rsplit_once('.').map_or(self.id.as_str(), |(family, _)| family)
    }

    /// Returns whether it runs images for a processor.
    pub fn runs(&self, architecture: &str) -> bool {
        (architecture == "arm64") == self.id.starts_with("ecs.g8y")
    }
}

/// A public image, offered in every region.
#[derive(Debug, Deserialize)]
pub struct PublicImage {
    /// Its id, which is also its name.
    pub id: String,
    /// The family it is in, or nothing.
    pub family: String,
    /// The system's name as the API shows it.
    pub os_name: String,
    /// The distribution.
    pub platform: String,
    /// The system's version.
    pub version: String,
    /// The size of its system disk.
    pub size_gib: u64,
    /// `linux` or `windows`.
    #[serde(default = "linux")]
    pub os_type: String,
    /// The processor it is for.
    #[serde(default = "x86_64")]
    pub architecture: String,
    /// No longer offered: listed with `ShowExpired` only.
    #[serde(default)]
    pub expired: bool,
}

fn linux() -> String {
    "linux".to_owned()
}

fn x86_64() -> String {
    "x86_64".to_owned()
}

impl PublicImage {
    /// Returns the day in its name, `20240819` or so.
    pub fn day(&self) -> &str {
        self.id.rsplit('_').next().and_then(|end| end.split('.').next()).unwrap_or_default()
    }

    /// Returns whether it is of a time when images came with the driver of NVMe disks and the newer form of
    /// metadata requests. The year is a guess: the documentation names no day.
    pub fn is_recent(&self) -> bool {
        self.day() >= "20230101"
    }
}

static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| read(include_str!("regions.json")));
static TYPES: LazyLock<Vec<InstanceType>> = LazyLock::new(|| read(include_str!("instance_types.json")));
static IMAGES: LazyLock<Vec<PublicImage>> = LazyLock::new(|| read(include_str!("images.json")));

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    serde_json::from_str(text).expect("the catalogue is part of the program and read by its tests")
}

/// Returns the regions.
pub fn regions() -> &'static [Region] {
    &REGIONS
}

/// Returns the region that stands first.
pub fn first_region() -> Option<&'static Region> {
    REGIONS.first()
}

/// Returns a region.
pub fn region(id: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.id == id)
}

/// Returns the instance types.
pub fn instance_types() -> &'static [InstanceType] {
    &TYPES
}

/// Returns an instance type.
pub fn instance_type(id: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|offered| offered.id == id)
}

/// Returns the public images.
pub fn public_images() -> &'static [PublicImage] {
    &IMAGES
}

/// Returns a public image, offered or expired.
pub fn public_image(id: &str) -> Option<&'static PublicImage> {
    IMAGES.iter().find(|image| image.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_can_be_read_and_names_nothing_twice() {
        assert!(regions().len() >= 28);
        for zone in regions().iter().flat_map(|region| &region.zones) {
            assert_eq!(
                regions().iter().flat_map(|region| &region.zones).filter(|other| *other == zone).count(),
                1
            );
        }
        for image in public_images() {
            assert_eq!(
                public_images().iter().filter(|other| other.id == image.id).count(),
                1,
                "{}",
                image.id
            );
        }
        assert_eq!(instance_type("ecs.g6.large").unwrap().family(), "ecs.g6");
        assert!(instance_type("ecs.d1ne.2xlarge").unwrap().local_disks > 0);
    }
}
