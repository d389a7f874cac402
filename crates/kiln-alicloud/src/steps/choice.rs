//! What to ask for and where: instance types in the template's order, each in the zones that have it in stock.

use alicloud_api::ZoneId;
use alicloud_api::ecs::{AvailableZone, DescribeAvailableResource, DescribeZones};
use futures_util::future::join_all;
use kiln_core::error::{Error, ErrorKind, Result};

use crate::build::Site;
use crate::config::{Market, given};
use crate::failure::Doing as _;

/// So many instances are asked for at most: each refusal takes a second or two, and perhaps a new vSwitch.
const TRIES_MAX: usize = 24;

/// One thing to ask for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub instance_type: String,
    /// Empty: the zone of the template's vSwitch.
    pub zone: ZoneId,
    pub market: Market,
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let spot = match self.market {
            Market::Spot { .. } => " (spot)",
            Market::OnDemand => "",
        };
        match self.zone.as_str() {
            "" => write!(f, "`{}`{spot}", self.instance_type),
            zone => write!(f, "`{}`{spot} in `{zone}`", self.instance_type),
        }
    }
}

/// Everything to ask for, best first; never empty.
#[derive(Debug, Clone)]
pub(crate) struct Choice(pub Vec<Candidate>);

impl Choice {
    /// Returns the zone to lay the network in.
    pub(crate) fn zone(&self) -> &ZoneId {
        &self.0[0].zone
    }
}

/// Returns what to ask for. The zone is the template's, that of its vSwitch, or any that has the type in stock.
///
/// # Errors
///
/// No zone offers any of the types.
pub(crate) async fn choose(site: &Site<'_>) -> Result<Choice> {
    let launch = &site.plan.config.launch;
    let fixed: Option<ZoneId> = match (given(&launch.zone_id), given(&launch.vswitch_id)) {
        (Some(zone), _) => Some(zone.into()),
        (None, Some(_)) => Some(ZoneId::default()),
        (None, None) => None,
    };
    let asked = site
        .plan
        .launch
        .instance_types
        .iter()
        .flat_map(|name| markets(site.plan.launch.market).map(move |market| (name.clone(), market)));
    let mut asked: Vec<(String, Market)> = asked.collect();
    // A cheap instance of the last type comes before a dear one of the first.
    asked.sort_by_key(|(_, market)| *market == Market::OnDemand);
    let zones = join_all(asked.iter().map(|(name, market)| async {
        match &fixed {
            Some(zone) => Ok(vec![zone.clone()]),
            None => zones_with(site, name, *market).await,
        }
    }));
    let mut candidates = Vec::new();
    for ((instance_type, market), zones) in asked.iter().zip(zones.await) {
        let each = zones?.into_iter();
        candidates.extend(each.map(|zone| Candidate {
            instance_type: instance_type.clone(),
            zone,
            market: *market,
        }));
    }
    candidates.truncate(TRIES_MAX);
    match candidates.is_empty() {
        true => Err(not_offered(site).await),
        false => Ok(Choice(candidates)),
    }
}

/// Returns what may be paid for, the wanted first.
fn markets(market: Market) -> impl Iterator<Item = Market> {
    let fallback = matches!(market, Market::Spot { fallback: true, .. }).then_some(Market::OnDemand);
    std::iter::once(market).chain(fallback)
}

/// Returns the zones that sell `instance_type`, those with stock first.
async fn zones_with(site: &Site<'_>, instance_type: &str, market: Market) -> Result<Vec<ZoneId>> {
    let (spot_strategy, _) = spot(market);
    let request = DescribeAvailableResource {
        destination_resource: "InstanceType".to_owned(),
        instance_type: Some(instance_type.to_owned()),
        network_category: Some("vpc".to_owned()),
        spot_strategy: spot_strategy.map(str::to_owned),
        ..Default::default()
    };
    let zones = match site.cloud.ecs().describe_available_resource(&request).await {
        Ok(answer) => answer.available_zones,
        Err(error) if error.code().is_some_and(|code| code.starts_with("InvalidInstanceType")) => Vec::new(),
        Err(error) => return Err(error).doing("Query for available zones failed"),
    };
    Ok(by_stock(&zones, instance_type))
}

