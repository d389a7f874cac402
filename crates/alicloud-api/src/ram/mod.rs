//! Resource Access Management, 2015-05-01: the five calls that give the cloud's importer its role.

use serde::{Deserialize, Serialize};

use crate::{Acknowledged, action::action, answer::nested};

crate::action::handle! {
    /// The Ram calls; from [`Client::ram`](crate::Client::ram).
    Ram
}

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Role {
    /// Its id.
    pub role_id: String,
    /// Its name.
    pub role_name: String,
    /// `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// Its description.
    pub description: String,
    /// Who may assume it: a JSON document.
    pub assume_role_policy_document: String,
    /// The longest session in seconds.
    pub max_session_duration: u64,
}

/// The answer of the calls about one role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RoleAnswer {
    /// The role.
    pub role: Role,
}

/// Reads a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetRole {
    /// Its name.
    pub role_name: String,
}

action!(
    /// Returns a role; `EntityNotExist.Role` if there is none.
    Ram.get_role(GetRole) -> RoleAnswer, Read, 10 s
);

/// Makes a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateRole {
    /// Its name.
    pub role_name: String,
    /// Its description.
    pub description: Option<String>,
    /// Who may assume it: a JSON document.
    pub assume_role_policy_document: String,
    /// The longest session in seconds.
    pub max_session_duration: Option<u64>,
}

action!(
    /// Makes a role. A second try after a lost answer would say `EntityAlreadyExists.Role`.
    Ram.create_role(CreateRole) -> RoleAnswer, None, 10 s
);

/// Changes who may assume a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateRole {
    /// Its name.
    pub role_name: String,
    /// Who may assume it from now on: a JSON document, the whole of it.
    pub new_assume_role_policy_document: Option<String>,
    /// Its new description.
    pub new_description: Option<String>,
    /// The longest session in seconds.
    pub new_max_session_duration: Option<u64>,
}

action!(
    /// Changes who may assume a role.
    Ram.update_role(UpdateRole) -> RoleAnswer, Safe, 10 s
);

/// Lists the policies attached to a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListPoliciesForRole {
    /// Its name.
    pub role_name: String,
}

/// The policies attached to a role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListPoliciesForRoleAnswer {
    /// All of them; there are no pages.
    #[serde(deserialize_with = "nested")]
    pub policies: Vec<AttachedPolicy>,
}

/// A policy attached to a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AttachedPolicy {
    /// Its name.
    pub policy_name: String,
    /// `System` or `Custom`.
    pub policy_type: String,
}

action!(
    /// Returns the policies attached to a role.
    Ram.list_policies_for_role(ListPoliciesForRole) -> ListPoliciesForRoleAnswer, Read, 10 s
);

/// Attaches a policy to a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachPolicyToRole {
    /// `System` or `Custom`.
    pub policy_type: String,
    /// The policy.
    pub policy_name: String,
    /// The role.
    pub role_name: String,
}

action!(
    /// Attaches a policy to a role. A second try after a lost answer says `EntityAlreadyExists.Role.Policy`, which for
    /// most callers is success.
    Ram.attach_policy_to_role(AttachPolicyToRole) -> Acknowledged, Safe, 10 s
);
