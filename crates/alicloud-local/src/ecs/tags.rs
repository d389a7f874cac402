//! Tags of everything Ecs has.

use serde_json::{Value, json};

use crate::api::{Action, Answer, ApiError, Cx, read, refuse, write};
use crate::model::Tags;

/// The actions of tags.
pub const ACTIONS: &[Action] = &[
    write("TagResources", &["RegionId", "ResourceType"], tag_resources),
    write("UntagResources", &["RegionId", "ResourceType"], untag_resources),
    read("ListTagResources", &["RegionId", "ResourceType"], list_tag_resources),
    write("AddTags", &["RegionId", "ResourceType", "ResourceId"], add_tags),
    write("RemoveTags", &["RegionId", "ResourceType", "ResourceId"], remove_tags),
];

/// Returns the tags of a resource of the caller, to change them.
fn tags_of<'a>(cx: &'a mut Cx<'_>, kind: &str, id: &str) -> Result<&'a mut Tags, ApiError> {
    let region = cx.region()?.id.clone();
    let uid = cx.uid.clone();
    let state = &mut *cx.state;
    if kind == "image" {
        let image = state.images.get_mut(id).filter(|image| image.owner == uid && image.region == region);
        return image.map(|image| &mut image.tags).ok_or_else(|| refuse("InvalidResourceId.NotFound"));
    }
    let account = state.accounts.get_mut(&uid).ok_or_else(|| refuse("InternalError"))?;
    let found = match kind {
        "instance" => account.instances.get_mut(id).filter(|of| of.region == region).map(|of| &mut of.tags),
        "disk" => account.disks.get_mut(id).filter(|of| of.region == region).map(|of| &mut of.tags),
        "snapshot" => account.snapshots.get_mut(id).filter(|of| of.region == region).map(|of| &mut of.tags),
        "securitygroup" => {
            account.security_groups.get_mut(id).filter(|of| of.region == region).map(|of| &mut of.tags)
        }
        "keypair" => account
            .key_pairs
            .values_mut()
            .find(|of| of.region == region && of.name == id)
            .map(|of| &mut of.tags),
        "eni" | "volume" | "ddh" | "launchtemplate" => None,
        _ => return Err(refuse("InvalidResourceType.NotFound")),
    };
    found.ok_or_else(|| refuse("InvalidResourceId.NotFound"))
}

fn put(cx: &mut Cx<'_>, kind: &str, ids: &[String]) -> Answer {
    let tags = cx.params.tags()?;
    if tags.is_empty() {
        return Err(ApiError::missing("Tag.1.Key"));
    }
    if ids.is_empty() || ids.len() > 50 {
        return Err(ApiError::missing("ResourceId.1"));
    }
    for id in ids {
        let has = tags_of(cx, kind, id)?;
        let added = tags.keys().filter(|key| !has.contains_key(*key)).count();
        if has.len() + added > 20 {
            return Err(refuse("NumberExceed.Tags"));
        }
    }
    for id in ids {
        tags_of(cx, kind, id)?.extend(tags.clone());
    }
    Ok(json!({}))
}

fn tag_resources(cx: &mut Cx<'_>) -> Answer {
    let (kind, ids) = (cx.params.text("ResourceType"), cx.params.list("ResourceId"));
    put(cx, &kind, &ids)
}

fn untag_resources(cx: &mut Cx<'_>) -> Answer {
    let (kind, ids) = (cx.params.text("ResourceType"), cx.params.list("ResourceId"));
    let (keys, all) = (cx.params.list("TagKey"), cx.params.flag("All")?);
    for id in &ids {
        tags_of(cx, &kind, id)?.retain(|key, _| !(keys.contains(key) || (all && keys.is_empty())));
    }
    Ok(json!({}))
}

fn add_tags(cx: &mut Cx<'_>) -> Answer {
    let (kind, id) = (cx.params.text("ResourceType"), cx.params.text("ResourceId"));
    put(cx, &kind, &[id])
}

fn remove_tags(cx: &mut Cx<'_>) -> Answer {
    let (kind, id) = (cx.params.text("ResourceType"), cx.params.text("ResourceId"));
    let keys: Vec<String> = cx
        .params
        .indexes("Tag")
        .into_iter()
        .filter_map(|at| cx.params.get(&format!("Tag.{at}.Key")).map(str::to_owned))
        .collect();
    tags_of(cx, &kind, &id)?.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

fn list_tag_resources(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let kind = cx.params.text("ResourceType");
    let account = cx.account();
    let here = |of: &str| of == region.id;
    let found: Vec<(String, &Tags)> = match kind.as_str() {
        "instance" => account
            .instances
            .values()
            .filter(|of| here(&of.region))
            .map(|of| (of.id.clone(), &of.tags))
            .collect(),
        "disk" => {
            account.disks.values().filter(|of| here(&of.region)).map(|of| (of.id.clone(), &of.tags)).collect()
        }
        "snapshot" => account
            .snapshots
            .values()
            .filter(|of| here(&of.region))
            .map(|of| (of.id.clone(), &of.tags))
            .collect(),
        "securitygroup" => account
            .security_groups
            .values()
            .filter(|of| here(&of.region))
            .map(|of| (of.id.clone(), &of.tags))
            .collect(),
        "keypair" => account
            .key_pairs
            .values()
            .filter(|of| here(&of.region))
            .map(|of| (of.name.clone(), &of.tags))
            .collect(),
        "image" => cx
            .state
            .images
            .values()
            .filter(|of| here(&of.region) && of.owner == cx.uid)
            .map(|of| (of.id.clone(), &of.tags))
            .collect(),
        "eni" | "volume" | "ddh" | "launchtemplate" => Vec::new(),
        _ => return Err(refuse("InvalidResourceType.NotFound")),
    };
    let items = listed(cx, &kind, &found, "TagKey", "TagValue");
    Ok(json!({"TagResources": {"TagResource": items}, "NextToken": ""}))
}

/// Lists the tags of those resources that the call asks for, by ids or by tags.
pub fn listed(
    cx: &Cx<'_>,
    kind: &str,
    found: &[(String, &Tags)],
    key_name: &str,
    value_name: &str,
) -> Vec<Value> {
    let ids = cx.params.list("ResourceId");
    let shown =
        found.iter().filter(|(id, tags)| (ids.is_empty() || ids.contains(id)) && cx.params.wants(tags));
    shown
        .flat_map(|(id, tags)| {
            tags.iter().map(move |(key, value)| {
                json!({"ResourceId": id, "ResourceType": kind, key_name: key, value_name: value})
            })
        })
        .collect()
}