/// Orders the zones that are not sold out by whether they have stock; what the API lists first stays first.
fn by_stock(zones: &[AvailableZone], instance_type: &str) -> Vec<ZoneId> {
    let mut offered: Vec<(bool, &ZoneId)> = Vec::new();
    for zone in zones {
        let resources = zone.available_resources.iter().flat_map(|kind| &kind.supported_resources);
        let own = resources.into_iter().find(|resource| resource.value == instance_type);
        let (status, category) = match own {
            Some(own) => (&own.status, &own.status_category),
            None => (&zone.status, &zone.status_category),
        };
        if [&zone.status, status].iter().all(|status| status.is_empty() || *status == "Available") {
            offered.push((category != "WithStock", &zone.zone_id));
        }
    }
    offered.sort_by_key(|(scarce, _)| *scarce);
    offered.into_iter().map(|(_, zone)| zone.clone()).collect()
}

/// Returns strategy and highest price as RunInstances takes them.
pub(crate) fn spot(market: Market) -> (Option<&'static str>, Option<f64>) {
    match market {
        Market::OnDemand => (None, None),
        Market::Spot { limit: None, .. } => (Some("SpotAsPriceGo"), None),
        Market::Spot { limit, .. } => (Some("SpotWithPriceLimit"), limit),
    }
}

/// Packer's text names what the region does offer.
async fn not_offered(site: &Site<'_>) -> Error {
    let answer = site.cloud.ecs().describe_zones(&DescribeZones::default()).await;
    let zones = answer.map(|answer| answer.zones).unwrap_or_default();
    let mut types: Vec<&str> =
        zones.iter().flat_map(|zone| &zone.instance_types).map(String::as_str).collect();
    types.sort_unstable();
    types.dedup();
    let wanted = &site.plan.launch.instance_types;
    let region = &site.plan.region;
    let first = format!("The instance type {} isn't available in this region.", wanted.join(", "));
    let text = match types.is_empty() {
        true => format!("{first}\n You can change to other regions."),
        false => format!(
            "{first}\n You can either change the instance to one of following: [{}] \nor choose another region.",
            types.join(" ")
        ),
    };
    let error = Error::new(text).kind(ErrorKind::Refused);
    let sold_out: Vec<&String> = wanted.iter().filter(|name| types.contains(&name.as_str())).collect();
    if !sold_out.is_empty() {
        let spot = match site.plan.launch.market {
            Market::Spot { fallback: false, .. } => ", or set `spot_fallback`",
            _ => "",
        };
        return error.hint(format!(
            "`{region}` knows the type, but every zone is sold out: try later, or name further types in \
             `instance_types`{spot}"
        ));
    }
    match kiln_core::diagnostic::nearest(&wanted[0], types) {
        Some(near) => error.hint(format!("is `{near}` meant?")),
        None => error.hint(format!("check `instance_type`: `{region}` does not offer `{}`", wanted[0])),
    }
}

#[cfg(test)]
mod tests {
    use alicloud_api::ecs::{AvailableResource, SupportedResource};

    use super::*;

    fn zone(name: &str, status: &str, category: &str) -> AvailableZone {
        AvailableZone {
            zone_id: name.into(),
            status: "Available".to_owned(),
            available_resources: vec![AvailableResource {
                kind: "InstanceType".to_owned(),
                supported_resources: vec![SupportedResource {
                    value: "ecs.g7.large".to_owned(),
                    status: status.to_owned(),
                    status_category: category.to_owned(),
                }],
            }],
            ..Default::default()
        }
    }

    #[test]
    fn zones_with_stock_come_first_and_sold_out_ones_not_at_all() {
        let zones = [
            zone("a", "SoldOut", "WithoutStock"),
            zone("b", "Available", "ClosedWithStock"),
            zone("c", "Available", "WithStock"),
            zone("d", "Available", "WithStock"),
        ];
        assert_eq!(by_stock(&zones, "ecs.g7.large"), ["c", "d", "b"].map(ZoneId::from));
    }

    #[test]
    fn an_ordinary_instance_is_the_last_resort() {
        let spot = Market::Spot { limit: None, fallback: true };
        assert_eq!(markets(spot).collect::<Vec<_>>(), [spot, Market::OnDemand]);
        let spot = Market::Spot { limit: Some(0.1), fallback: false };
        assert_eq!(markets(spot).collect::<Vec<_>>(), [spot]);
    }
}
