//! Whether a call is allowed. The account itself may do everything; users and roles may do what their policies allow,
//! and a session that was asked for with a policy of its own no more than both.
//!
//! The resource of a call is the one its parameters name (`acs:ecs:<region>:<account>:instance/i-1`), or all of the
//! kind where it names none (`…:instance/*`). The real cloud looks at more than one for some actions (for an instance
//! also at its image, network and security group); here it is the one the action is named after.

use serde_json::json;

use super::identity::{Identity, role_of_arn};
use super::policy::{Document, Facts, Verdict};
use super::system;
use crate::api::{Action, ApiError, Cx, Product, refuse};
use crate::model::{Account, Attached};

/// What everybody may do.
const FREE: [&str; 2] = ["GetCallerIdentity", "AssumeRoleWithOIDC"];

/// Why something is denied.
struct Denial {
    explicit: bool,
    /// The kind of policy, as `AccessDeniedDetail` names it.
    by: &'static str,
}

const OWN: &str = "AccountLevelIdentityBasedPolicy";
const SESSION: &str = "SessionPolicy";
const TRUST: &str = "AssumeRolePolicy";

/// Refuses a call that the caller's policies do not allow.
pub fn authorize(cx: &Cx<'_>, product: Product, action: &Action) -> Result<(), ApiError> {
    if cx.identity == Identity::Root || product == Product::Location || FREE.contains(&action.name) {
        return Ok(());
    }
    let (name, resource) = (full_name(product, action.name), resource(cx, product, action.name));
    let Err(denial) = ask(cx, &name, &resource, &facts(cx)) else { return Ok(()) };
    let code = match product {
        Product::Sts | Product::Ram => "NoPermission",
        _ => "Forbidden.RAM",
    };
    Err(refuse(code).with_detail(detail(cx, &name, &denial)))
}

/// Refuses to let an instance have a role that the caller may not pass on.
pub fn may_pass(cx: &Cx<'_>, role: &str) -> Result<(), ApiError> {
    let action = "ram:PassRole";
    let mut facts = facts(cx);
    facts.insert("acs:Service", "ecs.aliyuncs.com".to_owned());
    let resource = format!("acs:ram:*:{}:role/{}", cx.uid, role.to_lowercase());
    if cx.identity == Identity::Root {
        return Ok(());
    }
    let denied = ask(cx, action, &resource, &facts);
    denied.map_err(|denial| refuse("InvalidUser.PassRoleForbidden").with_detail(detail(cx, action, &denial)))
}

/// Returns whether a role's trust policy lets a service (`ecs.aliyuncs.com`) have it.
pub fn trusts_service(trust: &str, service: &str) -> bool {
    let names = [service.to_owned()];
    Document::read_trust(trust).is_ok_and(|trust| {
        trust.trusts("sts:AssumeRole", "Service", &names, &Facts::new()) == Verdict::Allowed
    })
}

/// Refuses unless a role's trust policy lets the caller assume it.
pub fn trusted(cx: &Cx<'_>, trust: &str, facts: &Facts) -> Result<(), ApiError> {
    let verdict = Document::read_trust(trust).map_or(Verdict::Unmentioned, |document| {
        document.trusts("sts:AssumeRole", "RAM", &cx.identity.names(&cx.uid), facts)
    });
    if verdict == Verdict::Allowed {
        return Ok(());
    }
    let denial = Denial { explicit: verdict == Verdict::Denied, by: TRUST };
    Err(refuse("NoPermission").with_detail(detail(cx, "sts:AssumeRole", &denial)))
}

/// Returns what conditions can ask of any call.
pub fn facts(cx: &Cx<'_>) -> Facts {
    Facts::from([("acs:SourceIp", cx.source.to_string())])
}

