//! Key pairs: names 2–128 characters, a letter first. Known by name, not by id.

use serde::{Deserialize, Serialize};

use super::{Ecs, Tag};
use crate::{
    Acknowledged, InstanceId, Secret, action::action, answer::nested, page::paged_by_number,
    params::json_list,
};

/// Makes a key pair in the cloud. Not repeated when an answer is lost: the private part is told only once.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateKeyPair {
    /// Its name.
    pub key_pair_name: String,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
}

/// The new key pair.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateKeyPairAnswer {
    /// Its name.
    pub key_pair_name: String,
    /// Its id.
    pub key_pair_id: String,
    /// The fingerprint of the public part (MD5).
    pub key_pair_finger_print: String,
    /// The private part, PKCS#1 PEM.
    pub private_key_body: Secret,
}

action!(
    /// Makes a key pair in the cloud.
    Ecs.create_key_pair(CreateKeyPair) -> CreateKeyPairAnswer, None, 10 s
);

/// Makes a key pair of a public key made here.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportKeyPair {
    /// Its name.
    pub key_pair_name: String,
    /// The public part, in OpenSSH's one-line form.
    pub public_key_body: String,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
}

/// The imported key pair.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImportKeyPairAnswer {
    /// Its name.
    pub key_pair_name: String,
    /// The fingerprint of the public part (MD5).
    pub key_pair_finger_print: String,
}

action!(
    /// Makes a key pair of a public key. A second try after a lost answer would say `KeyPair.AlreadyExist`.
    Ecs.import_key_pair(ImportKeyPair) -> ImportKeyPairAnswer, None, 10 s
);

/// Lists key pairs. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeKeyPairs {
    /// Only this name; `*` may stand at either end.
    pub key_pair_name: Option<String>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 50.
    pub page_size: Option<u32>,
}

/// One page of key pairs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeKeyPairsAnswer {
    /// The key pairs.
    #[serde(deserialize_with = "nested")]
    pub key_pairs: Vec<KeyPair>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// A key pair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct KeyPair {
    /// Its name.
    pub key_pair_name: String,
    /// The fingerprint of the public part (MD5).
    pub key_pair_finger_print: String,
    /// When it was made.
    pub creation_time: String,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

action!(
    /// Returns one page of key pairs.
    Ecs.describe_key_pairs(DescribeKeyPairs) -> DescribeKeyPairsAnswer, Read, 10 s
);
paged_by_number!(DescribeKeyPairs, key_pairs: KeyPair, 50);

/// Deletes key pairs. Names that do not exist are ignored by the API.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteKeyPairs {
    /// Their names.
    #[serde(serialize_with = "json_list")]
    pub key_pair_names: Vec<String>,
}

action!(
    /// Deletes key pairs.
    Ecs.delete_key_pairs(DeleteKeyPairs) -> Acknowledged, Safe, 10 s
);

/// Binds a key pair to instances; it takes effect at their next start.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttachKeyPair {
    /// Its name.
    pub key_pair_name: String,
    /// The instances.
    #[serde(serialize_with = "json_list")]
    pub instance_ids: Vec<InstanceId>,
}

/// Unbinds a key pair from instances.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DetachKeyPair {
    /// Its name.
    pub key_pair_name: String,
    /// The instances.
    #[serde(serialize_with = "json_list")]
    pub instance_ids: Vec<InstanceId>,
}

/// How binding or unbinding went. The call succeeds even if it failed for every single instance: read the results.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct KeyPairBindingAnswer {
    /// For how many instances it failed, as the API writes it.
    #[serde(deserialize_with = "number_or_text")]
    pub fail_count: u32,
    /// One per instance.
    #[serde(deserialize_with = "nested")]
    pub results: Vec<KeyPairBinding>,
}

/// How it went for one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct KeyPairBinding {
    /// Which instance.
    pub instance_id: InstanceId,
    /// `200`, or an error code.
    pub code: String,
    /// Why it failed.
    pub message: String,
    /// `true` or `false`.
    #[serde(deserialize_with = "bool_or_text")]
    pub success: bool,
}

action!(
    /// Binds a key pair to instances.
    Ecs.attach_key_pair(AttachKeyPair) -> KeyPairBindingAnswer, Safe, 10 s
);
action!(
    /// Unbinds a key pair from instances.
    Ecs.detach_key_pair(DetachKeyPair) -> KeyPairBindingAnswer, Safe, 10 s
);

/// These two fields are text in the documentation and numbers or booleans in some regions.
fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    Ok(number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default())
}

fn bool_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_bool().unwrap_or_else(|| value.as_str() == Some("true")))
}
