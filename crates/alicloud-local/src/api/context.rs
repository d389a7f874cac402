//! What a handler works in: the state, the caller, the clock, and what it wants done outside this process.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::{ApiError, refuse};
use super::params::Params;
use crate::access::Identity;
use crate::catalogue;
use crate::clock::{Clock, Moment};
use crate::model::{Account, Stage, State, Tags};
use crate::options::AddressMode;

/// Something to be done outside the state, after the lock is released.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Start an instance's machine.
    Boot(String),
    /// Stop an instance's machine.
    Stop {
        /// The instance.
        instance: String,
        /// Whether to pull the plug.
        force: bool,
    },
    /// Put the files of an instance's machine aside, as the topmost layer of some snapshots.
    Capture {
        /// The instance.
        instance: String,
        /// The snapshot.
        snapshot: String,
        /// The name of the layer to fill.
        layer: String,
    },
    /// Throw an instance's machine away.
    Destroy(String),
    /// Look for layers that nothing needs any more.
    SweepLayers,
    /// Look again which elastic addresses lead where.
    Readdress,
}

/// What a fault rule makes of what the call creates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It reaches its states in time.
    #[default]
    Normal,
    /// It stays in its first status.
    Stuck,
    /// It fails to be created.
    Fails,
    /// It is created and cannot be used.
    Unavailable,
}

/// What a machine has written to its console.
#[derive(Clone, Debug, Default)]
pub struct Console {
    /// The last part of it.
    pub text: Vec<u8>,
    /// For how long nothing was added, in real time.
    pub silent: Duration,
}

/// Whoever can read what machines write to their consoles.
pub trait Consoles {
    /// Returns what an instance's machine has written so far.
    fn console(&self, instance: &str) -> Console;
}

/// The context of one call.
pub struct Cx<'a> {
    /// Everything there is.
    pub state: &'a mut State,
    /// The clock.
    pub clock: &'a Clock,
    /// What the call says.
    pub params: &'a Params,
    /// The number of the account that calls.
    pub uid: String,
    /// Who calls, as a resource name.
    pub arn: String,
    /// Who calls.
    pub identity: Identity,
    /// What the call may do at most, where its key was asked for with such a policy.
    pub session_policy: Option<String>,
    /// The address the call comes from.
    pub source: IpAddr,
    /// The region named by the call, or by the host it was sent to.
    pub region: Option<String>,
    /// How addresses are given out.
    pub addresses: AddressMode,
    /// What a fault rule makes of this call.
    pub outcome: Outcome,
    /// A key made beforehand, for the action that needs one.
    pub key: Option<crate::ecs::key_pairs::FreshKey>,
    /// Where the consoles of machines are read.
    pub consoles: &'a dyn Consoles,
    /// What is to be done afterwards.
    pub effects: Vec<Effect>,
    /// Things simulated that the person at the build should know.
    pub notes: Vec<String>,
}

impl Cx<'_> {
    /// Returns the caller's account.
    pub fn account(&self) -> &Account {
        self.state.accounts.get(&self.uid).expect("the gateway took the caller from the accounts")
    }

    /// Returns the caller's account, to change it.
    pub fn account_mut(&mut self) -> &mut Account {
        self.state.accounts.get_mut(&self.uid).expect("the gateway took the caller from the accounts")
    }

    /// Returns the present moment.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Returns the region of the call, which must be one there is.
    pub fn region(&self) -> Result<&'static catalogue::Region, ApiError> {
        let id = self.region.as_deref().ok_or_else(|| ApiError::missing("RegionId"))?;
        catalogue::region(id).ok_or_else(|| refuse("InvalidRegionId.NotFound"))
    }

    /// Returns whether a resource in `region` is within what the call speaks of.
    pub fn in_region(&self, region: &str) -> bool {
        self.region.as_deref().is_none_or(|wanted| wanted == region)
    }

    /// Makes an id of a kind for a region.
    pub fn new_id(&mut self, kind: &str, region: &catalogue::Region) -> String {
        self.state.ids.resource(kind, &region.code)
    }

    /// Plans statuses, each after the wait before it; a fault rule may keep them from coming.
    pub fn stage<S: Copy>(&self, first: S, then: &[(Duration, S)]) -> Stage<S> {
        let since = self.now();
        let mut stage = Stage::settled(first, since);
        if self.outcome == Outcome::Stuck {
            return stage;
        }
        let mut at = since;
        for (wait, status) in then {
            at = at.plus(self.clock.scaled(*wait));
            stage.next.push((at, *status));
        }
        stage
    }

    /// Refuses when an account already has as many of a kind in a region as it may.
    pub fn within_quota(&self, kind: &str, usual: usize, has: usize, code: &str) -> Result<(), ApiError> {
        let may = self.account().quotas.get(kind).copied().unwrap_or(usual);
        if has < may { Ok(()) } else { Err(refuse(code)) }
    }

    /// Answers with the page of `items` the call asks for, wrapped as the API wraps lists.
    pub fn page(
        &self,
        outer: &str,
        inner: &str,
        mut items: Vec<Value>,
        sizes: PageSizes,
    ) -> Result<Value, ApiError> {
        let number: usize = self.params.number("PageNumber")?.unwrap_or(1);
        let size: usize =
            self.params.number("PageSize")?.or(self.params.number("MaxResults")?).unwrap_or(sizes.usual);
        if number == 0 || size == 0 || size > sizes.most {
            return Err(ApiError::invalid(if number == 0 { "PageNumber" } else { "PageSize" }));
        }
        let total = items.len();
        let start = (number - 1).saturating_mul(size).min(total);
        let page: Vec<Value> = items.drain(start..(start + size).min(total)).collect();
        Ok(json!({"TotalCount": total, "PageNumber": number, "PageSize": size, outer: {inner: page}}))
    }
}

/// The sizes of a page of a list.
#[derive(Clone, Copy)]
pub struct PageSizes {
    /// When the call names none.
    pub usual: usize,
    /// The largest one may ask for.
    pub most: usize,
}

/// Most lists of Ecs.
pub const PAGE_100: PageSizes = PageSizes { usual: 10, most: 100 };
/// Lists of Vpc.
pub const PAGE_50: PageSizes = PageSizes { usual: 10, most: 50 };

/// Writes tags as Ecs does.
pub fn ecs_tags(tags: &Tags) -> Value {
    let list: Vec<Value> =
        tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value})).collect();
    json!({"Tag": list})
}

/// Writes tags as Vpc does.
pub fn vpc_tags(tags: &Tags) -> Value {
    let list: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"Tag": list})
}

/// Returns whether a name has 2 to 128 characters, begins with a letter (of any script) and holds only letters, digits
/// and `. : _ -`, and is no link: the rule of names all over the API.
pub fn proper_name(name: &str) -> bool {
    let count = name.chars().count();
    (2..=128).contains(&count)
        && name.chars().next().is_some_and(char::is_alphabetic)
        && name.chars().all(|letter| letter.is_alphanumeric() || ".:_-".contains(letter))
        && !name.starts_with("http://")
        && !name.starts_with("https://")
}

/// Where a cloud keeps what it holds.
#[derive(Clone, Debug)]
pub struct Folders {
    /// All of it.
    pub root: PathBuf,
}

impl Folders {
    /// Returns the folder of a layer.
    pub fn layer(&self, name: &str) -> PathBuf {
        self.root.join("layers").join(name)
    }

    /// Returns the private folder of an instance's machine.
    pub fn machine(&self, instance: &str) -> PathBuf {
        self.root.join("machines").join(instance)
    }
}
