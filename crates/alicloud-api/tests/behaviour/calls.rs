//! Typed calls: their parameters as they go out, answers as the documentation shows them, pages.

use alicloud_api::{
    Secret, UserData,
    ecs::{
        AuthorizeSecurityGroup, CopyImage, DataDisk, DeleteKeyPairs, DescribeImages, DescribeInstances,
        Instance, ListTagResources, Permission, ResourceType, RunInstances, SystemDisk, Tag,
    },
    params::flatten,
    sts::{AssumeRole, GetCallerIdentity},
    vpc::{self, CreateVSwitch, DescribeEipAddresses, DescribeVSwitches},
};
use serde::Serialize;
use serde_json::json;

use crate::fake::{Fake, ok};

fn check(request: &impl Serialize, expected: &[&str]) {
    let flat: Vec<_> = flatten(request).unwrap().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(flat, expected);
}

#[test]
fn requests_go_out_in_the_apis_spelling() {
    check(
        &RunInstances {
            client_token: Some("t".into()),
            image_id: Some("m-1".into()),
            amount: Some(1),
            vswitch_id: Some("vsw-1".into()),
            password: Some(Secret::new("pw")),
            user_data: Some(UserData::new("#!/bin/sh\necho hi>\n")),
            system_disk: Some(SystemDisk {
                size: Some(40),
                kms_key_id: Some("k".into()),
                ..Default::default()
            }),
            data_disks: vec![DataDisk {
                size: Some(20),
                delete_with_instance: Some(true),
                ..Default::default()
            }],
            tags: vec![Tag::new("a", "b")],
            ..Default::default()
        },
        &[
            "ClientToken=t",
            "ImageId=m-1",
            "Amount=1",
            "VSwitchId=vsw-1",
            "Password=pw",
            "UserData=IyEvYmluL3NoCmVjaG8gaGk+Cg==",
            "SystemDisk.Size=40",
            "SystemDisk.KMSKeyId=k",
            "DataDisk.1.Size=20",
            "DataDisk.1.DeleteWithInstance=true",
            "Tag.1.Key=a",
            "Tag.1.Value=b",
        ],
    );
    check(
        &AuthorizeSecurityGroup {
            security_group_id: "sg-1".into(),
            permissions: vec![Permission {
                ip_protocol: "TCP".into(),
                port_range: "22/22".into(),
                source_cidr_ip: Some("203.0.113.7/32".into()),
                ..Default::default()
            }],
            ..Default::default()
        },
        &[
            "SecurityGroupId=sg-1",
            "Permissions.1.IpProtocol=TCP",
            "Permissions.1.PortRange=22/22",
            "Permissions.1.SourceCidrIp=203.0.113.7/32",
        ],
    );
    check(&DeleteKeyPairs { key_pair_names: vec!["a".into(), "b".into()] }, &[r#"KeyPairNames=["a","b"]"#]);
    check(
        &CopyImage {
            image_id: "m-1".into(),
            destination_region_id: "cn-hangzhou".into(),
            encrypted: Some(true),
            kms_key_id: Some("k".into()),
            ..Default::default()
        },
        &["ImageId=m-1", "DestinationRegionId=cn-hangzhou", "Encrypted=true", "KMSKeyId=k"],
    );
    check(
        &CreateVSwitch {
            vpc_id: "vpc-1".into(),
            zone_id: "cn-beijing-h".into(),
            cidr_block: "172.16.0.0/24".into(),
            vswitch_name: Some("n".into()),
            ..Default::default()
        },
        &["VpcId=vpc-1", "ZoneId=cn-beijing-h", "CidrBlock=172.16.0.0/24", "VSwitchName=n"],
    );
    check(
        &DescribeImages { status: vec!["Waiting".into(), "Creating".into()], ..Default::default() },
        &["Status=Waiting,Creating"],
    );
    check(
        &ListTagResources {
            resource_type: ResourceType::SecurityGroup,
            resource_ids: vec!["sg-1".into()],
            ..Default::default()
        },
        &["ResourceType=securitygroup", "ResourceId.1=sg-1"],
    );
    check(
        &vpc::ListTagResources { resource_type: vpc::ResourceType::VSwitch, ..Default::default() },
        &["ResourceType=VSWITCH"],
    );
    check(&GetCallerIdentity {}, &[]);
}

#[tokio::test]
async fn instances_are_read_as_documented() {
    let fake = Fake::start([ok(json!({
        "RequestId": "R", "TotalCount": 1, "PageNumber": 1, "PageSize": 10,
        "Instances": {"Instance": [{
            "InstanceId": "i-1", "Status": "Running", "RegionId": "cn-beijing", "ZoneId": "cn-beijing-h",
            "PublicIpAddress": {"IpAddress": ["198.51.100.7"]}, "InnerIpAddress": {"IpAddress": []},
            "VpcAttributes": {
                "VpcId": "vpc-1", "VSwitchId": "vsw-1", "NatIpAddress": "",
                "PrivateIpAddress": {"IpAddress": ["172.16.0.9"]},
            },
            "EipAddress": {"IpAddress": "", "AllocationId": "", "InternetChargeType": ""},
            "SecurityGroupIds": {"SecurityGroupId": ["sg-1"]},
            "OperationLocks": {"LockReason": [{"LockReason": "financial"}]},
            "Tags": {"Tag": [{"TagKey": "kiln-run", "TagValue": "7f3a"}]},
            "Cpu": 2, "SomethingNew": {"x": []},
        }]},
    }))])
    .await;
    let request = DescribeInstances { instance_ids: vec!["i-1".into()], ..Default::default() };
    let answer = fake.client().ecs("cn-beijing").describe_instances(&request).await.unwrap();
    let instance: &Instance = &answer.instances[0];
    assert_eq!(instance.public_address(), Some("198.51.100.7"));
    assert_eq!(instance.private_address(), Some("172.16.0.9"));
    assert_eq!(instance.vpc_attributes.vswitch_id, "vsw-1");
    assert_eq!(instance.operation_locks[0].lock_reason, "financial");
    assert_eq!(instance.tags, [Tag::new("kiln-run", "7f3a")]);
    let seen = &fake.seen()[0];
    assert_eq!(seen.params()["InstanceIds"], r#"["i-1"]"#);
    assert_eq!(
        (seen.action().as_str(), seen.headers["x-acs-version"].as_str()),
        ("DescribeInstances", "2014-05-26")
    );
}

#[tokio::test]
async fn vpc_calls_name_their_own_version_and_region() {
    let fake = Fake::start([
        ok(json!({"TotalCount": 1, "VSwitches": {"VSwitch": [{"VSwitchId": "vsw-1", "Status": "Available"}]}})),
        ok(json!({"TotalCount": 1, "EipAddresses": {"EipAddress": [
            {"AllocationId": "eip-1", "IpAddress": "198.51.100.8", "Status": "InUse", "Tags": {"Tag": [{"Key": "a", "Value": "b"}]}}
        ]}})),
    ])
    .await;
    let vpc = fake.client().vpc("cn-hangzhou");
    let switches = vpc.describe_vswitches(&DescribeVSwitches::default()).await.unwrap();
    assert_eq!(switches.vswitches[0].vswitch_id, "vsw-1");
    let addresses = vpc.describe_eip_addresses(&DescribeEipAddresses::default()).await.unwrap();
    assert_eq!(addresses.eip_addresses[0].tags, [Tag::new("a", "b")]);
    for seen in fake.seen() {
        assert_eq!(
            (seen.headers["x-acs-version"].as_str(), seen.query.as_str()),
            ("2016-04-28", "RegionId=cn-hangzhou")
        );
    }
}

#[tokio::test]
async fn an_assumed_role_gives_credentials() {
    let fake = Fake::start([ok(json!({
        "RequestId": "R",
        "AssumedRoleUser": {"Arn": "acs:sts::1:assumed-role/r/s", "AssumedRoleId": "3:s"},
        "Credentials": {
            "AccessKeyId": "STS.x", "AccessKeySecret": "s", "SecurityToken": "t", "Expiration": "2026-01-02T09:04:05Z",
        },
    }))])
    .await;
    let request = AssumeRole {
        role_arn: "acs:ram::1:role/r".into(),
        role_session_name: "s".into(),
        ..Default::default()
    };
    let answer = fake.client().sts().assume_role(&request).await.unwrap();
    assert_eq!(answer.credentials.expiration.to_string(), "2026-01-02T09:04:05Z");
    let credentials = alicloud_api::Credentials::from(&answer.credentials);
    assert_eq!(credentials.security_token.unwrap().expose(), "t");
    assert!(!fake.seen()[0].params().contains_key("RegionId"), "Sts knows no regions");
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let page = |ids: std::ops::Range<u32>| {
        let images: Vec<_> = ids.map(|id| json!({"ImageId": format!("m-{id}")})).collect();
        ok(json!({"TotalCount": 205, "Images": {"Image": images}}))
    };
    let fake = Fake::start([page(0..100), page(100..200), page(200..205)]).await;
    let images = fake.client().ecs("cn-beijing").all(&DescribeImages::default()).await.unwrap();
    assert_eq!((images.len(), images[204].image_id.as_str()), (205, "m-204"));
    let pages: Vec<_> = fake.seen().iter().map(|seen| seen.params()["PageNumber"].clone()).collect();
    assert_eq!(pages, ["1", "2", "3"]);

    let tag = |id: &str, next: &str| {
        let found = json!([{"ResourceId": id, "ResourceType": "image", "TagKey": "a", "TagValue": "b"}]);
        ok(json!({"NextToken": next, "TagResources": {"TagResource": found}}))
    };
    let fake = Fake::start([tag("m-1", "n2"), tag("m-2", "")]).await;
    let request = ListTagResources { resource_type: ResourceType::Image, ..Default::default() };
    let tags = fake.client().ecs("cn-beijing").all(&request).await.unwrap();
    assert_eq!(tags.iter().map(|tag| tag.resource_id.as_str()).collect::<Vec<_>>(), ["m-1", "m-2"]);
    assert_eq!(fake.seen()[1].params()["NextToken"], "n2");
}

#[tokio::test]
async fn a_list_without_end_is_an_error() {
    let page = ok(json!({"TotalCount": 1_000_000, "Images": {"Image": [{"ImageId": "m-1"}]}}));
    let fake = Fake::start(vec![page; 150]).await;
    let error = fake.client().ecs("cn-beijing").all(&DescribeImages::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "DescribeImages: more than 100 pages; narrow the filter");
}

#[test]
fn futures_may_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let config = alicloud_api::ClientConfig::new(alicloud_api::Credentials::new("a", "b"), "cn-beijing");
    let client = alicloud_api::Client::new(config).unwrap();
    let ecs = client.ecs("cn-beijing");
    is_send(ecs.run_instances(&RunInstances::default()));
    is_send(ecs.all(&DescribeImages::default()));
    let wait = alicloud_api::Wait {
        what: "nothing".to_owned(),
        deadline: std::time::Duration::ZERO,
        pace: client.pace(),
        tolerated: &[],
        cancel: Default::default(),
    };
    is_send(alicloud_api::wait_until(wait, || async {
        let answer = ecs.describe_instances(&DescribeInstances::default()).await?;
        Ok(alicloud_api::Verdict::Done(answer.total_count))
    }));
}
