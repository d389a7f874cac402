//! What the accounts own already, as a file says it; and what exists now, as tests and clean-up look at it.

#![expect(missing_docs, reason = "most fields are named after what they hold in the published interface")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalogue;
use crate::clock::Moment;
use crate::faults::FaultRule;
use crate::ids::Ids;
mod access;

pub use access::{OwnedOidcProvider, OwnedPolicy, OwnedRole, OwnedUser};

use crate::metadata::Builder;
use crate::model::{
    AccessKey, Account, Content, Direction, Eip, EipStatus, Image, ImageDisk, ImageStatus, KeyPair,
    NetworkStatus, Rule, SecurityGroup, Snapshot, SnapshotStatus, SoldOut, Stage, State, Tags, VSwitch, Vpc,
};

/// What a file given with `--local-with` says. Everything may be absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Map<String, serde_json::Value>")]
pub struct Inventory {
    /// What the default account owns; its fields stand at the top of the file.
    #[serde(flatten)]
    pub account: Owned,
    /// Other accounts.
    pub accounts: Vec<Owned>,
    /// Fault rules.
    pub faults: Vec<FaultRule>,
    /// The size of the system disk of instances, when it is to be smaller than what was ordered.
    pub instance_disk_bytes: Option<u64>,
    /// The machine that runs the build.
    pub builder: Option<Builder>,
}

/// What an account owns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Owned {
    /// The account's number.
    pub uid: Option<String>,
    /// Its access keys: secrets by ids.
    pub access_keys: BTreeMap<String, String>,
    pub vpcs: Vec<OwnedVpc>,
    pub vswitches: Vec<OwnedVSwitch>,
    pub security_groups: Vec<OwnedSecurityGroup>,
    pub key_pairs: Vec<OwnedKeyPair>,
    pub images: Vec<OwnedImage>,
    pub snapshots: Vec<OwnedSnapshot>,
    pub eips: Vec<OwnedEip>,
    pub roles: Vec<OwnedRole>,
    pub users: Vec<OwnedUser>,
    /// The account's own policies.
    pub policies: Vec<OwnedPolicy>,
    pub oidc_providers: Vec<OwnedOidcProvider>,
    /// How many of a kind may exist in a region: `vpc`, `vswitch`, `eip`, `security_group`, `key_pair`, `image`,
    /// `snapshot`, `instance`; `vcpu` counts the processors of instances.
    pub quotas: BTreeMap<String, usize>,
    pub sold_out: Vec<SoldOut>,
    /// How many calls of an action a region takes in a minute; `*` stands for those that are not named.
    pub rate_limits: BTreeMap<String, u32>,
}

/// What there can be a quota of.
const QUOTAS: [&str; 9] =
    ["vpc", "vswitch", "eip", "security_group", "key_pair", "image", "snapshot", "instance", "vcpu"];

/// Why an inventory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// It is not JSON, or has an unknown field.
    #[error("read the inventory")]
    Format(#[from] serde_json::Error),
    /// It contradicts itself or the catalogue.
    #[error("{0}")]
    Wrong(String),
}

impl Inventory {
    /// Reads the text of an inventory file.
    pub fn from_json(text: &str) -> Result<Inventory, InventoryError> {
        Ok(serde_json::from_str(text)?)
    }

    /// Returns what the templates of Packer's and the provider's documents take for granted: the network, the security
    /// group, the snapshots and the role that they name, so that they build unchanged.
    pub fn of_documents() -> Inventory {
        Inventory::from_json(include_str!("catalogue/documents.json"))
            .expect("the documents' inventory is part of the program and read by its tests")
    }
}

impl TryFrom<serde_json::Map<String, serde_json::Value>> for Inventory {
    type Error = serde_json::Error;

    /// Takes the fields of the file itself out; the rest must be fields of an account, none unknown.
    fn try_from(
        mut fields: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Inventory, serde_json::Error> {
        let accounts = fields.remove("accounts").map(serde_json::from_value).transpose()?;
        let faults = fields.remove("faults").map(serde_json::from_value).transpose()?;
        let disk = fields.remove("instance_disk_bytes").map(serde_json::from_value).transpose()?;
        let builder = fields.remove("builder").map(serde_json::from_value).transpose()?;
        Ok(Inventory {
            builder: builder.flatten(),
            account: serde_json::from_value(serde_json::Value::Object(fields))?,
            accounts: accounts.unwrap_or_default(),
            faults: faults.unwrap_or_default(),
            instance_disk_bytes: disk.flatten(),
        })
    }
}

/// A VPC.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedVpc {
    pub id: String,
    pub region: String,
    #[serde(default = "default_block")]
    pub cidr: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub tags: Tags,
}

