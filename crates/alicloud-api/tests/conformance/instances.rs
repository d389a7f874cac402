//! Instances, as far as they can be asked about without starting one.

use alicloud_api::ecs::{
    CreateSecurityGroup, DeleteInstance, DescribeAvailableResource, DescribeImageFromFamily,
    DescribeInstances, RunInstances,
};
use alicloud_api::vpc::CreateVSwitch;
use alicloud_api::{VSwitchId, ZoneId};

use super::place::{Place, everywhere, refused};

#[tokio::test]
async fn a_dry_run_says_what_would_happen() {
    everywhere(async |place| {
        let ecs = place.ecs();
        let request = launch(&place).await;
        let error = refused(ecs.run_instances(&request).await);
        assert!(error.is("DryRunOperation"), "{error}");
        let unknown = RunInstances { image_id: Some("m-kilnconformance00000".into()), ..request };
        let error = refused(ecs.run_instances(&unknown).await);
        assert!(error.is("InvalidImageId.NotFound"), "{error}");
        let made = DescribeInstances { tags: place.tags(), ..Default::default() };
        assert!(ecs.all(&made).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_does_not_exist_is_not_found() {
    everywhere(async |place| {
        let ecs = place.ecs();
        let look =
            DescribeInstances { instance_ids: vec!["i-kilnconformance00000".into()], ..Default::default() };
        assert!(ecs.describe_instances(&look).await.unwrap().instances.is_empty());
        let delete = DeleteInstance { instance_id: "i-kilnconformance00000".into(), force: Some(true) };
        let error = refused(ecs.delete_instance(&delete).await);
        assert!(error.is_not_found(), "{error}");
    })
    .await;
}

/// Returns the request for an instance that could be had, with the network it needs.
async fn launch(place: &Place) -> RunInstances {
    let (ecs, vpc) = (place.ecs(), place.vpc());
    let (vpc_id, zone_id) = (place.make_vpc().await, place.zone().await);
    let vswitch = CreateVSwitch {
        vpc_id: vpc_id.clone(),
        zone_id: zone_id.clone(),
        cidr_block: "172.16.0.0/24".to_owned(),
        tags: place.tags(),
        ..Default::default()
    };
    let vswitch_id: VSwitchId = vpc.create_vswitch(&vswitch).await.unwrap().vswitch_id;
    let group = CreateSecurityGroup { vpc_id: Some(vpc_id), tags: place.tags(), ..Default::default() };
    let security_group_id = ecs.create_security_group(&group).await.unwrap().security_group_id;
    let family =
        DescribeImageFromFamily { image_family: "acs:alibaba_cloud_linux_3_2104_lts_x64".to_owned() };
    let image = ecs.describe_image_from_family(&family).await.unwrap().image.unwrap();
    RunInstances {
        image_id: Some(image.image_id),
        instance_type: Some(instance_type(place, &zone_id).await),
        zone_id: Some(zone_id),
        vswitch_id: Some(vswitch_id),
        security_group_id: Some(security_group_id),
        dry_run: Some(true),
        tags: place.tags(),
        ..Default::default()
    }
}

async fn instance_type(place: &Place, zone_id: &ZoneId) -> String {
    let request = DescribeAvailableResource {
        destination_resource: "InstanceType".to_owned(),
        zone_id: Some(zone_id.clone()),
        instance_charge_type: Some("PostPaid".to_owned()),
        ..Default::default()
    };
    let zones = place.ecs().describe_available_resource(&request).await.unwrap().available_zones;
    let resources = zones.iter().flat_map(|zone| &zone.available_resources);
    let mut types = resources.flat_map(|resource| &resource.supported_resources);
    types.find(|it| it.status == "Available" && it.value.starts_with("ecs.g")).unwrap().value.clone()
}
