//! What machines can find out about themselves, as `http://100.100.100.200` tells it on the real cloud: the tokens of
//! its newer form, and the temporary keys of a machine's role.
//!
//! Two kinds of machines ask. The one that runs the build is *here*: whoever reaches the service's loopback address
//! without more is it. Instances share this machine's network, where 100.100.100.200 cannot be had without touching it;
//! each has a path of its own below the same address, which nobody else can guess (`/i/<key>/latest/…`). The
//! instance's environment names it, and its `curl` and `wget` go there when a script says `http://100.100.100.200`.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::access::{self, Order};
use crate::clock::Moment;
use crate::model::{Account, Instance, State};

/// The machine that runs the build, as the cloud knows it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Builder {
    /// The role of the default account that it has, if it has one.
    pub role: Option<String>,
    /// Where it is; the first region when absent.
    pub region: Option<String>,
    /// Its public address, by which security groups know it; 127.0.0.1 when absent.
    pub address: Option<std::net::IpAddr>,
    /// Whether it must ask for a token before anything else.
    pub require_token: bool,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// The machine that runs the build.
    Builder,
    /// An instance, by its id.
    Instance(String),
}

/// How long the keys of a role last, and when they are made anew: an hour before their end.
const KEYS_LAST: Duration = Duration::from_secs(6 * 3600);
const RENEWED_BEFORE: Duration = Duration::from_secs(3600);

/// The longest life of a token, in seconds, and how many are remembered.
const TOKEN_SECONDS: u64 = 21_600;
const TOKENS: usize = 10_000;

/// A refusal: the status and a word.
pub type Refusal = (u16, &'static str);

const NOT_FOUND: Refusal = (404, "Not Found");

/// What the service remembers.
#[derive(Debug, Default)]
pub struct Metadata {
    /// The instances by the keys in their paths.
    instances: HashMap<String, String>,
    /// Who may ask with which token until when.
    tokens: HashMap<String, (Asker, Moment)>,
    /// The keys given out last, by asker and role.
    keys: HashMap<(Asker, String), Given>,
}

#[derive(Debug)]
struct Given {
    since: Moment,
    ends: Moment,
    answer: Value,
}

/// A request to the service.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Whether it wants a token (`PUT /latest/api/token`).
    pub put: bool,
    /// The path, without what tells the asker.
    pub path: &'a str,
    /// The life of the token asked for, in seconds.
    pub ttl: Option<&'a str>,
    /// The token that comes along.
    pub token: Option<&'a str>,
}

impl Metadata {
    /// Gives an instance a path of its own, in place of any before; returns its key.
    pub fn admit(&mut self, instance: &str) -> String {
        self.instances.retain(|_, known| known != instance);
        let key = format!("{:032x}", rand::random::<u128>());
        self.instances.insert(key.clone(), instance.to_owned());
        key
    }

    /// Returns who asks below this key.
    pub fn asker(&self, key: &str) -> Option<Asker> {
        self.instances.get(key).map(|id| Asker::Instance(id.clone()))
    }

