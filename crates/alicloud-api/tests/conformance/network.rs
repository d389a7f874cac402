//! VPCs and vSwitches: states, tags, tokens, the order in which they can be deleted.

use alicloud_api::Verdict;
use alicloud_api::vpc::{
    CreateVSwitch, CreateVpc, DeleteVSwitch, DeleteVpc, DescribeVSwitches, DescribeVpcs,
};

use super::place::{everywhere, refused};

#[tokio::test]
async fn a_client_token_makes_one_vpc() {
    everywhere(async |place| {
        let request = place.network("once");
        let first = place.vpc().create_vpc(&request).await.unwrap().vpc_id;
        let second = place.vpc().create_vpc(&request).await.unwrap().vpc_id;
        assert_eq!(first, second);
        let other = CreateVpc { cidr_block: Some("192.168.0.0/16".to_owned()), ..request };
        let error = refused(place.vpc().create_vpc(&other).await);
        assert!(error.is("IdempotentParameterMismatch"), "{error}");
        let found = DescribeVpcs { tags: place.tags(), ..Default::default() };
        assert_eq!(place.vpc().all(&found).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_vpc_is_found_by_id_and_tag_and_goes() {
    everywhere(async |place| {
        let vpc = place.vpc();
        let id = place.make_vpc().await;
        let found = vpc.describe_vpcs(&DescribeVpcs { vpc_id: Some(id.clone()), ..Default::default() }).await;
        let found = found.unwrap().vpcs;
        assert_eq!(
            (found.len(), &found[0].vpc_name, &found[0].cidr_block[..]),
            (1, &place.run, "172.16.0.0/16")
        );
        let by_tag = vpc.all(&DescribeVpcs { tags: place.tags(), ..Default::default() }).await.unwrap();
        assert_eq!(by_tag.iter().map(|vpc| &vpc.vpc_id).collect::<Vec<_>>(), [&id]);
        let delete = DeleteVpc { vpc_id: id.clone(), ..Default::default() };
        place.delete("the VPC to go", || vpc.delete_vpc(&delete)).await.unwrap();
        let gone = vpc.describe_vpcs(&DescribeVpcs { vpc_id: Some(id), ..Default::default() }).await.unwrap();
        assert!(gone.vpcs.is_empty(), "{gone:?}");
        let error = refused(vpc.delete_vpc(&delete).await);
        assert!(error.is_not_found(), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_vswitch_stands_in_its_zone_and_before_its_vpc() {
    everywhere(async |place| {
        let vpc = place.vpc();
        let (vpc_id, zone_id) = (place.make_vpc().await, place.zone().await);
        let request = CreateVSwitch {
            client_token: Some(format!("{}-vswitch", place.run)),
            vpc_id: vpc_id.clone(),
            zone_id: zone_id.clone(),
            cidr_block: "172.16.0.0/24".to_owned(),
            vswitch_name: Some(place.run.clone()),
            tags: place.tags(),
            ..Default::default()
        };
        let vswitch_id = vpc.create_vswitch(&request).await.unwrap().vswitch_id;
        assert_eq!(vpc.create_vswitch(&request).await.unwrap().vswitch_id, vswitch_id);
        let look = DescribeVSwitches { vswitch_id: Some(vswitch_id.clone()), ..Default::default() };
        let (vpc, look) = (&vpc, &look);
        let made = place.until("the vSwitch to be there", &[], || async move {
            let mut found = vpc.describe_vswitches(look).await?.vswitches;
            Ok(match found.pop() {
                Some(vswitch) if vswitch.status == "Available" => Verdict::Done(vswitch),
                other => Verdict::not_yet(other.map(|vswitch| vswitch.status).unwrap_or_default()),
            })
        });
        let made = made.await.unwrap();
        assert_eq!((&made.vpc_id, &made.zone_id, &made.vswitch_name), (&vpc_id, &zone_id, &place.run));

        let error =
            refused(vpc.delete_vpc(&DeleteVpc { vpc_id: vpc_id.clone(), ..Default::default() }).await);
        assert!(error.code().is_some_and(|code| code.starts_with("DependencyViolation")), "{error}");
        let delete = DeleteVSwitch { vswitch_id };
        place.delete("the vSwitch to go", || vpc.delete_vswitch(&delete)).await.unwrap();
        let gone = place.until("the vSwitch to be gone", &[], || async move {
            Ok(match vpc.describe_vswitches(look).await?.vswitches.pop() {
                None => Verdict::Done(()),
                Some(vswitch) => Verdict::not_yet(vswitch.status),
            })
        });
        gone.await.unwrap();
        let error = refused(vpc.delete_vswitch(&delete).await);
        assert!(error.is_not_found(), "{error}");
    })
    .await;
}