fn default_block() -> String {
    "172.16.0.0/12".to_owned()
}

/// A vSwitch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedVSwitch {
    pub id: String,
    pub vpc: String,
    /// The first zone of the VPC's region when absent.
    #[serde(default)]
    pub zone: Option<String>,
    #[serde(default = "default_subnet")]
    pub cidr: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub tags: Tags,
}

fn default_subnet() -> String {
    "172.16.0.0/24".to_owned()
}

/// A security group; it lets TCP in to the ports named.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedSecurityGroup {
    pub id: String,
    pub vpc: String,
    #[serde(default)]
    pub name: String,
    #[serde(default = "ssh_port")]
    pub open_ports: Vec<u16>,
    #[serde(default)]
    pub tags: Tags,
}

fn ssh_port() -> Vec<u16> {
    vec![22]
}

/// A key pair.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedKeyPair {
    pub name: String,
    pub region: String,
    /// A line of `authorized_keys`.
    pub public_key: String,
    #[serde(default)]
    pub tags: Tags,
}

/// A custom image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedImage {
    pub id: String,
    pub region: String,
    pub name: String,
    #[serde(default)]
    pub family: String,
    /// The public image it began with.
    #[serde(default = "default_base")]
    pub base_image: String,
    #[serde(default)]
    pub tags: Tags,
}

fn default_base() -> String {
    "aliyun_3_x64_20G_alibase_20240819.vhd".to_owned()
}

/// A snapshot of a data disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedSnapshot {
    pub id: String,
    pub region: String,
    #[serde(default)]
    pub name: String,
    #[serde(default = "default_size")]
    pub size_gib: u64,
    #[serde(default)]
    pub tags: Tags,
}

fn default_size() -> u64 {
    40
}

/// An elastic address.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnedEip {
    pub id: String,
    pub region: String,
    pub address: String,
    #[serde(default)]
    pub tags: Tags,
}

/// Adds what an inventory says to the state. What is there already, from a folder that was kept, stays as it is.
pub fn apply(state: &mut State, inventory: &Inventory, now: Moment) -> Result<(), InventoryError> {
    let uids: Vec<String> = std::iter::once(&inventory.account)
        .chain(&inventory.accounts)
        .enumerate()
        .map(|(position, owned)| match (&owned.uid, position) {
            (Some(uid), _) => uid.clone(),
            (None, 0) => state.default_account.clone(),
            (None, _) => format!("1{:015}", state.ids.number("account", u32::MAX)),
        })
        .collect();
    if let Some(uid) = &inventory.account.uid
        && *uid != state.default_account
        && let Some(mut account) = state.accounts.remove(&state.default_account)
    {
        account.uid.clone_from(uid);
        for key in account.access_keys.values_mut() {
            key.arn = format!("acs:ram::{uid}:root");
        }
        state.accounts.insert(uid.clone(), account);
        state.default_account.clone_from(uid);
    }
    for (owned, uid) in std::iter::once(&inventory.account).chain(&inventory.accounts).zip(&uids) {
        let account = state
            .accounts
            .entry(uid.clone())
            .or_insert_with(|| Account { uid: uid.clone(), ..Account::default() });
        apply_account(account, &mut state.images, &mut state.ids, owned, &uids, now)?;
    }
    let roles = state.accounts.get(&state.default_account).map(|account| &account.roles);
    match inventory.builder.as_ref().and_then(|builder| builder.role.as_ref()) {
        Some(role) if !roles.is_some_and(|roles| roles.contains_key(role)) => Err(InventoryError::Wrong(
            format!("the builder is said to have the role `{role}`, which is none of the account"),
        )),
        _ => Ok(()),
    }
}

fn region_of(id: &str, region: &str) -> Result<(), InventoryError> {
    match catalogue::region(region) {
        Some(_) => Ok(()),
        None => Err(InventoryError::Wrong(format!("`{id}` is said to be in `{region}`, which is no region"))),
    }
}

