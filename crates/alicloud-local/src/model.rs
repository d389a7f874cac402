//! Everything that exists in the cloud, as data: what a state folder holds, what handlers read and change.
//!
//! Fields are named after the API's own, so most need no words. No behaviour but look-ups: the rules stand with the actions (`ecs`, `vpc`, …), time's part in `settle`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::ids::Ids;

mod access;

pub use access::{AccessKey, Attached, OidcProvider, Policy, Role, User, an_hour};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// A status with the ones that time will bring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage<S> {
    /// The present status.
    pub now: S,
    /// When the present status began.
    pub since: Moment,
    /// The statuses to come, soonest first.
    pub next: Vec<(Moment, S)>,
}

impl<S: Copy> Stage<S> {
    /// A status that stays.
    pub fn settled(now: S, since: Moment) -> Stage<S> {
        Stage { now, since, next: Vec::new() }
    }

    /// Moves to the statuses whose moment has come and returns them in order.
    pub fn settle(&mut self, now: Moment) -> Vec<S> {
        let due = self.next.iter().take_while(|(at, _)| *at <= now).count();
        let passed: Vec<(Moment, S)> = self.next.drain(..due).collect();
        if let Some((at, status)) = passed.last() {
            (self.now, self.since) = (*status, *at);
        }
        passed.into_iter().map(|(_, status)| status).collect()
    }

    /// Returns when the next status is due.
    pub fn due(&self) -> Option<Moment> {
        self.next.first().map(|(at, _)| *at)
    }

    /// Returns how far the present status has come on its way to the last one, in percent.
    pub fn percent(&self, now: Moment) -> u64 {
        let Some((end, _)) = self.next.last() else { return 100 };
        let whole = end.since(self.since).as_millis().max(1);
        u64::try_from((now.since(self.since).as_millis() * 100 / whole).min(99)).unwrap_or(99)
    }
}

/// The whole cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Where identifiers come from.
    pub ids: Ids,
    /// The account whose keys are handed out.
    pub default_account: String,
    /// The accounts by their numbers.
    pub accounts: BTreeMap<String, Account>,
    /// The custom images of all accounts by id: they can be shared.
    pub images: BTreeMap<String, Image>,
}

impl State {
    /// Finds an instance of any account.
    pub fn instance(&self, id: &str) -> Option<(&Account, &Instance)> {
        self.accounts.values().find_map(|account| Some((account, account.instances.get(id)?)))
    }

    /// Finds an instance of any account, to change it.
    pub fn instance_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.accounts.values_mut().find_map(|account| account.instances.get_mut(id))
    }

    /// Finds a snapshot of any account.
    pub fn snapshot(&self, id: &str) -> Option<&Snapshot> {
        self.accounts.values().find_map(|account| account.snapshots.get(id))
    }

    /// Finds a snapshot of any account, to change it.
    pub fn snapshot_mut(&mut self, id: &str) -> Option<&mut Snapshot> {
        self.accounts.values_mut().find_map(|account| account.snapshots.get_mut(id))
    }
}

/// One account and what it owns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Account {
    /// The account's number.
    pub uid: String,
    /// Keys by their id.
    pub access_keys: BTreeMap<String, AccessKey>,
    /// VPCs by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// vSwitches by id.
    pub vswitches: BTreeMap<String, VSwitch>,
    /// Elastic addresses by allocation id.
    pub eips: BTreeMap<String, Eip>,
    /// Security groups by id.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// Key pairs by region and name, joined with a slash.
    pub key_pairs: BTreeMap<String, KeyPair>,
    /// Instances by id.
    pub instances: BTreeMap<String, Instance>,
    /// Disks by id.
    pub disks: BTreeMap<String, Disk>,
    /// Snapshots by id.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Users by name.
    #[serde(default)]
    pub users: BTreeMap<String, User>,
    /// The account's own policies by name.
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// Providers of identities by name.
    #[serde(default)]
    pub oidc_providers: BTreeMap<String, OidcProvider>,
    /// How many of a kind may exist in a region, where it is not the usual number.
    pub quotas: BTreeMap<String, usize>,
    /// What is sold out.
    pub sold_out: Vec<SoldOut>,
    /// How many calls of an action a region takes in a minute; `*` stands for those that are not named.
    #[serde(default)]
    pub rate_limits: BTreeMap<String, u32>,
    /// Answers already given, by action and client token.
    pub tokens: BTreeMap<String, Answered>,
}

/// A call that was answered under a client token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answered {
    /// A digest of the parameters.
    pub fingerprint: String,
    /// The answer.
    pub answer: serde_json::Value,
}

