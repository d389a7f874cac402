//! Tags of what Vpc has.

use serde_json::json;

use crate::api::{Action, Answer, ApiError, Cx, read, refuse, write};
use crate::ecs::tags::listed;
use crate::model::Tags;

/// The actions of tags under Vpc's own version; Ecs has actions of the same names for its own resources.
pub const ACTIONS: &[Action] = &[
    write("TagResources", &["RegionId", "ResourceType"], tag_resources),
    write("UnTagResources", &["RegionId", "ResourceType"], untag_resources),
    write("UntagResources", &["RegionId", "ResourceType"], untag_resources),
    read("ListTagResources", &["RegionId", "ResourceType"], list_tag_resources),
];

fn tags_of<'a>(cx: &'a mut Cx<'_>, kind: &str, id: &str) -> Result<&'a mut Tags, ApiError> {
    let region = cx.region()?.id.clone();
    let account = cx.account_mut();
    let found = match kind.to_ascii_uppercase().as_str() {
        "VPC" => account.vpcs.get_mut(id).filter(|of| of.region == region).map(|of| &mut of.tags),
        "VSWITCH" => account.vswitches.get_mut(id).filter(|of| of.region == region).map(|of| &mut of.tags),
        "EIP" => account.eips.get_mut(id).filter(|of| of.region == region).map(|of| &mut of.tags),
        _ => return Err(refuse("InvalidResourceType.NotFound")),
    };
    found.ok_or_else(|| refuse("InvalidResourceId.NotFound"))
}

fn tag_resources(cx: &mut Cx<'_>) -> Answer {
    let (kind, ids, tags) = (cx.params.text("ResourceType"), cx.params.list("ResourceId"), cx.params.tags()?);
    if tags.is_empty() || ids.is_empty() {
        return Err(ApiError::missing(if tags.is_empty() { "Tag.1.Key" } else { "ResourceId.1" }));
    }
    for id in &ids {
        tags_of(cx, &kind, id)?;
    }
    for id in &ids {
        tags_of(cx, &kind, id)?.extend(tags.clone());
    }
    Ok(json!({}))
}

fn untag_resources(cx: &mut Cx<'_>) -> Answer {
    let (kind, ids) = (cx.params.text("ResourceType"), cx.params.list("ResourceId"));
    let (keys, all) = (cx.params.list("TagKey"), cx.params.flag("All")?);
    for id in &ids {
        tags_of(cx, &kind, id)?.retain(|key, _| !(keys.contains(key) || (all && keys.is_empty())));
    }
    Ok(json!({}))
}

fn list_tag_resources(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let kind = cx.params.text("ResourceType").to_ascii_uppercase();
    let account = cx.account();
    let here = |of: &str| of == region.id;
    let found: Vec<(String, &Tags)> = match kind.as_str() {
        "VPC" => {
            account.vpcs.values().filter(|of| here(&of.region)).map(|of| (of.id.clone(), &of.tags)).collect()
        }
        "VSWITCH" => account
            .vswitches
            .values()
            .filter(|of| here(&of.region))
            .map(|of| (of.id.clone(), &of.tags))
            .collect(),
        "EIP" => {
            account.eips.values().filter(|of| here(&of.region)).map(|of| (of.id.clone(), &of.tags)).collect()
        }
        _ => return Err(refuse("InvalidResourceType.NotFound")),
    };
    let items = listed(cx, &kind, &found, "TagKey", "TagValue");
    Ok(json!({"TagResources": {"TagResource": items}, "NextToken": ""}))
}
