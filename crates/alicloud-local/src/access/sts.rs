//! Sts 2015-04-01: temporary keys of roles, and who one is.

use std::time::Duration;

use serde_json::{Value, json};

use super::identity::{Identity, role_of_arn};
use super::oidc;
use super::permission::{facts, trusted};
use super::policy::Document;
use crate::api::{Action, Answer, ApiError, Cx, read, refuse, unsigned, write};
use crate::clock::Moment;
use crate::model::{AccessKey, Role, State};

/// The actions of Sts.
pub const ACTIONS: &[Action] = &[
    write("AssumeRole", &["RoleArn", "RoleSessionName"], assume_role),
    unsigned(
        "AssumeRoleWithOIDC",
        &["OIDCProviderArn", "RoleArn", "OIDCToken", "RoleSessionName"],
        oidc::assume_role,
    ),
    read("GetCallerIdentity", &[], caller_identity),
];

/// The shortest session, and the longest of one that a role asks for.
const SHORTEST: u64 = 900;
const LONGEST_OF_ROLES: u64 = 3600;

/// A session that was begun.
pub struct Session {
    /// The id of its key.
    pub key_id: String,
    /// The secret of its key.
    pub secret: String,
    /// What has to come along with the key.
    pub token: String,
    /// When it ends.
    pub expires: Moment,
}

impl Session {
    /// Writes it as the answers of Sts do.
    pub fn credentials(&self) -> Value {
        json!({
            "AccessKeyId": self.key_id, "AccessKeySecret": self.secret, "SecurityToken": self.token,
            "Expiration": self.expires.to_seconds(),
        })
    }
}

/// What a session is asked for.
pub struct Order {
    /// The account of the role.
    pub owner: String,
    /// The role's name, as the account has it.
    pub role: String,
    /// The session's name.
    pub session: String,
    /// How long it is to last.
    pub seconds: u64,
    /// What it may do at most.
    pub policy: Option<String>,
}

impl Order {
    /// Reads what `AssumeRole` and its like have in common.
    pub fn read(cx: &Cx<'_>) -> Result<Order, ApiError> {
        let params = cx.params;
        let arn = params.required("RoleArn")?;
        let (owner, name) = role_of_arn(arn).ok_or_else(|| refuse("InvalidParameter.RoleArn"))?;
        let session = params.required("RoleSessionName")?;
        let proper = |letter: char| letter.is_ascii_alphanumeric() || ".@-_".contains(letter);
        if !(2..=64).contains(&session.len()) || !session.chars().all(proper) {
            return Err(refuse("InvalidParameter.RoleSessionName"));
        }
        let policy = params.get("Policy").map(str::to_owned);
        if let Some(Err(why)) = policy.as_deref().map(Document::read) {
            let error = refuse("InvalidParameter.PolicyGrammar");
            let message = format!("{} ({why})", error.message);
            return Err(error.saying(message));
        }
        let role = find(cx.state, owner, name).ok_or_else(|| refuse("EntityNotExist.Role"))?;
        let seconds = params.number("DurationSeconds")?.unwrap_or(3600);
        let longest = match &cx.identity {
            Identity::Role { .. } => LONGEST_OF_ROLES,
            _ => role.max_session_seconds,
        };
        if !(SHORTEST..=longest).contains(&seconds) {
            return Err(refuse("InvalidParameter.DurationSeconds")
                .saying(format!("The Min/Max value of DurationSeconds is {SHORTEST}/{longest} seconds.")));
        }
        Ok(Order {
            owner: owner.to_owned(),
            role: role.name.clone(),
            session: session.to_owned(),
            seconds,
            policy,
        })
    }
}

/// Finds a role; their names are the same in any case.
pub fn find<'a>(state: &'a State, owner: &str, name: &str) -> Option<&'a Role> {
    let roles = &state.accounts.get(owner)?.roles;
    roles.get(name).or_else(|| roles.values().find(|role| role.name.eq_ignore_ascii_case(name)))
}

/// Begins a session of a role: makes its key and lets it in until its end.
pub fn issue(state: &mut State, order: Order, now: Moment) -> Session {
    let Order { owner, role, session, seconds, policy } = order;
    let ids = &mut state.ids;
    let made = Session {
        key_id: format!("STS.{}", ids.word("sts-key", 25)),
        secret: format!("{}{}", ids.word("sts-secret", 30), ids.word("sts-secret", 14)),
        token: format!("CAIS{}{}", ids.word("sts-token", 32), ids.word("sts-token", 32)),
        expires: now.plus(Duration::from_secs(seconds)),
    };
    let key = AccessKey {
        token: Some(made.token.clone()),
        expires: Some(made.expires),
        policy,
        ..AccessKey::lasting(made.secret.clone(), format!("acs:ram::{owner}:role/{role}/{session}"))
    };
    if let Some(account) = state.accounts.get_mut(&owner) {
        account.access_keys.insert(made.key_id.clone(), key);
    }
    made
}

/// Writes `AssumedRoleUser`.
pub fn assumed(state: &State, order: &Order) -> Value {
    let id = find(state, &order.owner, &order.role).map_or("", |role| &role.id);
    json!({
        "Arn": format!("acs:ram::{}:role/{}/{}", order.owner, order.role.to_lowercase(), order.session),
        "AssumedRoleId": format!("{id}:{}", order.session),
    })
}

fn assume_role(cx: &mut Cx<'_>) -> Answer {
    let order = Order::read(cx)?;
    let mut facts = facts(cx);
    facts.extend(cx.params.get("ExternalId").map(|id| ("sts:ExternalId", id.to_owned())));
    let role = find(cx.state, &order.owner, &order.role).ok_or_else(|| refuse("EntityNotExist.Role"))?;
    trusted(cx, &role.trust, &facts)?;
    let (user, now) = (assumed(cx.state, &order), cx.now());
    let session = issue(cx.state, order, now);
    Ok(json!({"Credentials": session.credentials(), "AssumedRoleUser": user}))
}

fn caller_identity(cx: &mut Cx<'_>) -> Answer {
    let uid = &cx.uid;
    let account = cx.account();
    Ok(match &cx.identity {
        Identity::User(name) => {
            let id = account.users.get(name).map_or("", |user| &user.id);
            json!({
                "AccountId": uid, "UserId": id, "PrincipalId": id, "IdentityType": "RAMUser", "Arn": cx.arn,
            })
        }
        Identity::Role { name, session } => {
            let id = account.roles.get(name).map_or("", |role| &role.id);
            json!({
                "AccountId": uid, "RoleId": id, "PrincipalId": format!("{id}:{session}"),
                "IdentityType": "AssumedRoleUser",
                "Arn": format!("acs:ram::{uid}:assumed-role/{}/{session}", name.to_lowercase()),
            })
        }
        Identity::Root | Identity::Nobody => json!({
            "AccountId": uid, "UserId": uid, "PrincipalId": uid, "IdentityType": "Account", "Arn": cx.arn,
        }),
    })
}