fn apply_account(
    account: &mut Account,
    images: &mut BTreeMap<String, Image>,
    ids: &mut Ids,
    owned: &Owned,
    uids: &[String],
    created: Moment,
) -> Result<(), InventoryError> {
    let uid = account.uid.clone();
    if !owned.access_keys.is_empty() {
        // Keys that are stated take the place of the one made up.
        account.access_keys.retain(|_, key| key.token.is_some());
    }
    for (id, secret) in &owned.access_keys {
        let key = AccessKey::lasting(secret.clone(), format!("acs:ram::{uid}:root"));
        account.access_keys.insert(id.clone(), key);
    }
    for vpc in &owned.vpcs {
        region_of(&vpc.id, &vpc.region)?;
        let code = catalogue::region(&vpc.region).map_or("", |region| &region.code);
        account.vpcs.entry(vpc.id.clone()).or_insert_with(|| Vpc {
            id: vpc.id.clone(),
            region: vpc.region.clone(),
            cidr: vpc.cidr.clone(),
            name: vpc.name.clone(),
            description: String::new(),
            router_id: ids.resource("vrt", code),
            route_table_id: ids.resource("vtb", code),
            resource_group: String::new(),
            tags: vpc.tags.clone(),
            created,
            stage: Stage::settled(NetworkStatus::Available, created),
        });
    }
    let vpc_region = |account: &Account, id: &str, vpc: &str| match account.vpcs.get(vpc) {
        Some(vpc) => Ok(vpc.region.clone()),
        None => Err(InventoryError::Wrong(format!(
            "`{id}` is said to be in `{vpc}`, which is no VPC of the account"
        ))),
    };
    for vswitch in &owned.vswitches {
        let region = vpc_region(account, &vswitch.id, &vswitch.vpc)?;
        let zones = catalogue::region(&region).map_or(&[][..], |region| &region.zones);
        let zone = vswitch.zone.clone().or_else(|| zones.first().cloned()).unwrap_or_default();
        account.vswitches.entry(vswitch.id.clone()).or_insert_with(|| VSwitch {
            id: vswitch.id.clone(),
            region,
            vpc_id: vswitch.vpc.clone(),
            zone,
            cidr: vswitch.cidr.clone(),
            name: vswitch.name.clone(),
            description: String::new(),
            tags: vswitch.tags.clone(),
            created,
            stage: Stage::settled(NetworkStatus::Available, created),
        });
    }
    for group in &owned.security_groups {
        let region = vpc_region(account, &group.id, &group.vpc)?;
        let rule = |port: &u16| Rule {
            direction: Direction::Ingress,
            protocol: "TCP".to_owned(),
            ports: format!("{port}/{port}"),
            cidr: "0.0.0.0/0".to_owned(),
            group: String::new(),
            policy: "Accept".to_owned(),
            priority: 1,
            description: String::new(),
        };
        account.security_groups.entry(group.id.clone()).or_insert_with(|| SecurityGroup {
            id: group.id.clone(),
            region,
            vpc_id: group.vpc.clone(),
            name: group.name.clone(),
            description: String::new(),
            group_type: "normal".to_owned(),
            rules: group.open_ports.iter().map(rule).collect(),
            tags: group.tags.clone(),
            created,
        });
    }
    for pair in &owned.key_pairs {
        region_of(&pair.name, &pair.region)?;
        let public = russh::keys::ssh_key::PublicKey::from_openssh(pair.public_key.trim()).map_err(|_| {
            InventoryError::Wrong(format!("the public key of key pair `{}` cannot be read", pair.name))
        })?;
        let made = KeyPair {
            id: ids.resource("ssh", ""),
            region: pair.region.clone(),
            name: pair.name.clone(),
            public_key: pair.public_key.trim().to_owned(),
            fingerprint: public.fingerprint(russh::keys::ssh_key::HashAlg::Sha256).to_string(),
            tags: pair.tags.clone(),
            created,
        };
        account.key_pairs.entry(crate::ecs::key_pairs::place(&pair.region, &pair.name)).or_insert(made);
    }
    for snapshot in &owned.snapshots {
        region_of(&snapshot.id, &snapshot.region)?;
        let made =
            finished_snapshot(&snapshot.id, &snapshot.region, &snapshot.name, snapshot.size_gib, created);
        let made = Snapshot { tags: snapshot.tags.clone(), ..made };
        account.snapshots.entry(snapshot.id.clone()).or_insert(made);
    }
    for image in &owned.images {
        region_of(&image.id, &image.region)?;
        let Some(base) = catalogue::public_image(&image.base_image) else {
            return Err(InventoryError::Wrong(format!(
                "image `{}` is said to begin with `{}`, which is no public image",
                image.id, image.base_image
            )));
        };
        if images.contains_key(&image.id) {
            continue;
        }
        let snapshot_id = format!("s-{}", image.id.trim_start_matches("m-"));
        let mut snapshot = finished_snapshot(&snapshot_id, &image.region, "", base.size_gib, created);
        snapshot.disk_system = true;
        account.snapshots.insert(snapshot_id.clone(), snapshot);
        images.insert(
            image.id.clone(),
            Image {
                id: image.id.clone(),
                owner: uid.clone(),
                region: image.region.clone(),
                name: image.name.clone(),
                family: image.family.clone(),
                version: String::new(),
                description: String::new(),
                resource_group: String::new(),
                boot_mode: "BIOS".to_owned(),
                architecture: None,
                platform: None,
                license_type: String::new(),
                nvme: base.is_recent(),
                imds_v2: base.is_recent(),
                detect: false,
                community: false,
                base_image: image.base_image.clone(),
                size_gib: base.size_gib,
                copied: false,
                copying: None,
                disks: vec![ImageDisk {
                    snapshot_id,
                    device: "/dev/xvda".to_owned(),
                    size_gib: base.size_gib,
                    system: true,
                    encrypted: false,
                    kms_key: String::new(),
                }],
                shared_with: Vec::new(),
                tags: image.tags.clone(),
                created,
                stage: Stage::settled(ImageStatus::Available, created),
            },
        );
    }
    for eip in &owned.eips {
        region_of(&eip.id, &eip.region)?;
        account.eips.entry(eip.id.clone()).or_insert_with(|| Eip {
            id: eip.id.clone(),
            region: eip.region.clone(),
            address: eip.address.clone(),
            name: String::new(),
            bandwidth: "5".to_owned(),
            charge_type: "PayByTraffic".to_owned(),
            instance_id: None,
            tags: eip.tags.clone(),
            created,
            stage: Stage::settled(EipStatus::Available, created),
        });
    }
    access::apply(account, ids, owned, uids, created)?;
    if let Some(kind) = owned.quotas.keys().find(|kind| !QUOTAS.contains(&kind.as_str())) {
        let known = QUOTAS.join("`, `");
        return Err(InventoryError::Wrong(format!("there is no quota of `{kind}`, but of `{known}`")));
    }
    account.quotas.extend(owned.quotas.clone());
    account.rate_limits.extend(owned.rate_limits.clone());
    if !owned.sold_out.is_empty() {
        account.sold_out.clone_from(&owned.sold_out);
    }
    Ok(())
}

