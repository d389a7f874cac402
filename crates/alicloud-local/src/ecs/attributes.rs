//! Changing what an instance is called, what one logs in with, who may reach it, and how its metadata is asked for.

use serde_json::json;

use super::instances::{owned, owned_mut};
use super::launch;
use crate::api::{Action, Answer, ApiError, Cx, refuse, write};
use crate::catalogue;
use crate::model::{InstanceStatus, MetadataOptions};

/// The actions that change attributes.
pub const ACTIONS: &[Action] = &[
    write("ModifyInstanceAttribute", &["InstanceId"], modify),
    write("ModifyInstanceMetadataOptions", &["RegionId", "InstanceId", "HttpEndpoint"], modify_metadata),
];

/// Changes what the call names. Password, host name and user data are seen by the instance when it starts again.
fn modify(cx: &mut Cx<'_>) -> Answer {
    let instance = owned(cx)?;
    if instance.deleting || instance.stage.now == InstanceStatus::Pending {
        return Err(refuse("IncorrectInstanceStatus"));
    }
    let (id, vpc_id) = (instance.id.clone(), instance.vpc_id.clone());
    // Documented: user data can be changed while the instance is stopped only.
    if cx.params.get("UserData").is_some() && instance.stage.now != InstanceStatus::Stopped {
        return Err(refuse("IncorrectInstanceStatus"));
    }
    let region = catalogue::region(&instance.region).ok_or_else(|| refuse("InvalidRegionId.NotFound"))?;
    launch::check_login(cx, region)?;
    let groups = cx.params.list("SecurityGroupIds");
    for id in &groups {
        let group = cx.account().security_groups.get(id).filter(|group| group.region == region.id);
        let group = group.ok_or_else(|| refuse("InvalidSecurityGroupId.NotFound"))?;
        if group.vpc_id != vpc_id {
            return Err(refuse("InvalidSecurityGroupId.VPCMismatch"));
        }
    }
    let protection =
        cx.params.get("DeletionProtection").map(|_| cx.params.flag("DeletionProtection")).transpose()?;
    let params = cx.params;
    let instance = owned_mut(cx, &id)?;
    let given = |name: &str| params.get(name).map(str::to_owned);
    if let Some(name) = given("InstanceName") {
        instance.name = name;
    }
    if let Some(description) = given("Description") {
        instance.description = description;
    }
    if let Some(name) = given("HostName") {
        instance.hostname = name;
    }
    if let Some(password) = given("Password") {
        instance.password = Some(password);
    }
    if let Some(data) = given("UserData") {
        instance.user_data = Some(data);
    }
    if !groups.is_empty() {
        instance.security_groups = groups;
    }
    if let Some(protection) = protection {
        instance.deletion_protection = protection;
    }
    Ok(json!({}))
}

fn modify_metadata(cx: &mut Cx<'_>) -> Answer {
    let instance = owned(cx)?;
    if instance.deleting || instance.stage.now == InstanceStatus::Pending {
        return Err(refuse("IncorrectInstanceStatus"));
    }
    let (id, options) = (instance.id.clone(), instance.metadata.changed(cx)?);
    owned_mut(cx, &id)?.metadata = options;
    Ok(json!({}))
}

impl MetadataOptions {
    /// Returns the options as the call wants them: `HttpEndpoint`, `HttpTokens`, `HttpPutResponseHopLimit`.
    pub fn changed(mut self, cx: &Cx<'_>) -> Result<MetadataOptions, ApiError> {
        match cx.params.get("HttpEndpoint") {
            None => {}
            Some("enabled") => self.enabled = true,
            Some("disabled") => self.enabled = false,
            Some(_) => return Err(ApiError::invalid("HttpEndpoint")),
        }
        match cx.params.get("HttpTokens") {
            None => {}
            Some("optional") => self.tokens_required = false,
            Some("required") => self.tokens_required = true,
            Some(_) => return Err(ApiError::invalid("HttpTokens")),
        }
        if let Some(limit) = cx.params.number::<u32>("HttpPutResponseHopLimit")? {
            if !(1..=64).contains(&limit) {
                return Err(ApiError::invalid("HttpPutResponseHopLimit"));
            }
            self.hop_limit = limit;
        }
        Ok(self)
    }
}
