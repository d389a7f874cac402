//! How each kind of temporary resource is found and deleted: one table for unwinding, `gc` and an artifact's
//! destruction. "Not found" is success everywhere.

mod deletions;
mod finders;

use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::error::Result;
use kiln_core::ledger::{Intent, Resource};
use kiln_core::reclaim::{Announcement, Reason, Reclaim, ReclaimTable};
use tokio_util::sync::CancellationToken;

pub(crate) use deletions::{ORIGINAL_NAME, REPLACED_BY, SHARED_BEFORE, WITH_SNAPSHOTS};
pub(crate) use finders::{BEFORE, EVERY_STATUS};

use crate::cloud::Cloud;

/// The kinds of resources a build makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Shares of an image with other accounts, to be taken back.
    ImageShare,
    /// A copy of the image, in another region or encrypted.
    ImageCopy,
    /// The image; deleted with its snapshots.
    Image,
    /// An older image that gave way to the new one's name: it gets its name back, or goes if the new one has stayed.
    ReplacedImage,
    Snapshot,
    EipAssociation,
    Instance,
    SecurityGroup,
    VSwitch,
    Vpc,
    KeyPair,
}

/// What an instance's facts tell its clean-up lines.
pub(crate) const FACT_KEY_PAIR: &str = "key_pair";
/// Set when the instance has a public address of its own.
pub(crate) const FACT_PUBLIC: &str = "public_address";
/// The instance an elastic address is bound to.
pub(crate) const FACT_INSTANCE: &str = "instance";

impl Kind {
    /// In the order clean-up lines are shown (the reference log's order).
    const ALL: [Kind; 11] = [
        Kind::ImageShare,
        Kind::ImageCopy,
        Kind::Image,
        Kind::ReplacedImage,
        Kind::Snapshot,
        Kind::EipAssociation,
        Kind::Instance,
        Kind::SecurityGroup,
        Kind::VSwitch,
        Kind::Vpc,
        Kind::KeyPair,
    ];

    /// Returns the ledger key of the build's one resource of this kind.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Kind::ImageShare => "image-share",
            Kind::ImageCopy => "image-copy",
            Kind::Image => "image",
            Kind::ReplacedImage => "replaced-image",
            Kind::Snapshot => "snapshot",
            Kind::EipAssociation => "eip-association",
            Kind::Instance => "instance",
            Kind::SecurityGroup => "security-group",
            Kind::VSwitch => "vswitch",
            Kind::Vpc => "vpc",
            Kind::KeyPair => "key-pair",
        }
    }

    /// Returns the row's name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::ImageShare => "alicloud-image-share",
            Kind::ImageCopy => "alicloud-image-copy",
            Kind::Image => "alicloud-image",
            Kind::ReplacedImage => "alicloud-replaced-image",
            Kind::Snapshot => "alicloud-snapshot",
            Kind::EipAssociation => "alicloud-eip-association",
            Kind::Instance => "alicloud-instance",
            Kind::SecurityGroup => "alicloud-security-group",
            Kind::VSwitch => "alicloud-vswitch",
            Kind::Vpc => "alicloud-vpc",
            Kind::KeyPair => "alicloud-key-pair",
        }
    }

    /// Returns the kind whose row has this name.
    pub(crate) fn of(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns how far down it stands: what is deeper can only go after what is less deep.
    pub(crate) fn depth(self) -> u32 {
        match self {
            Kind::ImageShare | Kind::ImageCopy | Kind::Image | Kind::ReplacedImage => 0,
            Kind::Snapshot | Kind::EipAssociation => 1,
            Kind::Instance => 2,
            Kind::SecurityGroup | Kind::VSwitch | Kind::KeyPair => 3,
            Kind::Vpc => 4,
        }
    }

    /// What Packer's clean-up lines call it.
    fn thing(self) -> &'static str {
        match self {
            Kind::ImageShare => "share of the image",
            Kind::ImageCopy => "copy of the image",
            Kind::Image => "image",
            Kind::ReplacedImage => "replaced image",
            Kind::Snapshot => "snapshot",
            Kind::EipAssociation => "EIP association",
            Kind::Instance => "instance",
            Kind::SecurityGroup => "security group",
            Kind::VSwitch => "vSwitch",
            Kind::Vpc => "VPC",
            Kind::KeyPair => "temporary key pair",
        }
    }
}

