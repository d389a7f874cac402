//! What is refused, and with which code: one row a mistake.

use super::world::World;

#[tokio::test]
async fn each_mistake_has_its_code() {
    let inventory = r#"{
        "quotas": {"vpc": 2, "eip": 0},
        "sold_out": [{"instance_type": "ecs.g6.large", "zone": "cn-beijing-h"}],
        "key_pairs": [{"name": "mine", "region": "cn-beijing", "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ me"}],
        "images": [{"id": "m-mine", "region": "cn-beijing", "name": "mine"}]
    }"#;
    let world = World::with(inventory, None).await;
    let (vpc, vswitch, group) = world.network().await;
    let run = |more: &[(&'static str, &str)]| {
        let mut params = vec![
            ("RegionId".to_owned(), "cn-beijing".to_owned()),
            ("ImageId".to_owned(), "m-mine".to_owned()),
            ("InstanceType".to_owned(), "ecs.g7.large".to_owned()),
            ("VSwitchId".to_owned(), vswitch.clone()),
            ("SecurityGroupId".to_owned(), group.clone()),
        ];
        params.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        params.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        ("RunInstances", params)
    };
    let call = |action: &'static str, params: &[(&str, &str)]| {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        (action, params)
    };
    let region = ("RegionId", "cn-beijing");
    let too_long = "x".repeat(65);
    let cases = [
        (run(&[("ImageId", "m-none")]), "InvalidImageId.NotFound"),
        (run(&[("ImageId", "")]), "MissingImageId"),
        (run(&[("InstanceType", "ecs.none")]), "InvalidInstanceType.ValueNotSupported"),
        (run(&[("InstanceType", "")]), "MissingInstanceType"),
        (run(&[("InstanceType", "ecs.g6.large")]), "OperationDenied.NoStock"),
        (run(&[("VSwitchId", "vsw-none")]), "InvalidVSwitchId.NotFound"),
        (run(&[("VSwitchId", "")]), "OperationDenied.NotInVpc"),
        (run(&[("SecurityGroupId", "sg-none")]), "InvalidSecurityGroupId.NotFound"),
        (run(&[("KeyPairName", "none")]), "InvalidKeyPairName.NotFound"),
        (run(&[("ZoneId", "cn-beijing-a")]), "InvalidParameter.ZoneMismatch"),
        (run(&[("Password", "simple")]), "InvalidPassword.Malformed"),
        (run(&[("UserData", "not base64!")]), "InvalidUserData.Base64FormatInvalid"),
        (run(&[("SystemDisk.Size", "5")]), "InvalidSystemDiskSize.LessThanImageSize"),
        (run(&[("SystemDisk.Category", "floppy")]), "InvalidDiskCategory.NotSupported"),
        (run(&[("DataDisk.1.SnapshotId", "s-none")]), "InvalidSnapshotId.NotFound"),
        (run(&[("Tag.1.Key", "acs:mine")]), "InvalidTagKey.Malformed"),
        (run(&[("DryRun", "true")]), "DryRunOperation"),
        (run(&[("RamRoleName", "none")]), "InvalidRamRole.NotEcsRole"),
        (run(&[("ClientToken", &too_long)]), "InvalidParameter.ClientToken"),
        (call("CreateVpc", &[region, ("CidrBlock", "8.8.0.0/16")]), "InvalidCidrBlock.Malformed"),
        (call("CreateVpc", &[region, ("VpcName", "-")]), "InvalidVpcName.Malformed"),
        (call("DeleteVpc", &[("VpcId", "vpc-none")]), "InvalidVpcID.NotFound"),
        (
            call(
                "CreateVSwitch",
                &[("CidrBlock", "172.16.0.0/24"), ("ZoneId", "cn-beijing-h"), ("VpcId", &vpc)],
            ),
            "InvalidCidrBlock.Overlapped",
        ),
        (
            call(
                "CreateVSwitch",
                &[("CidrBlock", "10.0.0.0/24"), ("ZoneId", "cn-beijing-h"), ("VpcId", &vpc)],
            ),
            "InvalidCidrBlock.Malformed",
        ),
        (
            call(
                "CreateVSwitch",
                &[("CidrBlock", "172.16.1.0/24"), ("ZoneId", "cn-hangzhou-h"), ("VpcId", &vpc)],
            ),
            "InvalidZoneId.NotFound",
        ),
        (call("AllocateEipAddress", &[region]), "QuotaExceeded.Eip"),
        (
            call(
                "ImportKeyPair",
                &[
                    region,
                    ("KeyPairName", "mine"),
                    (
                        "PublicKeyBody",
                        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
                    ),
                ],
            ),
            "KeyPair.AlreadyExist",
        ),
        (
            call("ImportKeyPair", &[region, ("KeyPairName", "other"), ("PublicKeyBody", "rubbish")]),
            "InvalidPublicKeyBody.Malformed",
        ),
        (call("DeleteKeyPairs", &[region, ("KeyPairNames", "[\"none\"]")]), "InvalidKeyPairName.NotFound"),
        (call("DeleteKeyPairs", &[region, ("KeyPairNames", "mine")]), "InvalidParameter.KeyPairNames"),
        (
            call(
                "AuthorizeSecurityGroup",
                &[region, ("SecurityGroupId", &group), ("IpProtocol", "tcp"), ("PortRange", "22")],
            ),
            "InvalidParameter.PortRange",
        ),
        (
            call(
                "AuthorizeSecurityGroup",
                &[region, ("SecurityGroupId", &group), ("IpProtocol", "tcp"), ("PortRange", "22/22")],
            ),
            "MissingSourceCidrIp",
        ),
        (call("DeleteInstance", &[("InstanceId", "i-none")]), "InvalidInstanceId.NotFound"),
        (call("DeleteImage", &[region, ("ImageId", "m-none")]), "InvalidImageId.NotFound"),
        (call("DescribeImages", &[region, ("Status", "Nice")]), "InvalidImageStatus.NotSupported"),
        (call("DescribeImages", &[region, ("PageSize", "101")]), "InvalidParameter.PageSize"),
        (
            call("CreateImage", &[region, ("InstanceId", "i-none"), ("ImageName", "mine")]),
            "InvalidImageName.Duplicated",
        ),
        (call("CreateImage", &[region, ("ImageName", "other")]), "MissingInstanceId"),
        (
            call(
                "TagResources",
                &[region, ("ResourceType", "image"), ("ResourceId.1", "m-none"), ("Tag.1.Key", "a")],
            ),
            "InvalidResourceId.NotFound",
        ),
        (call("CreateSecurityGroup", &[region, ("VpcId", "vpc-none")]), "InvalidVpcId.NotFound"),
    ];
    for ((action, params), code) in &cases {
        let params: Vec<(&str, &str)> =
            params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(world.refused(action, &params).await, *code, "{action} {params:?}");
    }
    world.ok("CreateVpc", &[region]).await;
    assert_eq!(world.refused("CreateVpc", &[region]).await, "QuotaExceeded.Vpc");
    assert!(world.cloud.inventory().instances.is_empty());
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn images_are_found_by_what_is_asked() {
    let inventory = r#"{"images": [{"id": "m-a", "region": "cn-beijing", "name": "base", "family": "fam", "tags": {"k": "v"}},
        {"id": "m-b", "region": "cn-beijing", "name": "base-2"}]}"#;
    let world = World::with(inventory, None).await;
    let find = async |params: &[(&str, &str)]| {
        let all = [&[("RegionId", "cn-beijing"), ("PageSize", "100")], params].concat();
        let answer = world.ok("DescribeImages", &all).await;
        let list = answer["Images"]["Image"].as_array().unwrap().clone();
        list.iter().map(|image| image["ImageId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        find(&[("ImageName", "base"), ("ImageOwnerAlias", "self")]).await,
        ["m-a", "m-b"],
        "the name is fuzzy"
    );
    assert_eq!(find(&[("Tag.1.Key", "k"), ("Tag.1.Value", "v")]).await, ["m-a"]);
    assert_eq!(find(&[("ImageFamily", "fam")]).await, ["m-a"]);
    let expired = ("ImageId", "centos_6_10_x64_20G_alibase_20200319.vhd");
    assert!(find(&[expired]).await.is_empty());
    assert_eq!(find(&[expired, ("ShowExpired", "true")]).await.len(), 1);
    assert!(find(&[("ImageOwnerAlias", "marketplace")]).await.is_empty());
    let family = [("RegionId", "cn-beijing"), ("ImageFamily", "acs:centos_7_9_x64")];
    let newest = world.ok("DescribeImageFromFamily", &family).await;
    assert_eq!(newest["Image"]["ImageId"], "centos_7_9_x64_20G_alibase_20240628.vhd");
    let none = [("RegionId", "cn-beijing"), ("ImageFamily", "none")];
    assert!(world.ok("DescribeImageFromFamily", &none).await.get("Image").is_none());
    world.cloud.shutdown().await;
}
