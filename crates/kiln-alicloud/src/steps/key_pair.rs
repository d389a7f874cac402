//! The key the instance is reached with: a temporary pair made here (the private half never leaves this process), one
//! the account owns, or none.

use alicloud_api::ecs::{DeleteKeyPairs, DescribeKeyPairs, ImportKeyPair};
use kiln_core::error::Result;
use kiln_core::ledger::Intent;
use kiln_core::run::Acquired;
use kiln_remote::keys::{KeyKind, KeyPair};

use crate::build::Site;
use crate::config::{HostKeySource, KeyPlan};
use crate::failure::Doing as _;
use crate::lanes::Lane;
use crate::reclaim::Kind;
use crate::tags;

/// What later steps need of it.
#[derive(Default)]
pub(crate) struct BoundKey {
    /// The pair the instance is created with.
    pub name: Option<String>,
    /// The pair made here.
    pub pair: Option<KeyPair>,
    /// The host key that user data installs.
    pub host_key: Option<KeyPair>,
}

impl BoundKey {
    /// Returns the name of a pair made for this build alone.
    pub(crate) fn temporary(&self) -> Option<&str> {
        self.pair.as_ref().and(self.name.as_deref())
    }
}

pub(crate) async fn make(site: &Site<'_>, lane: &Lane) -> Result<BoundKey> {
    let host_key = match site.plan.launch.host_key {
        HostKeySource::UserData => Some(KeyPair::generate(KeyKind::Ed25519).await?),
        HostKeySource::Console | HostKeySource::FirstUse => None,
    };
    Ok(BoundKey { host_key, ..login_key(site, lane).await? })
}

async fn login_key(site: &Site<'_>, lane: &Lane) -> Result<BoundKey> {
    let communicator = &site.plan.config.communicator;
    match &site.plan.login.key {
        KeyPlan::Temporary { name, kind } => temporary(site, lane, name.as_deref(), *kind).await,
        KeyPlan::Existing(name) => {
            let line = match communicator.ssh_agent_auth {
                true => format!("Using SSH Agent for existing key pair {name}"),
                false => "Using existing SSH private key".to_owned(),
            };
            lane.say(line).await;
            Ok(BoundKey { name: Some(name.clone()), ..Default::default() })
        }
        KeyPlan::None => {
            let line = match (communicator.ssh_agent_auth, communicator.ssh_private_key_file.is_some()) {
                (true, _) => "Using SSH Agent with key pair in source image",
                (false, true) => "Using existing SSH private key",
                (false, false) => "Not using temporary keypair",
            };
            lane.say(line).await;
            Ok(BoundKey::default())
        }
    }
}

async fn temporary(site: &Site<'_>, lane: &Lane, name: Option<&str>, kind: KeyKind) -> Result<BoundKey> {
    let run = &site.cx.run;
    let generated = || async { Ok(format!("packer_{}", time_ordered_uuid())) };
    let name = match name {
        Some(name) => name.to_owned(),
        None => run.step("temporary-key-pair-name", generated).await?,
    };
    lane.say(format!("Creating temporary keypair: {name}")).await;
    let pair = KeyPair::generate(kind).await?;
    let intent = Intent { name: Some(name.clone()), ..site.intent(Kind::KeyPair, &[]) };
    let request = ImportKeyPair {
        key_pair_name: name.clone(),
        public_key_body: pair.public_line().trim_end().to_owned(),
        tags: tags::temporary(run.id(), &intent.token, &site.plan.config.launch.run_tags),
        ..Default::default()
    };
    let import = || async {
        import(site, &request).await.doing("Error creating temporary keypair")?;
        Ok(Acquired::id(name.clone()))
    };
    run.acquire(intent, import).await?;
    Ok(BoundKey { name: Some(name), pair: Some(pair), host_key: None })
}

/// The call has no client token. If its answer is lost, or a repetition finds the name taken, the pair of that name
/// with this build's token among its tags is ours. One that was there before may hold the key of an earlier try of
/// the step, which nobody has any more, so it is replaced.
async fn import(site: &Site<'_>, request: &ImportKeyPair) -> alicloud_api::Result<()> {
    let ecs = site.cloud.ecs();
    let Err(error) = ecs.import_key_pair(request).await else {
        return Ok(());
    };
    let taken = error.is("KeyPair.AlreadyExist");
    if !error.effect_is_uncertain() && !taken {
        return Err(error);
    }
    let tags = request.tags.iter().filter(|tag| tag.key == tags::TOKEN).cloned().collect();
    let look =
        DescribeKeyPairs { key_pair_name: Some(request.key_pair_name.clone()), tags, ..Default::default() };
    let ours = !ecs.describe_key_pairs(&look).await?.key_pairs.is_empty();
    match (ours, taken) {
        (true, false) => Ok(()),
        (true, true) => {
            let key_pair_names = vec![request.key_pair_name.clone()];
            ecs.delete_key_pairs(&DeleteKeyPairs { key_pair_names }).await?;
            ecs.import_key_pair(request).await.map(drop)
        }
        (false, true) => Err(error),
        (false, false) => ecs.import_key_pair(request).await.map(drop),
    }
}

/// Packer's own kind: the first 4 bytes are Unix seconds, the rest is random.
pub(crate) fn time_ordered_uuid() -> String {
    let seconds = u32::try_from(jiff::Timestamp::now().as_second()).unwrap_or(u32::MAX);
    let random: [u8; 12] = rand::random();
    let hex: String = seconds.to_be_bytes().iter().chain(&random).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
