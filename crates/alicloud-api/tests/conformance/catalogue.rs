//! Regions, zones, stock, and images that everybody has.

use alicloud_api::ecs::{
    DescribeAvailableResource, DescribeImageFromFamily, DescribeImages, DescribeRegions, DescribeZones,
};

use super::place::everywhere;

#[tokio::test]
async fn regions_and_their_zones_are_listed() {
    everywhere(async |place| {
        let ecs = place.ecs();
        let regions = ecs.describe_regions(&DescribeRegions::default()).await.unwrap().regions;
        assert!(regions.iter().any(|region| region.region_id == place.region), "{regions:?}");
        let zones = ecs.describe_zones(&DescribeZones::default()).await.unwrap().zones;
        assert!(
            zones.iter().any(|zone| zone.zone_id.as_str().starts_with(place.region.as_str())),
            "{zones:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn stock_is_told_by_zone() {
    everywhere(async |place| {
        let request = DescribeAvailableResource {
            destination_resource: "InstanceType".to_owned(),
            instance_charge_type: Some("PostPaid".to_owned()),
            ..Default::default()
        };
        let zones = place.ecs().describe_available_resource(&request).await.unwrap().available_zones;
        let sells = |zone: &&alicloud_api::ecs::AvailableZone| {
            let resources =
                zone.available_resources.iter().filter(|resource| resource.kind == "InstanceType");
            let mut supported = resources.flat_map(|resource| &resource.supported_resources);
            zone.status == "Available"
                && supported.any(|it| it.status == "Available" && it.value.starts_with("ecs."))
        };
        assert!(zones.iter().any(|zone| sells(&zone)), "{zones:?}");
    })
    .await;
}

#[tokio::test]
async fn a_family_of_public_images_has_a_newest() {
    everywhere(async |place| {
        let family = "acs:alibaba_cloud_linux_3_2104_lts_x64".to_owned();
        let request = DescribeImageFromFamily { image_family: family.clone() };
        let newest = place.ecs().describe_image_from_family(&request).await.unwrap().image.unwrap();
        let request = DescribeImages { image_id: Some(newest.image_id.clone()), ..Default::default() };
        let images = place.ecs().describe_images(&request).await.unwrap().images;
        assert_eq!((images.len(), &images[0].image_id), (1, &newest.image_id));
        assert_eq!((&images[0].status[..], &images[0].image_family), ("Available", &family));
    })
    .await;
}

#[tokio::test]
async fn an_image_that_does_not_exist_is_no_error() {
    everywhere(async |place| {
        let request =
            DescribeImages { image_id: Some("m-kilnconformance00000".into()), ..Default::default() };
        let answer = place.ecs().describe_images(&request).await.unwrap();
        assert!(answer.images.is_empty() && answer.total_count == 0, "{answer:?}");
    })
    .await;
}
