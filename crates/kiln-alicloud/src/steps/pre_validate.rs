//! Looks before anything is made: does the region exist, is the image's name free, where is the instance type in stock?

use std::collections::BTreeSet;

use alicloud_api::ecs::{DescribeImages, DescribeRegions, Image};
use alicloud_api::{ImageId, RegionId};
use kiln_core::error::{Error, ErrorKind, Result};

use super::address;
use super::choice::{self, Choice};
use crate::build::Site;
use crate::cloud::Cloud;
use crate::failure::Doing as _;
use crate::reclaim::EVERY_STATUS;

/// Returns what to ask the cloud for, and where. Fails if the region is not one, if an image of ours has exactly the
/// name (the API's own filter also matches names that merely contain it), if no zone offers the instance type, or if
/// the template's elastic address is in use.
pub(crate) async fn pre_validate(site: &Site<'_>) -> Result<Choice> {
    let events = &site.cx.events;
    let (skip_region, skip_name) =
        (site.plan.config.access.skip_region_validation, site.plan.image.force_delete);
    events
        .say(match skip_region {
            true => {
                "Skip region validation flag found, skipping prevalidating source region and copied regions."
            }
            false => "Prevalidating source region and copied regions...",
        })
        .await;
    let region = async || if skip_region { Ok(()) } else { regions_exist(site).await };
    let name = async || if skip_name { Ok(()) } else { names_are_free(site).await };
    // An unknown region makes the other questions fail as well, so it is settled first.
    region().await?;
    events
        .say(match skip_name {
            true => "Force delete flag found, skipping prevalidating image name.",
            false => "Prevalidating image name...",
        })
        .await;
    let (name, choice, eip) = futures_util::join!(name(), choice::choose(site), address::eip_is_free(site));
    name.and(eip).and(choice)
}

/// Fails if an image of ours has exactly the image's name, or that of a copy in its region.
async fn names_are_free(site: &Site<'_>) -> Result<()> {
    let plan = &site.plan.image;
    let home = (&site.plan.region, &plan.name);
    let copies = plan.copies.iter().filter_map(|copy| Some((&copy.region, copy.name.as_ref()?)));
    let looks = std::iter::once(home).chain(copies).map(|(region, name)| async move {
        let images = own_images(&site.cloud.beside(region)?, name).await;
        let taken = images.doing("Error querying alicloud image")?.into_iter().next();
        Ok(taken.map(|image| (region, name, image.image_id)))
    });
    let looks: Vec<Option<_>> = futures_util::future::try_join_all(looks).await?;
    let taken: Vec<_> = looks.into_iter().flatten().collect();
    let told = |(region, name, id): &(&RegionId, &String, ImageId)| {
        let place = if *region == &site.plan.region { String::new() } else { format!(" in {region}") };
        format!("Error: Image Name: '{name}' is used by an existing alicloud image: {id}{place}")
    };
    if taken.is_empty() {
        return Ok(());
    }
    let fields = match taken.iter().all(|(region, ..)| **region == site.plan.region) {
        true => "`image_name`",
        false => "`image_name` and `image_copy_names`",
    };
    let lines: Vec<String> = taken.iter().map(told).collect();
    Err(Error::new(lines.join("\n")).kind(ErrorKind::Refused).hint(format!(
        "choose another {fields}, or replace what has the name with `image_force_delete` or -force"
    )))
}

/// Asks a region that surely exists: the host of one that does not would not even resolve. A private cloud, which may
/// lack that region, is asked in the build's own.
pub(crate) async fn regions_exist(site: &Site<'_>) -> Result<()> {
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
    let wanted = std::iter::once(region).chain(site.plan.image.copies.iter().map(|copy| &copy.region));
    let unknown: Vec<&RegionId> = wanted.filter(|region| !known.contains(region.as_str())).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        unknown.iter().map(|region| format!("Not a valid alicloud region: {region}")).collect();
    let error = Error::new(lines.join("\n")).kind(ErrorKind::Refused);
    let near = unknown
        .iter()
        .filter_map(|region| kiln_core::diagnostic::nearest(region.as_str(), known.iter().copied()));
    let near: Vec<String> = near.map(|near| format!("is `{near}` meant?")).collect();
    Err(match near.is_empty() {
        true => error.hint(format!("regions are: {}", Vec::from_iter(known).join(", "))),
        false => near.into_iter().fold(error, Error::hint),
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