    /// Answers a question with a text.
    pub fn answer(
        &mut self,
        state: &mut State,
        builder: &Builder,
        asker: &Asker,
        question: Question<'_>,
        now: Moment,
    ) -> Result<String, Refusal> {
        if question.put {
            return if question.path == "/latest/api/token" {
                self.token(asker, question.ttl, now)
            } else {
                Err(NOT_FOUND)
            };
        }
        let required = match asker {
            Asker::Builder => builder.require_token,
            Asker::Instance(id) => {
                state.instance(id).is_some_and(|(_, instance)| instance.metadata.tokens_required)
            }
        };
        match question.token {
            Some(token) if !self.tokens.get(token).is_some_and(|(of, ends)| of == asker && *ends > now) => {
                return Err((401, "Unauthorized"));
            }
            None if required => return Err((403, "Forbidden")),
            Some(_) | None => {}
        }
        let facts = match asker {
            Asker::Builder => builder_facts(state, builder),
            Asker::Instance(id) => {
                let (account, instance) = state.instance(id).ok_or(NOT_FOUND)?;
                instance_facts(account, instance)
            }
        };
        let path = question.path.trim_end_matches('/');
        if path == "/latest/user-data" {
            return user_data(state, asker).ok_or(NOT_FOUND);
        }
        let name = path.strip_prefix("/latest/meta-data").ok_or(NOT_FOUND)?.trim_start_matches('/');
        const ROLES: &str = "ram/security-credentials";
        match name.strip_prefix(ROLES).map(|rest| rest.trim_start_matches('/')) {
            Some("") => facts.role.ok_or(NOT_FOUND),
            Some(role) if facts.role.as_deref() == Some(role) => {
                self.role_keys(state, asker, &facts.account, role, &facts.id, now)
            }
            Some(_) => Err(NOT_FOUND),
            None if name.is_empty() => {
                let mut names: Vec<&str> = facts.named.iter().map(|(name, _)| *name).collect();
                names.extend(facts.role.as_ref().map(|_| "ram/"));
                Ok(names.join("\n"))
            }
            None => {
                let found = facts.named.into_iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value).ok_or(NOT_FOUND)
            }
        }
    }

    fn token(&mut self, asker: &Asker, ttl: Option<&str>, now: Moment) -> Result<String, Refusal> {
        let seconds = ttl.and_then(|text| text.parse::<u64>().ok());
        let seconds =
            seconds.filter(|seconds| (1..=TOKEN_SECONDS).contains(seconds)).ok_or((400, "Bad Request"))?;
        if self.tokens.len() >= TOKENS {
            self.tokens.retain(|_, (_, ends)| *ends > now);
        }
        if self.tokens.len() >= TOKENS {
            return Err((503, "Service Unavailable"));
        }
        let token = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        self.tokens.insert(token.clone(), (asker.clone(), now.plus(Duration::from_secs(seconds))));
        Ok(token)
    }

    fn role_keys(
        &mut self,
        state: &mut State,
        asker: &Asker,
        account: &str,
        role: &str,
        session: &str,
        now: Moment,
    ) -> Result<String, Refusal> {
        let held = (asker.clone(), role.to_owned());
        // A clock that was set back, as by a folder of the future, must not make keys last.
        let fresh = |given: &&Given| given.since <= now && given.ends.minus(RENEWED_BEFORE) > now;
        if let Some(given) = self.keys.get(&held).filter(fresh) {
            return Ok(given.answer.to_string());
        }
        let trusted = state.accounts.get(account).and_then(|account| account.roles.get(role));
        if !trusted.is_some_and(|role| access::trusts_service(&role.trust, "ecs.aliyuncs.com")) {
            return Err(NOT_FOUND);
        }
        let order = Order {
            owner: account.to_owned(),
            role: role.to_owned(),
            session: session.to_owned(),
            seconds: KEYS_LAST.as_secs(),
            policy: None,
        };
        let made = access::issue(state, order, now);
        let mut answer = made.credentials();
        answer["LastUpdated"] = json!(now.to_seconds());
        answer["Code"] = json!("Success");
        let text = answer.to_string();
        self.keys.insert(held, Given { since: now, ends: made.expires, answer });
        Ok(text)
    }
}

/// What a machine is told of itself.
struct Facts {
    account: String,
    id: String,
    role: Option<String>,
    named: Vec<(&'static str, String)>,
}

fn builder_facts(state: &State, builder: &Builder) -> Facts {
    let region =
        builder.region.as_deref().and_then(crate::catalogue::region).or_else(crate::catalogue::first_region);
    let id = format!("i-{}builder", region.map_or("", |region| &region.code));
    let mut named = vec![
        ("instance-id", id.clone()),
        ("region-id", region.map_or_else(String::new, |region| region.id.clone())),
        ("zone-id", region.and_then(|region| region.zones.first().cloned()).unwrap_or_default()),
        ("owner-account-id", state.default_account.clone()),
    ];
    named.extend(builder.address.map(|address| ("eipv4", address.to_string())));
    Facts { account: state.default_account.clone(), id, role: builder.role.clone(), named }
}

fn instance_facts(account: &Account, instance: &Instance) -> Facts {
    Facts {
        account: account.uid.clone(),
        id: instance.id.clone(),
        role: instance.ram_role.clone(),
        named: of_instance(account, instance),
    }
}

/// Returns what an instance is told of itself, by the names of the service.
pub fn of_instance(account: &Account, instance: &Instance) -> Vec<(&'static str, String)> {
    let eip = account.eips.values().find(|eip| eip.instance_id.as_deref() == Some(&instance.id));
    let facts = [
        ("instance-id", instance.id.clone()),
        ("region-id", instance.region.clone()),
        ("zone-id", instance.zone.clone()),
        ("hostname", instance.hostname.clone()),
        ("image-id", instance.image_id.clone()),
        ("instance/instance-type", instance.instance_type.clone()),
        ("instance/instance-name", instance.name.clone()),
        ("private-ipv4", instance.private_ip.clone()),
        ("public-ipv4", instance.public_ip.clone().unwrap_or_default()),
        ("eipv4", eip.map(|eip| eip.address.clone()).unwrap_or_default()),
        ("vpc-id", instance.vpc_id.clone()),
        ("vswitch-id", instance.vswitch_id.clone()),
        ("owner-account-id", account.uid.clone()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn user_data(state: &State, asker: &Asker) -> Option<String> {
    use base64::Engine as _;
    let Asker::Instance(id) = asker else { return None };
    let encoded = state.instance(id)?.1.user_data.as_ref()?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