fn ask(cx: &Cx<'_>, action: &str, resource: &str, facts: &Facts) -> Result<(), Denial> {
    let account = cx.account();
    let nothing = Attached::new();
    let attached = match &cx.identity {
        Identity::Root => return Ok(()),
        Identity::User(name) => account.users.get(name).map(|user| &user.policies),
        Identity::Role { name, .. } => account.roles.get(name).map(|role| &role.policies),
        Identity::Nobody => None,
    };
    let says = |text: &str| {
        // A document that cannot be read, in a folder of an older version, allows nothing.
        Document::read(text).map_or(Verdict::Denied, |document| document.verdict(action, resource, facts))
    };
    let own = attached
        .unwrap_or(&nothing)
        .iter()
        .filter_map(|(name, kind)| document(account, name, kind))
        .map(|text| says(&text))
        .fold(Verdict::Unmentioned, Verdict::and);
    if own != Verdict::Allowed {
        return Err(Denial { explicit: own == Verdict::Denied, by: OWN });
    }
    let session = cx.session_policy.as_deref().map_or(Verdict::Allowed, says);
    if session != Verdict::Allowed {
        return Err(Denial { explicit: session == Verdict::Denied, by: SESSION });
    }
    Ok(())
}

/// Returns the document of a policy of an account or of the provider.
pub fn document(account: &Account, name: &str, kind: &str) -> Option<String> {
    if kind == "System" {
        return system::policy(name);
    }
    account.policies.get(name).map(|policy| policy.document.clone())
}

/// Writes `AccessDeniedDetail`, without the encoded message that only the provider can read.
fn detail(cx: &Cx<'_>, action: &str, denial: &Denial) -> serde_json::Value {
    let (kind, shown) = match &cx.identity {
        Identity::User(name) => {
            let id = cx.account().users.get(name).map_or_else(|| name.clone(), |user| user.id.clone());
            ("SubUser", id)
        }
        Identity::Role { name, session } => ("AssumedRoleUser", format!("{name}:{session}")),
        Identity::Root | Identity::Nobody => ("Account", cx.uid.clone()),
    };
    json!({
        "AuthAction": action, "AuthPrincipalType": kind, "AuthPrincipalOwnerId": cx.uid,
        "AuthPrincipalDisplayName": shown,
        "NoPermissionType": if denial.explicit { "ExplicitDeny" } else { "ImplicitDeny" }, "PolicyType": denial.by,
    })
}

/// Returns an action's name in policies. Those of networks belong to Vpc, also where Ecs serves them.
fn full_name(product: Product, action: &str) -> String {
    let product = match product {
        Product::Ecs if crate::api::is_of_vpc(action) => Product::Vpc,
        product => product,
    };
    format!("{}:{action}", product.name().to_lowercase())
}

/// What resources are called in policies: the parameter that names one, the word in an action that means the kind, and
/// the kind. The first whose parameter is there counts, else the first whose word is in the action.
const KINDS: &[(&str, &str, &str)] = &[
    ("InstanceId", "Instance", "instance"),
    ("ImageId", "Image", "image"),
    ("SnapshotId", "Snapshot", "snapshot"),
    ("DiskId", "Disk", "disk"),
    ("SecurityGroupId", "SecurityGroup", "securitygroup"),
    ("KeyPairName", "KeyPair", "keypair"),
    ("VSwitchId", "VSwitch", "vswitch"),
    ("VpcId", "Vpc", "vpc"),
    ("AllocationId", "Eip", "eip"),
];

fn resource(cx: &Cx<'_>, product: Product, action: &str) -> String {
    let (uid, params) = (&cx.uid, cx.params);
    match product {
        Product::Sts => {
            let arn = params.text("RoleArn");
            role_of_arn(&arn)
                .map_or_else(|| "*".to_owned(), |(owner, role)| format!("acs:ram:*:{owner}:role/{role}"))
        }
        Product::Ram => {
            let named =
                |parameter: &str, kind: &str| params.get(parameter).map(|name| format!("{kind}/{name}"));
            let what = named("RoleName", "role").or_else(|| named("UserName", "user"));
            let what = what.or_else(|| named("PolicyName", "policy"));
            format!("acs:ram:*:{uid}:{}", what.unwrap_or_else(|| "*".to_owned()))
        }
        Product::Ecs | Product::Vpc | Product::Location => {
            let of_action = KINDS.iter().filter(|(_, word, _)| action.contains(word));
            let place = of_action
                .clone()
                .find_map(|(parameter, _, kind)| Some(format!("{kind}/{}", params.get(parameter)?)))
                .or_else(|| of_action.clone().next().map(|(_, _, kind)| format!("{kind}/*")))
                .unwrap_or_else(|| "*".to_owned());
            let product = if crate::api::is_of_vpc(action) { "vpc" } else { "ecs" };
            format!("acs:{product}:{}:{uid}:{place}", cx.region.as_deref().unwrap_or("*"))
        }
    }
}
