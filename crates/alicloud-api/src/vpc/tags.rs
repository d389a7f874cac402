//! Tags of VPCs, vSwitches and elastic addresses. Same action names as in Ecs, other resource types.

use serde::{Deserialize, Serialize};

use super::{Tag, Vpc};
use crate::{Acknowledged, action::action, answer::nested, ecs::TagResource, page::paged_by_token};

/// What a tag is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ResourceType {
    /// A VPC.
    #[default]
    Vpc,
    /// A vSwitch.
    VSwitch,
    /// An elastic address.
    Eip,
}

/// Puts tags on up to 20 resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResources {
    /// What they are.
    pub resource_type: ResourceType,
    /// Which, at most 20.
    #[serde(rename = "ResourceId")]
    pub resource_ids: Vec<String>,
    /// The tags, at most 20.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

action!(
    /// Puts tags on resources; a tag already there gets the new value.
    Vpc.tag_resources(TagResources) -> Acknowledged, Safe, 10 s
);

/// Lists the tags of resources, or the resources with tags: give ids, tags or both. Read it whole with [`Vpc::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagResources {
    /// What they are.
    pub resource_type: ResourceType,
    /// Which, at most 20.
    #[serde(rename = "ResourceId")]
    pub resource_ids: Vec<String>,
    /// Only with all of these tags; an empty value stands for any.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Where to go on.
    pub next_token: Option<String>,
    /// Entries per page, at most 50.
    pub max_results: Option<u32>,
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

action!(
    /// Returns one page of tags.
    Vpc.list_tag_resources(ListTagResources) -> ListTagResourcesAnswer, Read, 10 s
);
paged_by_token!(ListTagResources, tag_resources: TagResource, 50);
