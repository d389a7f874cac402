//! Where the instance stands: a vSwitch of the security group's VPC, in a zone that has the instance type in stock.

use alicloud_api::VpcId;
use alicloud_api::vpc::{DescribeVSwitches, VSwitch};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::value::Value;

use crate::build::Site;
use crate::cloud::Setup;
use crate::config::{Check, Plan};
use crate::failure::Doing as _;
use crate::network;
use crate::steps::choice::{self, Choice};
use crate::steps::pre_validate;

/// Returns the plan with the vSwitch in it; `None` if the template names one.
///
/// # Errors
///
/// There is no such group, it is in no VPC, or its VPC has no vSwitch in a zone that offers the instance type.
pub(super) async fn settle(site: &Site<'_>, setup: &Setup) -> Result<Option<Plan>> {
    site.cx.step("stepConfigAlicloudNetwork", || find(site, setup)).await
}

async fn find(site: &Site<'_>, setup: &Setup) -> Result<Option<Plan>> {
    // An unknown region makes every other question fail as well.
    pre_validate::regions_exist(site).await?;
    let Some(vpc) = network::vpc_of_security_group(site).await? else {
        return Ok(None);
    };
    let choice = choice::choose(site).await?;
    let request = DescribeVSwitches { vpc_id: Some(vpc.clone()), ..Default::default() };
    let vswitches = site.cloud.vpc().all(&request).await.doing("Failed querying vswitch")?;
    let Some(best) = best(&choice, &vswitches) else {
        return Err(none_in_stock(&vpc, &choice, &vswitches));
    };
    let mut config = site.plan.config.clone();
    config.launch.vswitch_id = Some(best.vswitch_id.to_string());
    config.access.skip_region_validation = true;
    // The same check once more: what passed with less will pass now, and has no place in the template to blame.
    let (access, settings) = (site.plan.access.clone(), Value::null());
    let plan = Plan::of(Check::new(&settings), config, Some(access), &site.cx.scope, setup);
    plan.map(Some).map_err(|faults| {
        let faults: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
        Error::new(faults.join("\n"))
    })
}

/// Returns the vSwitch in the best zone that has one; of several the one with most free addresses.
fn best<'a>(choice: &Choice, vswitches: &'a [VSwitch]) -> Option<&'a VSwitch> {
    choice.0.iter().find_map(|candidate| {
        let usable = vswitches.iter().filter(|it| it.zone_id == candidate.zone && it.status == "Available");
        usable.max_by_key(|vswitch| vswitch.available_ip_address_count)
    })
}

fn none_in_stock(vpc: &VpcId, choice: &Choice, vswitches: &[VSwitch]) -> Error {
    let zones = |zones: &mut dyn Iterator<Item = &str>| {
        let mut zones: Vec<&str> = zones.collect();
        zones.dedup();
        if zones.is_empty() { "none".to_owned() } else { zones.join(", ") }
    };
    let has = zones(&mut vswitches.iter().map(|vswitch| vswitch.zone_id.as_str()));
    let offered = zones(&mut choice.0.iter().map(|candidate| candidate.zone.as_str()));
    let text = format!("VPC {vpc} of the security group has no vswitch where the instance type is in stock");
    Error::new(text).kind(ErrorKind::Refused).hint(format!(
        "zones of its vswitches: {has}; zones with the instance type: {offered}; make a vswitch in one of these, or \
         choose another `instance_type`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Market;
    use crate::steps::choice::Candidate;

    #[test]
    fn the_vswitch_with_most_room_in_the_best_zone_is_taken() {
        let candidate = |zone: &str| Candidate {
            instance_type: "ecs.g7.large".to_owned(),
            zone: zone.into(),
            market: Market::OnDemand,
        };
        let choice = Choice(vec![candidate("b"), candidate("a")]);
        let vswitch = |id: &str, zone: &str, room, status: &str| VSwitch {
            vswitch_id: id.into(),
            zone_id: zone.into(),
            available_ip_address_count: room,
            status: status.to_owned(),
            ..VSwitch::default()
        };
        let mut all = vec![vswitch("in-c", "c", 9, "Available"), vswitch("in-a", "a", 5, "Available")];
        assert_eq!(best(&choice, &all).unwrap().vswitch_id.as_str(), "in-a");
        all.extend([vswitch("full", "b", 0, "Available"), vswitch("roomy", "b", 3, "Available")]);
        all.push(vswitch("pending", "b", 8, "Pending"));
        assert_eq!(best(&choice, &all).unwrap().vswitch_id.as_str(), "roomy");
        assert!(best(&choice, &all[..1]).is_none());
        let error = none_in_stock(&"vpc-1".into(), &choice, &all[..1]);
        assert!(
            error.hints[0].contains("zones of its vswitches: c; zones with the instance type: b, a"),
            "{error:?}"
        );
    }
}