fn finished_snapshot(id: &str, region: &str, name: &str, size_gib: u64, created: Moment) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        disk_id: String::new(),
        disk_system: false,
        size_gib,
        retention_days: None,
        encrypted: false,
        kms_key: String::new(),
        layers: Vec::new(),
        content: Content::Ready,
        tags: Tags::new(),
        created,
        stage: Stage::settled(SnapshotStatus::Accomplished, created),
    }
}

/// One thing that exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Existing {
    /// Its id; a key pair's is its name.
    pub id: String,
    /// The account it belongs to.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Its status, as the API says it.
    pub status: String,
    /// Its tags.
    pub tags: Tags,
    /// For an image its family, for a snapshot its disk, for a disk its instance.
    pub detail: String,
}

/// Everything that exists now, by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InventorySnapshot {
    pub vpcs: Vec<Existing>,
    pub vswitches: Vec<Existing>,
    pub security_groups: Vec<Existing>,
    pub eips: Vec<Existing>,
    pub key_pairs: Vec<Existing>,
    pub instances: Vec<Existing>,
    pub disks: Vec<Existing>,
    pub snapshots: Vec<Existing>,
    pub images: Vec<Existing>,
    /// The snapshots that are part of an image.
    pub snapshots_of_images: Vec<String>,
}