/// Something that is out of stock; an absent field means "any".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoldOut {
    /// The zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// The instance type.
    #[serde(default)]
    pub instance_type: Option<String>,
    /// Whether only spot instances are out of stock (`true`) or only the others (`false`).
    #[serde(default)]
    pub spot: Option<bool>,
    /// Whether it is not even on sale: refused with `Zone.NotOnSale`.
    #[serde(default)]
    pub not_on_sale: bool,
}

/// The status of a VPC or vSwitch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkStatus {
    /// Being made.
    Pending,
    /// Usable.
    Available,
    /// Being deleted: no longer listed, still counted.
    Deleting,
    /// Gone.
    Deleted,
}

/// A VPC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vpc {
    pub id: String,
    pub region: String,
    pub cidr: String,
    pub name: String,
    pub description: String,
    pub router_id: String,
    pub route_table_id: String,
    pub resource_group: String,
    pub tags: Tags,
    pub created: Moment,
    pub stage: Stage<NetworkStatus>,
}

/// A vSwitch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VSwitch {
    pub id: String,
    pub region: String,
    pub vpc_id: String,
    pub zone: String,
    pub cidr: String,
    pub name: String,
    pub description: String,
    pub tags: Tags,
    pub created: Moment,
    pub stage: Stage<NetworkStatus>,
}

/// The status of an elastic address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EipStatus {
    /// Allocated, not yet listed.
    Allocating,
    Available,
    Associating,
    InUse,
    Unassociating,
}

/// An elastic address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Eip {
    pub id: String,
    pub region: String,
    pub address: String,
    pub name: String,
    pub bandwidth: String,
    pub charge_type: String,
    pub instance_id: Option<String>,
    pub tags: Tags,
    pub created: Moment,
    pub stage: Stage<EipStatus>,
}

/// A security group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub id: String,
    pub region: String,
    pub vpc_id: String,
    pub name: String,
    pub description: String,
    pub group_type: String,
    pub rules: Vec<Rule>,
    pub tags: Tags,
    pub created: Moment,
}

/// Which way a rule of a security group looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Ingress,
    Egress,
}

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub direction: Direction,
    /// `TCP`, `UDP`, `ICMP`, `GRE` or `ALL`.
    pub protocol: String,
    /// `22/22`, or `-1/-1` for all.
    pub ports: String,
    /// The range of addresses of the other side; empty when another group is named.
    pub cidr: String,
    /// The group of the other side.
    pub group: String,
    /// `Accept` or `Drop`.
    pub policy: String,
    pub priority: u32,
    pub description: String,
}

/// A key pair; the private half leaves with the answer that made it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyPair {
    pub id: String,
    pub region: String,
    pub name: String,
    /// The public half as a line of `authorized_keys`.
    pub public_key: String,
    pub fingerprint: String,
    pub tags: Tags,
    pub created: Moment,
}

/// The status of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceStatus {
    Pending,
    Starting,
    Running,
    Stopping,
    Stopped,
    /// Gone; the entry is removed when this is reached.
    Deleted,
}

/// An instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub region: String,
    pub zone: String,
    pub name: String,
    pub hostname: String,
    pub description: String,
    pub instance_type: String,
    pub image_id: String,
    pub vpc_id: String,
    pub vswitch_id: String,
    pub security_groups: Vec<String>,
    pub private_ip: String,
    /// The address that came with the instance, if it was made with a bandwidth.
    pub public_ip: Option<String>,
    pub bandwidth_out: u32,
    pub charge_type: String,
    pub io_optimized: bool,
    pub key_pair: Option<String>,
    pub password: Option<String>,
    /// As it was sent, in base64.
    pub user_data: Option<String>,
    pub ram_role: Option<String>,
    /// Whether its user is `ecs-user` instead of `root`.
    #[serde(default)]
    pub login_as_non_root: bool,
    pub auto_release: Option<Moment>,
    pub tags: Tags,
    pub created: Moment,
    pub stage: Stage<InstanceStatus>,
    /// When its machine is to be started.
    pub boot_at: Option<Moment>,
    /// From when on its machine answers.
    pub reachable_at: Option<Moment>,
    pub deleting: bool,
    /// When its screen was last pictured.
    #[serde(default)]
    pub screenshot_at: Option<Moment>,
    /// What its system disk was made of: the names of layers, bottom first.
    pub layers: Vec<String>,
    /// Present for a spot instance.
    #[serde(default)]
    pub spot: Option<Spot>,
    /// How its metadata can be asked for.
    #[serde(default)]
    pub metadata: MetadataOptions,
    #[serde(default)]
    pub deletion_protection: bool,
}

