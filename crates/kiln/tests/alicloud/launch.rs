//! From the template to a running instance: which type and zone, whose network, which address, from where it may be
//! reached.

use alicloud_local::{AddressMode, CallRecord, FaultEffect, FaultRule};

use super::fixture::{TestCloud, shell, template};
use crate::support::Output;

const TYPE: &str = "ecs.t5-lc1m1.small";

/// Refuses instances: `with` says which.
fn refuse(cloud: &TestCloud, code: &str, with: &[(&str, &str)], times: u64) {
    let effect = FaultEffect::Refuse { code: code.to_owned(), message: None, status: None };
    let with = with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    cloud.add_fault(FaultRule { with, times, ..FaultRule::new("RunInstances", effect) });
}

fn build(cloud: &TestCloud, fields: &str) -> Output {
    cloud.world_with(&template(fields, &shell("true"))).kiln(&["build", "-color=false", "t.json"])
}

#[track_caller]
fn builds(cloud: &TestCloud, fields: &str) -> Output {
    let output = build(cloud, fields);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    cloud.assert_only_images(&output.stdout);
    output
}

#[track_caller]
fn fails(cloud: &TestCloud, fields: &str) -> String {
    let output = build(cloud, fields);
    let said = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, 1, "{said}");
    cloud.assert_empty(&said);
    said
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
}

fn calls(cloud: &TestCloud, action: &str) -> Vec<CallRecord> {
    cloud.calls().into_iter().filter(|call| call.action == action).collect()
}

/// Returns the values of a parameter of all calls of an action; `-` where it was not sent.
fn sent(cloud: &TestCloud, action: &str, name: &str) -> Vec<String> {
    let value = |call: CallRecord| call.params.get(name).map_or("-".to_owned(), ToString::to_string);
    calls(cloud, action).into_iter().map(value).collect()
}

#[test]
fn a_zone_without_stock_is_followed_by_the_next_with_another_token() {
    let cloud = TestCloud::start();
    refuse(&cloud, "OperationDenied.NoStock", &[], 1);
    let output = builds(&cloud, "");
    says(
        &output.stderr,
        &["The cloud refused with OperationDenied.NoStock; asking for `ecs.t5-lc1m1.small` in `"],
    );
    let (zones, tokens) =
        (sent(&cloud, "RunInstances", "ZoneId"), sent(&cloud, "RunInstances", "ClientToken"));
    assert_eq!(zones.len(), 2);
    assert!(zones[0] != zones[1] && tokens[0] != tokens[1], "{zones:?} {tokens:?}");
    // The vSwitch of the first zone goes with the run like everything temporary.
    assert_eq!(calls(&cloud, "CreateVSwitch").len(), 2);
}

#[test]
fn a_zone_that_says_it_is_sold_out_is_not_asked() {
    let cloud = TestCloud::with(
        r#"{"sold_out": [{"zone": "cn-beijing-a"}, {"zone": "cn-beijing-b", "instance_type": "ecs.g6.large"}]}"#,
    );
    let _ = builds(&cloud, "");
    assert!(!sent(&cloud, "RunInstances", "ZoneId").contains(&"cn-beijing-a".to_owned()));
    assert_eq!(calls(&cloud, "RunInstances").len(), 1);
}