impl InventorySnapshot {
    /// Lists what exists in `state`.
    pub(crate) fn of(state: &State) -> InventorySnapshot {
        fn existing(
            account: &str,
            id: &str,
            region: &str,
            name: &str,
            status: impl Serialize,
            tags: &Tags,
        ) -> Existing {
            let status =
                serde_json::to_value(status).ok().and_then(|value| value.as_str().map(str::to_owned));
            Existing {
                id: id.to_owned(),
                account: account.to_owned(),
                region: region.to_owned(),
                name: name.to_owned(),
                status: status.unwrap_or_default(),
                tags: tags.clone(),
                detail: String::new(),
            }
        }
        let mut all = InventorySnapshot::default();
        for (uid, account) in &state.accounts {
            let vpcs = account.vpcs.values();
            all.vpcs
                .extend(vpcs.map(|of| existing(uid, &of.id, &of.region, &of.name, of.stage.now, &of.tags)));
            let vswitches = account.vswitches.values();
            all.vswitches.extend(
                vswitches.map(|of| existing(uid, &of.id, &of.region, &of.name, of.stage.now, &of.tags)),
            );
            let groups = account.security_groups.values();
            all.security_groups
                .extend(groups.map(|of| existing(uid, &of.id, &of.region, &of.name, "Available", &of.tags)));
            let eips = account.eips.values();
            all.eips
                .extend(eips.map(|of| existing(uid, &of.id, &of.region, &of.name, of.stage.now, &of.tags)));
            let pairs = account.key_pairs.values();
            all.key_pairs
                .extend(pairs.map(|of| existing(uid, &of.name, &of.region, &of.name, "Available", &of.tags)));
            let instances = account.instances.values();
            all.instances.extend(
                instances.map(|of| existing(uid, &of.id, &of.region, &of.name, of.stage.now, &of.tags)),
            );
            for of in account.disks.values() {
                let status = if of.instance_id.is_some() { "In_use" } else { "Available" };
                let entry = existing(uid, &of.id, &of.region, &of.name, status, &of.tags);
                all.disks.push(Existing { detail: of.instance_id.clone().unwrap_or_default(), ..entry });
            }
            for of in account.snapshots.values() {
                let entry = existing(uid, &of.id, &of.region, &of.name, of.stage.now, &of.tags);
                all.snapshots.push(Existing { detail: of.disk_id.clone(), ..entry });
            }
        }
        for of in state.images.values() {
            let entry = existing(&of.owner, &of.id, &of.region, &of.name, of.stage.now, &of.tags);
            all.images.push(Existing { detail: of.family.clone(), ..entry });
            all.snapshots_of_images.extend(of.disks.iter().map(|disk| disk.snapshot_id.clone()));
        }
        all
    }

    /// Returns what exists besides images and their snapshots, as `kind id`. A build that is over leaves nothing here.
    pub fn leftovers(&self) -> Vec<String> {
        let kinds: [(&str, &Vec<Existing>); 7] = [
            ("vpc", &self.vpcs),
            ("vswitch", &self.vswitches),
            ("security group", &self.security_groups),
            ("eip", &self.eips),
            ("key pair", &self.key_pairs),
            ("instance", &self.instances),
            ("disk", &self.disks),
        ];
        let mut left: Vec<String> = kinds
            .iter()
            .flat_map(|(kind, list)| list.iter().map(move |of| format!("{kind} {}", of.id)))
            .collect();
        let loose = self.snapshots.iter().filter(|of| !self.snapshots_of_images.contains(&of.id));
        left.extend(loose.map(|of| format!("snapshot {}", of.id)));
        left
    }

    /// Returns what [`InventorySnapshot::leftovers`] lists and `before` did not: what is new, where an account owned
    /// things already.
    pub fn leftovers_since(&self, before: &InventorySnapshot) -> Vec<String> {
        let had = before.leftovers();
        self.leftovers().into_iter().filter(|left| !had.contains(left)).collect()
    }

    /// Returns whether nothing exists but images and their snapshots.
    pub fn is_empty_but_for_images(&self) -> bool {
        self.leftovers().is_empty()
    }

    /// Returns whether nothing exists at all.
    pub fn is_empty(&self) -> bool {
        self.is_empty_but_for_images() && self.images.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_inventory_holds_what_their_templates_name() {
        let (uid, now) = ("1".to_owned(), Moment(0));
        let mut state = State {
            ids: Ids::new(1),
            default_account: uid.clone(),
            accounts: [(uid, Account::default())].into_iter().collect(),
            images: BTreeMap::new(),
        };
        apply(&mut state, &Inventory::of_documents(), now).unwrap();
        let existing = InventorySnapshot::of(&state).leftovers();
        assert!(existing.contains(&"vswitch vsw-xxxx".to_owned()), "{existing:?}");
        assert!(state.accounts["1"].roles.contains_key("packer-test"));
    }

    #[test]
    fn a_field_that_is_not_known_is_refused() {
        let good = r#"{"vpcs": [{"id": "vpc-xxxx", "region": "cn-hangzhou"}], "faults": []}"#;
        assert_eq!(Inventory::from_json(good).unwrap().account.vpcs[0].cidr, "172.16.0.0/12");
        let error = Inventory::from_json(r#"{"vpc": []}"#).unwrap_err();
        assert!(format!("{:?}", error).contains("unknown field `vpc`"), "{error:?}");
    }
}