/// What makes an instance a spot instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spot {
    /// `SpotAsPriceGo` or `SpotWithPriceLimit`.
    pub strategy: String,
    /// The most that was offered for an hour.
    pub price_limit: Option<f64>,
    /// For how many hours it cannot be taken back. Written down; an interruption on demand comes when it is told to.
    pub protected_hours: u32,
    /// Whether it is stopped and not released when it is taken back.
    pub stops: bool,
    /// When it is told that it will be taken back.
    pub notice_at: Option<Moment>,
    /// When it is taken back.
    pub reclaim_at: Option<Moment>,
}

/// How an instance's metadata can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    pub enabled: bool,
    /// Whether requests need a token.
    pub tokens_required: bool,
    pub hop_limit: u32,
}

impl Default for MetadataOptions {
    fn default() -> MetadataOptions {
        MetadataOptions { enabled: true, tokens_required: false, hop_limit: 1 }
    }
}

/// A disk. It is `In_use` while it has an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disk {
    pub id: String,
    pub region: String,
    pub zone: String,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub category: String,
    /// Of an ESSD disk; empty for others.
    #[serde(default)]
    pub performance_level: String,
    pub size_gib: u64,
    pub system: bool,
    pub device: String,
    pub instance_id: Option<String>,
    pub delete_with_instance: bool,
    pub encrypted: bool,
    /// The customer's key it is encrypted with; empty for the service's own.
    #[serde(default)]
    pub kms_key: String,
    pub source_snapshot: Option<String>,
    pub tags: Tags,
    pub created: Moment,
}

/// The status of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotStatus {
    Progressing,
    Accomplished,
    Failed,
}

/// Whether the files of a snapshot have been put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Still being captured.
    Pending,
    /// All there.
    Ready,
    /// Could not be captured, and why.
    Lost(String),
}

/// A snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    pub region: String,
    pub name: String,
    pub description: String,
    pub disk_id: String,
    pub disk_system: bool,
    pub size_gib: u64,
    pub retention_days: Option<u32>,
    pub encrypted: bool,
    /// The customer's key it is encrypted with; empty for the service's own.
    #[serde(default)]
    pub kms_key: String,
    /// What a disk made of it holds: the names of layers, bottom first.
    pub layers: Vec<String>,
    pub content: Content,
    pub tags: Tags,
    pub created: Moment,
    pub stage: Stage<SnapshotStatus>,
}

/// The status of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageStatus {
    /// A copy whose turn has not come.
    Waiting,
    Creating,
    Available,
    UnAvailable,
    CreateFailed,
    /// No longer the newest of its family; it can still be launched.
    Deprecated,
}

/// A custom image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    pub id: String,
    /// The number of the account it belongs to.
    pub owner: String,
    pub region: String,
    pub name: String,
    pub family: String,
    pub version: String,
    pub description: String,
    pub resource_group: String,
    pub boot_mode: String,
    /// What was said when it was made; otherwise that of the image it began with.
    #[serde(default)]
    pub architecture: Option<String>,
    /// Likewise.
    #[serde(default)]
    pub platform: Option<String>,
    #[serde(default)]
    pub license_type: String,
    /// Whether it is marked as having the driver of NVMe disks.
    #[serde(default)]
    pub nvme: bool,
    /// Whether instances of it can be told to answer only the newer form of metadata requests.
    #[serde(default)]
    pub imds_v2: bool,
    /// Whether it was to be examined after it was made.
    #[serde(default)]
    pub detect: bool,
    /// Whether it is published for everybody.
    #[serde(default)]
    pub community: bool,
    /// The image of the catalogue it all began with: it says what system is inside.
    pub base_image: String,
    pub size_gib: u64,
    pub copied: bool,
    /// While it is a copy being made, or waiting for that.
    #[serde(default)]
    pub copying: Option<Copying>,
    pub disks: Vec<ImageDisk>,
    pub shared_with: Vec<String>,
    pub tags: Tags,
    pub created: Moment,
    pub stage: Stage<ImageStatus>,
}

/// A copy that is being made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Copying {
    /// The image it is a copy of.
    pub source: String,
    /// How it ends.
    pub end: ImageStatus,
    /// Whether it never ends.
    pub stuck: bool,
}

/// One disk of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageDisk {
    /// Empty for a data disk that holds nothing.
    pub snapshot_id: String,
    pub device: String,
    pub size_gib: u64,
    pub system: bool,
    pub encrypted: bool,
    /// The customer's key it is encrypted with; empty for the service's own.
    #[serde(default)]
    pub kms_key: String,
}
