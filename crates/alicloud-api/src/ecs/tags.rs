//! Tags: at most 20 a resource; a key has up to 128 characters and starts with neither `aliyun` nor `acs:`.

use serde::{Deserialize, Serialize};

use super::Ecs;
use crate::{Acknowledged, action::action, answer::nested, page::paged_by_token};

/// A tag. Requests say `Key`/`Value`; some answers of Ecs say `TagKey`/`TagValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    /// The key.
    #[serde(alias = "TagKey")]
    pub key: String,
    /// The value; may be empty.
    #[serde(alias = "TagValue")]
    pub value: String,
}

impl Tag {
    /// A tag.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Tag {
        Tag { key: key.into(), value: value.into() }
    }
}

/// What a tag is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceType {
    /// An instance.
    #[default]
    Instance,
    /// A disk.
    Disk,
    /// A snapshot.
    Snapshot,
    /// An image.
    Image,
    /// A security group.
    SecurityGroup,
    /// A network interface.
    Eni,
    /// A key pair; its id is its name.
    KeyPair,
}

/// Puts tags on up to 50 resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResources {
    /// What they are.
    pub resource_type: ResourceType,
    /// Which, at most 50.
    #[serde(rename = "ResourceId")]
    pub resource_ids: Vec<String>,
    /// The tags, at most 20.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

action!(
    /// Puts tags on resources; a tag already there gets the new value.
    Ecs.tag_resources(TagResources) -> Acknowledged, Safe, 10 s
);

/// Takes tags off up to 50 resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResources {
    /// What they are.
    pub resource_type: ResourceType,
    /// Which, at most 50.
    #[serde(rename = "ResourceId")]
    pub resource_ids: Vec<String>,
    /// The keys of the tags.
    #[serde(rename = "TagKey")]
    pub keys: Vec<String>,
}

action!(
    /// Takes tags off resources.
    Ecs.untag_resources(UntagResources) -> Acknowledged, Safe, 10 s
);

/// Puts tags on one resource, the older way; [`TagResources`] is the newer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddTags {
    /// What it is.
    pub resource_type: ResourceType,
    /// Which.
    pub resource_id: String,
    /// The tags, at most 20.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

action!(
    /// Puts tags on one resource, the older way.
    Ecs.add_tags(AddTags) -> Acknowledged, Safe, 10 s
);

/// Lists the tags of resources, or the resources with tags: give ids, tags or both. Read it whole with
/// [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagResources {
    /// What they are.
    pub resource_type: ResourceType,
    /// Which, at most 50.
    #[serde(rename = "ResourceId")]
    pub resource_ids: Vec<String>,
    /// Only with all of these tags; an empty value stands for any.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Where to go on.
    pub next_token: Option<String>,
}

/// One page of tags.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListTagResourcesAnswer {
    /// One entry per resource and tag.
    #[serde(deserialize_with = "nested")]
    pub tag_resources: Vec<TagResource>,
    /// Where the next page begins; absent or empty on the last one.
    pub next_token: Option<String>,
}

/// A tag on a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagResource {
    /// Which resource.
    pub resource_id: String,
    /// What it is, as [`ResourceType`] is written.
    pub resource_type: String,
    /// The key.
    pub tag_key: String,
    /// The value.
    pub tag_value: String,
}

action!(
    /// Returns one page of tags.
    Ecs.list_tag_resources(ListTagResources) -> ListTagResourcesAnswer, Read, 10 s
);
paged_by_token!(ListTagResources, tag_resources: TagResource);