#[test]
fn the_next_type_is_asked_for_when_the_image_does_not_suit_the_first() {
    let cloud = TestCloud::start();
    refuse(&cloud, "InvalidParameter.NotMatch", &[("InstanceType", TYPE)], 0);
    let output = builds(&cloud, r#""instance_types": ["ecs.g6.large", "ecs.t5-lc1m1.small"]"#);
    says(&output.stderr, &["refused with InvalidParameter.NotMatch; asking for `ecs.g6.large` in `"]);
    // Another zone would change nothing about the image.
    assert_eq!(sent(&cloud, "RunInstances", "InstanceType"), [TYPE, "ecs.g6.large"]);
}

#[test]
fn everything_that_was_tried_is_named() {
    let cloud = TestCloud::start();
    refuse(&cloud, "OperationDenied.NoStock", &[], 0);
    let said = fails(&cloud, r#""zone_id": "cn-beijing-a", "instance_types": ["ecs.g6.large"]"#);
    says(
        &said,
        &[
            "Error creating instance: SDK.ServerError\n",
            "2 were tried: `ecs.t5-lc1m1.small` in `cn-beijing-a` (OperationDenied.NoStock), `ecs.g6.large` in \
             `cn-beijing-a` (OperationDenied.NoStock)",
        ],
    );
}

#[test]
fn what_another_zone_would_not_change_is_not_tried_there() {
    let cloud = TestCloud::start();
    refuse(&cloud, "InvalidAccountStatus.NotEnoughBalance", &[], 0);
    let said = fails(&cloud, "");
    says(&said, &["ErrorCode: InvalidAccountStatus.NotEnoughBalance", "top up the account's balance"]);
    assert_eq!(calls(&cloud, "RunInstances").len(), 1);
}

#[test]
fn an_answer_that_was_lost_is_not_tried_elsewhere() {
    let cloud = TestCloud::start();
    cloud.add_fault(FaultRule::new("RunInstances", FaultEffect::DropAfter));
    let _ = builds(&cloud, "");
    let tokens = sent(&cloud, "RunInstances", "ClientToken");
    assert!(tokens.len() == 2 && tokens[0] == tokens[1], "{tokens:?}");
}

#[test]
fn a_spot_instance_is_asked_for_and_an_ordinary_one_taken_instead() {
    let cloud = TestCloud::start();
    refuse(&cloud, "OperationDenied.NoStock", &[("SpotStrategy", "SpotWithPriceLimit")], 0);
    let fields =
        r#""zone_id": "cn-beijing-a", "spot_strategy": "spotwithpricelimit", "spot_price_limit": 0.05"#;
    let output = builds(&cloud, fields);
    says(&output.stderr, &["asking for `ecs.t5-lc1m1.small` in `cn-beijing-a`."]);
    assert_eq!(sent(&cloud, "RunInstances", "SpotStrategy"), ["SpotWithPriceLimit", "-"]);
    assert_eq!(sent(&cloud, "RunInstances", "SpotPriceLimit"), ["0.05", "-"]);

    let cloud = TestCloud::start();
    refuse(&cloud, "OperationDenied.NoStock", &[("SpotStrategy", "SpotAsPriceGo")], 0);
    let fields = r#""zone_id": "cn-beijing-a", "spot_strategy": "SpotAsPriceGo", "spot_fallback": false"#;
    let _ = fails(&cloud, fields);
    assert_eq!(sent(&cloud, "RunInstances", "SpotStrategy"), ["SpotAsPriceGo"]);
}

#[test]
fn fields_of_the_launch_are_passed_on_as_the_api_spells_them() {
    let cloud = TestCloud::start();
    let fields = r#""http_tokens": "Required", "internet_charge_type": "paybytraffic",
        "security_enhancement_strategy": "deactive", "run_tags": {"team": "images"}, "internet_max_bandwidth_out": 7"#;
    let _ = builds(&cloud, fields);
    let is = |name: &str, value: &str| assert_eq!(sent(&cloud, "RunInstances", name), [value], "{name}");
    is("HttpTokens", "required");
    is("InternetChargeType", "PayByTraffic");
    is("SecurityEnhancementStrategy", "Deactive");
    is("InternetMaxBandwidthOut", "7");
    for action in ["RunInstances", "CreateVpc", "CreateVSwitch", "CreateSecurityGroup", "ImportKeyPair"] {
        let call = calls(&cloud, action).remove(0);
        let tags: Vec<String> = call.params.values().map(ToString::to_string).collect();
        assert!(tags.iter().any(|value| value == "images"), "{action}: {:?}", call.params);
    }
}

#[test]
fn the_group_lets_in_this_machine_alone_where_its_address_is_known() {
    let from = |cloud: &TestCloud| sent(cloud, "AuthorizeSecurityGroup", "Permissions.1.SourceCidrIp");
    // Nobody tells the address.
    let cloud = TestCloud::start();
    let output = builds(&cloud, "");
    assert_eq!(from(&cloud), ["0.0.0.0/0"]);
    says(&output.stderr, &["in from 0.0.0.0/0 (this machine's address is not known;"]);
    // The environment names an endpoint that does.
    let url = format!("{}/_local/address", cloud.endpoint());
    let world = cloud.world_with(&template("", &shell("true"))).env("KILN_ADDRESS_URL", &url);
    let output = world.kiln(&["build", "-color=false", "-force", "t.json"]);
    says(&output.stderr, &["in from 127.0.0.1/32 (this machine's address, says http://127.0.0.1:"]);
    let _ = output.expect(0);
    assert_eq!(from(&cloud), ["0.0.0.0/0", "127.0.0.1/32"]);
    // The template names blocks.
    let cloud = TestCloud::start();
    let _ = builds(&cloud, r#""temporary_security_group_source_cidrs": ["127.0.0.1", "203.0.113.9/24"]"#);
    assert_eq!(from(&cloud), ["127.0.0.1/32"]);
    assert_eq!(sent(&cloud, "AuthorizeSecurityGroup", "Permissions.2.SourceCidrIp"), ["203.0.113.0/24"]);
}

#[test]
fn an_address_that_is_wanted_and_not_told_ends_the_build() {
    let cloud = TestCloud::start();
    let fields = r#""temporary_security_group_source_public_ip": true"#;
    let world = cloud.world_with(&template(fields, "")).env("KILN_ADDRESS_URL", "http://127.0.0.1:1/");
    let output = world.kiln(&["build", "-color=false", "t.json"]);
    let said = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, 1, "{said}");
    says(&said, &["find out this machine's public address", "temporary_security_group_source_cidrs"]);
    cloud.assert_empty(&said);
}

const OWNED: &str = r#"{
    "vpcs": [{"id": "vpc-own", "region": "cn-beijing"}, {"id": "vpc-other", "region": "cn-beijing"}],
    "vswitches": [{"id": "vsw-own", "vpc": "vpc-own", "zone": "cn-beijing-a"}],
    "security_groups": [{"id": "sg-own", "vpc": "vpc-own"}],
    "eips": [{"id": "eip-own", "region": "cn-beijing", "address": "127.77.0.9"}]
}"#;

/// Starts a cloud whose account owns a network; its group lets SSH in.
fn owning() -> TestCloud {
    TestCloud::with_options(OWNED, |options| {
        if let (AddressMode::Loopback { port }, Some(inventory)) =
            (&options.addresses, &mut options.inventory)
        {
            inventory.account.security_groups[0].open_ports = vec![*port];
        }
    })
}

/// Builds in what the account owns; nothing of it may be gone afterwards.
#[track_caller]
fn builds_in_owned(fields: &str) -> (TestCloud, Output) {
    let cloud = owning();
    let before = cloud.inventory().leftovers();
    let output = build(&cloud, fields);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    assert_eq!(cloud.inventory().leftovers(), before, "{}", output.stdout);
    (cloud, output)
}

#[test]
fn a_vswitch_or_a_group_alone_names_its_vpc() {
    let (cloud, _) = builds_in_owned(r#""vswitch_id": "vsw-own""#);
    assert!(calls(&cloud, "CreateVpc").is_empty() && calls(&cloud, "CreateVSwitch").is_empty());
    assert_eq!(sent(&cloud, "CreateSecurityGroup", "VpcId"), ["vpc-own"]);
    assert_eq!(sent(&cloud, "RunInstances", "ZoneId"), ["cn-beijing-a"]);

    let (cloud, _) = builds_in_owned(r#""security_group_id": "sg-own""#);
    assert!(calls(&cloud, "CreateVpc").is_empty() && calls(&cloud, "CreateSecurityGroup").is_empty());
    assert_eq!(sent(&cloud, "CreateVSwitch", "VpcId"), ["vpc-own"]);
}

#[test]
fn what_does_not_exist_or_fit_is_told() {
    for (fields, parts) in [
        (r#""vpc_id": "vpc-none""#, ["The specified vpc {vpc-none} doesn't exist.", "check `vpc_id`"]),
        (
            r#""vswitch_id": "vsw-none""#,
            ["The specified vswitch {vsw-none} doesn't exist.", "check `vswitch_id`"],
        ),
        (
            r#""security_group_id": "sg-none""#,
            ["The specified security group {sg-none} doesn't exist.", "check `security_group_id`"],
        ),
        (
            r#""vpc_id": "vpc-other", "security_group_id": "sg-own""#,
            ["The specified security group {sg-own} doesn't exist.", "it is in VPC `vpc-own`"],
        ),
        (
            r#""vswitch_id": "vsw-own", "zone_id": "cn-beijing-b""#,
            ["The specified vswitch {vsw-own} doesn't exist.", "it is in zone `cn-beijing-a`"],
        ),
        (r#""eip_id": "eip-none""#, ["The specified EIP {eip-none} doesn't exist.", "check `eip_id`"]),
    ] {
        let cloud = owning();
        let output = build(&cloud, fields);
        let said = format!("{}\n{}", output.stdout, output.stderr);
        assert_eq!(output.code, 1, "{said}");
        says(&said, &parts);
        assert!(calls(&cloud, "RunInstances").is_empty(), "{said}");
    }
}

#[test]
fn a_borrowed_address_is_bound_when_it_is_free_and_stays() {
    let (cloud, output) = builds_in_owned(r#""eip_id": "eip-own""#);
    says(&output.stdout, &["Querying EIP...", "Using EIP: ", "Cleaning up 'EIP association'"]);
    assert_eq!(sent(&cloud, "RunInstances", "InternetMaxBandwidthOut"), ["-"]);
    assert!(calls(&cloud, "ReleaseEipAddress").is_empty());

    // Something else is still being done to it.
    let cloud = owning();
    let effect = FaultEffect::Refuse { code: "TaskConflict".to_owned(), message: None, status: None };
    cloud.add_fault(FaultRule { times: 2, ..FaultRule::new("AssociateEipAddress", effect) });
    let output = build(&cloud, r#""eip_id": "eip-own""#);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    assert_eq!(calls(&cloud, "AssociateEipAddress").len(), 3);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_asked() {
    for (fields, parts) in [
        (r#""ssh_private_ip": true"#, ["in a temporary VPC cannot be reached", "name an existing `vpc_id`"]),
        (
            r#""associate_public_ip_address": false"#,
            ["in a temporary VPC cannot be reached", "name an existing `vpc_id`"],
        ),
        (
            r#""internet_charge_type": "PayByTrafic""#,
            ["internet_charge_type is `PayByTrafic`", "`PayByTraffic` meant"],
        ),
        (r#""http_tokens": "yes""#, ["http_tokens is `yes`", "one of optional, required"]),
        (r#""spot_strategy": "SpotWithPriceLimit""#, ["needs a spot_price_limit", "such as 0.05"]),
        (r#""spot_price_limit": 1"#, ["spot_price_limit has no effect with NoSpot", "`SpotWithPriceLimit`"]),
        (
            r#""ssh_password": "secret""#,
            ["ssh_password is not one that the cloud takes", "8 to 30 characters"],
        ),
        (r#""internet_max_bandwidth_out": 200"#, ["internet_max_bandwidth_out is 200", "at most 100 Mbit/s"]),
        (
            r#""temporary_security_group_source_cidrs": ["office"]"#,
            ["`office` is no IPv4 address or block", "203.0.113.7"],
        ),
        (r#""run_tags": {"acs:x": "1"}"#, ["`acs:x` cannot be the key of a tag", "not beginning with"]),
        (r#""ssh_host_key": "consol""#, ["ssh_host_key is `consol`", "is `console` meant?"]),
        (
            r#""ssh_host_key": "user-data", "user_data": "[powershell]""#,
            ["cannot be combined with this user data", "use `console`"],
        ),
    ] {
        let cloud = TestCloud::start();
        says(&fails(&cloud, fields), &parts);
        assert!(cloud.calls().is_empty());
    }
}
