//! Looks before anything is made: does the region exist, is the image's name free, where is the instance type in stock?

use std::collections::BTreeSet;

use alicloud_api::ZoneId;
use alicloud_api::ecs::{DescribeAvailableResource, DescribeImages, DescribeRegions, DescribeZones, Image};
use kiln_core::error::{Error, ErrorKind, Result};

use crate::build::Site;
use crate::cloud::Cloud;
use crate::config::given;
use crate::failure::Doing as _;
use crate::reclaim::EVERY_STATUS;

/// Returns the zone to build in. Fails if the region is not one, if an image of ours has exactly the name (the API's
/// own filter also matches names that merely contain it), or if no zone offers the instance type.
pub(crate) async fn pre_validate(site: &Site<'_>) -> Result<ZoneId> {
    let events = &site.cx.events;
    let (skip_region, skip_name) = (site.plan.config.access.skip_region_validation, site.plan.image.force_delete);
    events
        .say(match skip_region {
            true => {
                "Skip region validation flag found, skipping prevalidating source region and copied regions."
            }
            false => "Prevalidating source region and copied regions...",
        })
        .await;
    let region = async || if skip_region { Ok(()) } else { region_exists(site).await };
    let name = async || if skip_name { Ok(()) } else { name_is_free(site).await };
    // An unknown region makes the other questions fail as well, so it is settled first.
    region().await?;
    events
        .say(match skip_name {
            true => "Force delete flag found, skipping prevalidating image name.",
            false => "Prevalidating image name...",
        })
        .await;
    let (name, zone) = futures_util::join!(name(), zone(site));
    name.and(zone)
}

async fn name_is_free(site: &Site<'_>) -> Result<()> {
    let name = &site.plan.image.name;
    let taken = own_images(&site.cloud, name).await.doing("Error querying alicloud image")?;
    let Some(image) = taken.first() else {
        return Ok(());
    };
    let text =
        format!("Error: Image Name: '{name}' is used by an existing alicloud image: {}", image.image_id);
    Err(Error::new(text)
        .kind(ErrorKind::Refused)
        .hint("choose another `image_name`, or replace that image with `image_force_delete` or -force"))
}

/// The template's zone, that of its vSwitch, or the first that has the instance type in stock.
async fn zone(site: &Site<'_>) -> Result<ZoneId> {
    let config = &site.plan.config;
    match (given(&config.launch.zone_id), given(&config.launch.vswitch_id)) {
        (Some(zone), _) => Ok(zone.into()),
        // Its zone is what counts then.
        (None, Some(_)) => Ok(ZoneId::default()),
        (None, None) => zone_with_stock(site).await,
    }
}

async fn zone_with_stock(site: &Site<'_>) -> Result<ZoneId> {
    let instance_type = &site.plan.instance_type;
    let request = DescribeAvailableResource {
        destination_resource: "InstanceType".to_owned(),
        instance_type: Some(instance_type.clone()),
        network_category: Some("vpc".to_owned()),
        ..Default::default()
    };
    let zones = match site.cloud.ecs().describe_available_resource(&request).await {
        Ok(answer) => answer.available_zones,
        Err(error) if error.code().is_some_and(|code| code.starts_with("InvalidInstanceType")) => Vec::new(),
        Err(error) => return Err(error).doing("Query for available zones failed"),
    };
    let offered = zones.iter().filter(|zone| zone.status == "Available" || zone.status.is_empty());
    match offered.min_by_key(|zone| zone.status_category != "WithStock") {
        Some(zone) => Ok(zone.zone_id.clone()),
        None => Err(not_offered(site, instance_type).await),
    }
}

/// Asks a region that surely exists: the host of one that does not would not even resolve. A private cloud, which may
/// lack that region, is asked in the build's own.
async fn region_exists(site: &Site<'_>) -> Result<()> {
    let region = &site.plan.region;
    let ask = async |asked: &str| {
        site.cloud.in_region(asked).ecs().describe_regions(&DescribeRegions::default()).await
    };
    let mut answer = ask("cn-hangzhou").await;
    if answer.as_ref().is_err_and(|error| error.is("InvalidRegionId.NotFound")) {
        answer = ask(region.as_str()).await;
    }
    let answer = answer.doing("Error querying regions")?;
    let known: BTreeSet<&str> = answer.regions.iter().map(|known| known.region_id.as_str()).collect();
    if known.contains(region.as_str()) {
        return Ok(());
    }
    let error = Error::new(format!("Not a valid alicloud region: {region}")).kind(ErrorKind::Refused);
    Err(match kiln_core::diagnostic::nearest(region.as_str(), known.iter().copied()) {
        Some(near) => error.hint(format!("is `{near}` meant?")),
        None => error.hint(format!("regions are: {}", Vec::from_iter(known).join(", "))),
    })
}

/// Returns the account's own images of exactly this name, in any state.
pub(crate) async fn own_images(cloud: &Cloud, name: &str) -> alicloud_api::Result<Vec<Image>> {
    let request = DescribeImages {
        image_name: Some(name.to_owned()),
        image_owner_alias: Some("self".to_owned()),
        status: EVERY_STATUS.map(str::to_owned).to_vec(),
        ..Default::default()
    };
    let mut images = cloud.ecs().all(&request).await?;
    images.retain(|image| image.image_name == name);
    Ok(images)
}

/// Packer's text names what the region does offer.
async fn not_offered(site: &Site<'_>, instance_type: &str) -> Error {
    let answer = site.cloud.ecs().describe_zones(&DescribeZones::default()).await;
    let zones = answer.map(|answer| answer.zones).unwrap_or_default();
    let mut types: Vec<&str> =
        zones.iter().flat_map(|zone| &zone.instance_types).map(String::as_str).collect();
    types.sort_unstable();
    types.dedup();
    let region = &site.plan.region;
    let first = format!("The instance type {instance_type} isn't available in this region.");
    let text = match types.is_empty() {
        true => format!("{first}\n You can change to other regions."),
        false => format!(
            "{first}\n You can either change the instance to one of following: [{}] \nor choose another region.",
            types.join(" ")
        ),
    };
    let error = Error::new(text).kind(ErrorKind::Refused);
    match kiln_core::diagnostic::nearest(instance_type, types) {
        Some(near) => error.hint(format!("is `{near}` meant?")),
        None => error.hint(format!("check `instance_type`: `{region}` does not offer `{instance_type}`")),
    }
}