/// Returns the table of `cloud`'s account.
pub(crate) fn table(cloud: &Cloud) -> ReclaimTable {
    let mut table = ReclaimTable::default();
    for (rank, kind) in (0..).zip(Kind::ALL) {
        table.insert(kind.name(), Arc::new(Row { kind, rank, cloud: cloud.clone() }));
    }
    table
}

struct Row {
    kind: Kind,
    rank: u32,
    cloud: Cloud,
}

#[async_trait]
impl Reclaim for Row {
    fn rank(&self) -> u32 {
        self.rank
    }

    fn is_quick(&self) -> bool {
        match self.kind {
            Kind::KeyPair
            | Kind::ImageShare
            | Kind::ImageCopy
            | Kind::Image
            | Kind::ReplacedImage
            | Kind::Snapshot
            | Kind::EipAssociation => true,
            // The instance takes seconds to go, and the network stands until it is gone.
            Kind::Instance | Kind::SecurityGroup | Kind::VSwitch | Kind::Vpc => false,
        }
    }

    fn noun(&self) -> &'static str {
        self.kind.thing()
    }

    fn announce(&self, resource: &Resource, reason: Reason) -> Vec<Announcement> {
        announce(self.kind, resource, reason)
    }

    async fn find(&self, intent: &Intent) -> Result<Vec<Resource>> {
        finders::find(self.kind, &self.cloud.at(&intent.place)?, intent).await
    }

    async fn delete(&self, resource: &Resource, cancel: &CancellationToken) -> Result<()> {
        let Some(id) = resource.id.as_deref() else {
            return Ok(());
        };
        let cloud = self.cloud.at(&resource.intent.place)?.with_cancel(cancel);
        deletions::delete(self.kind, &cloud, id, resource).await
    }
}

/// Packer's lines. Binding a key pair and an address to the instance are no steps of ours any more, but scripts look
/// for their lines, so the instance says them.
fn announce(kind: Kind, resource: &Resource, reason: Reason) -> Vec<Announcement> {
    let failed = reason == Reason::FailedOrCancelled;
    let cleaning = |thing: &str| match failed {
        true => Announcement::Say(format!("Deleting {thing} because of cancellation or error...")),
        false => Announcement::Say(format!("Cleaning up '{thing}'")),
    };
    match kind {
        Kind::KeyPair => vec![Announcement::Say("Deleting temporary keypair...".to_owned())],
        Kind::ImageShare if failed => {
            let line = "Restoring image share permission because cancellations or error...";
            vec![Announcement::Say(line.to_owned())]
        }
        Kind::ImageCopy if failed => {
            let line = "Stopping copy image because cancellation or error...";
            vec![Announcement::Say(line.to_owned())]
        }
        Kind::Image if failed => vec![Announcement::Say(
            "Deleting the image and related snapshots because of cancellation or error...".to_owned(),
        )],
        // Of a build that is done, only one that has been encrypted by making a copy is still held.
        Kind::Image if reason == Reason::Finished => vec![Announcement::Say(format!(
            "Deleting temporary image {}({}) and related snapshots after finishing encryption...",
            resource.id.as_deref().unwrap_or_default(),
            resource.intent.name.as_deref().unwrap_or_default()
        ))],
        // Packer's lines of it were shown where Packer deletes it; the others are none of Packer's.
        Kind::ReplacedImage | Kind::ImageShare | Kind::ImageCopy => Vec::new(),
        Kind::Snapshot if failed => {
            vec![Announcement::Say("Deleting the snapshot because of cancellation or error...".to_owned())]
        }
        Kind::Instance => {
            let key_pair = resource.facts.get(FACT_KEY_PAIR).zip(resource.id.as_ref());
            let detach = key_pair
                .map(|(key, id)| Announcement::Message(format!("Detach keypair {key} from instance: {id}")));
            let address = resource.facts.contains_key(FACT_PUBLIC).then(|| cleaning("EIP"));
            detach.into_iter().chain(address).chain([cleaning("instance")]).collect()
        }
        Kind::Image
        | Kind::Snapshot
        | Kind::EipAssociation
        | Kind::SecurityGroup
        | Kind::VSwitch
        | Kind::Vpc => {
            vec![cleaning(kind.thing())]
        }
    }
}
