//! Signatures, times, nonces, tokens and forms of answers.

use super::world::{Client, World, nonce};
use crate::http::{encoded, sign_rpc};

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Calls in the older form and returns status and text.
async fn older(world: &World, secret: &str, more: &[(&str, &str)]) -> (u16, String) {
    let (id, _) = world.cloud.credentials();
    let mut params: Vec<(String, String)> = [
        ("Action", "DescribeRegions".to_owned()),
        ("Version", "2014-05-26".to_owned()),
        ("AccessKeyId", id),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureVersion", "1.0".to_owned()),
        ("SignatureNonce", nonce()),
        ("Timestamp", now()),
        ("SignatureType", String::new()),
    ]
    .into_iter()
    .filter(|(name, _)| !more.iter().any(|(other, _)| other == name))
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    params.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    params.retain(|(_, value)| value != "absent");
    let signature = sign_rpc("GET", &params, secret);
    params.push(("Signature".to_owned(), signature));
    let query: Vec<String> =
        params.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let url = format!("{}/?{}", world.client.endpoint, query.join("&"));
    let response = world.client.http.get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_older_form_answers_in_xml_or_json() {
    let world = World::new().await;
    let (_, secret) = world.cloud.credentials();
    let (status, text) = older(&world, &secret, &[]).await;
    assert_eq!(status, 200);
    assert!(
        text.contains("<DescribeRegionsResponse><Regions><Region><RegionId>cn-qingdao</RegionId>"),
        "{text}"
    );
    let (status, text) = older(&world, &secret, &[("Format", "json")]).await;
    assert_eq!(status, 200);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["Regions"]["Region"][0]["RegionId"], "cn-qingdao");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn the_older_form_is_refused_for_each_thing_that_is_wrong() {
    let world = World::new().await;
    let (_, secret) = world.cloud.credentials();
    type Case = (&'static [(&'static str, &'static str)], u16, &'static str);
    let cases: &[Case] = &[
        (&[("AccessKeyId", "nobody")], 404, "InvalidAccessKeyId.NotFound"),
        (&[("AccessKeyId", "absent")], 400, "MissingAccessKeyId"),
        (&[("Timestamp", "2020-01-01T00:00:00Z")], 400, "InvalidTimeStamp.Expired"),
        (&[("Timestamp", "yesterday")], 400, "InvalidTimeStamp.Format"),
        (&[("SignatureNonce", "absent")], 400, "MissingSignatureNonce"),
        (&[("SignatureMethod", "HMAC-MD5")], 400, "IncompleteSignature"),
        (&[("SecurityToken", "made up")], 400, "InvalidSecurityToken.MismatchWithAccessKey"),
        (&[("Version", "2000-01-01")], 400, "InvalidVersion"),
        (&[("Action", "DescribeEverything")], 404, "InvalidAction.NotFound"),
        (&[("Action", "DescribeZones")], 400, "MissingRegionId"),
        (&[("Action", "DescribeZones"), ("RegionId", "cn-atlantis")], 404, "InvalidRegionId.NotFound"),
    ];
    for (params, status, code) in cases {
        let json = [params, &[("Format", "JSON")][..]].concat();
        let (seen, text) = older(&world, &secret, &json).await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((seen, answer["Code"].as_str().unwrap()), (*status, *code), "{params:?}");
        assert!(
            answer["RequestId"].is_string()
                && answer["Recommend"].is_string()
                && answer["HostId"].is_string()
        );
    }
    let (_, text) = older(&world, "wrong", &[("Format", "JSON")]).await;
    assert!(text.contains("server string to sign is:GET&%2F&AccessKeyId%3D"), "{text}");
    assert!(text.contains("SignatureDoesNotMatch"), "{text}");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_nonce_is_good_for_one_call() {
    let world = World::new().await;
    let date = now();
    let once = world.client.call_with("DescribeRegions", &[], &date, "n-1").await.unwrap();
    assert_eq!(once.0, 200);
    let (status, answer) = world.client.call_with("DescribeRegions", &[], &date, "n-1").await.unwrap();
    assert_eq!((status, answer["Code"].as_str()), (400, Some("SignatureNonceUsed")));
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn the_newer_form_is_refused_for_a_wrong_key_and_an_old_date() {
    let world = World::new().await;
    let (id, _) = world.cloud.credentials();
    let wrong = Client::new(&world.client.endpoint, (id, "wrong".to_owned()));
    let (_, answer) = wrong.call("DescribeRegions", &[]).await.unwrap();
    assert_eq!(answer["Code"], "SignatureDoesNotMatch");
    assert!(answer["Message"].as_str().unwrap().contains("server string to sign is:ACS3-HMAC-SHA256"));
    let nobody = Client::new(&world.client.endpoint, ("nobody".to_owned(), "x".to_owned()));
    let (status, answer) = nobody.call("DescribeRegions", &[]).await.unwrap();
    assert_eq!((status, answer["Code"].as_str()), (404, Some("InvalidAccessKeyId.NotFound")));
    let old = world.client.call_with("DescribeRegions", &[], "2020-01-01T00:00:00Z", "n-2").await.unwrap();
    assert_eq!(old.1["Code"], "InvalidTimeStamp.Expired");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_role_of_another_account_is_assumed_and_acts_there() {
    let inventory = r#"{
        "uid": "1000000000000001",
        "accounts": [{
            "uid": "1000000000000002",
            "roles": [{"name": "builder"}],
            "vpcs": [{"id": "vpc-there", "region": "cn-beijing"}]
        }]
    }"#;
    let world = World::with(inventory, None).await;
    let identity = world.ok("GetCallerIdentity", &[]).await;
    assert_eq!(identity["AccountId"], "1000000000000001");
    let role = [("RoleArn", "acs:ram::1000000000000002:role/builder"), ("RoleSessionName", "kiln")];
    let assumed = world.ok("AssumeRole", &role).await;
    let part = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
    let mut client = Client::new(&world.client.endpoint, (part("AccessKeyId"), part("AccessKeySecret")));
    let (_, answer) = client.call("DescribeVpcs", &[("RegionId", "cn-beijing")]).await.unwrap();
    assert_eq!(answer["Code"], "MissingSecurityToken");
    client.token = Some(part("SecurityToken"));
    let (_, answer) = client.call("DescribeVpcs", &[("RegionId", "cn-beijing")]).await.unwrap();
    assert_eq!(answer["Vpcs"]["Vpc"][0]["VpcId"], "vpc-there");
    let none = [("RoleArn", "acs:ram::1000000000000002:role/none"), ("RoleSessionName", "kiln")];
    assert_eq!(world.refused("AssumeRole", &none).await, "EntityNotExist.Role");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn the_location_service_tells_host_names() {
    let world = World::new().await;
    let asked = [("Id", "cn-beijing"), ("ServiceCode", "ecs"), ("Type", "openAPI")];
    let answer = world.ok("DescribeEndpoints", &asked).await;
    assert_eq!(answer["Endpoints"]["Endpoint"][0]["Endpoint"], "ecs.cn-beijing.aliyuncs.com");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_parameter_that_the_action_does_not_have_is_refused_unless_that_is_switched_off() {
    let world = World::new().await;
    let misspelt = [("RegionId", "cn-beijing"), ("VpcName", "net"), ("CidrBlok", "172.16.0.0/16")];
    assert_eq!(world.refused("CreateVpc", &misspelt).await, "InvalidParameter.Unknown");
    let nested = [("RegionId", "cn-beijing"), ("Tag.1.Name", "a")];
    assert_eq!(world.refused("CreateVpc", &nested).await, "InvalidParameter.Unknown");
    let typed = [("RegionId", "cn-beijing"), ("DryRun", "perhaps")];
    assert_eq!(world.refused("CreateVpc", &typed).await, "InvalidParameter.DryRun");
    assert!(world.cloud.inventory().vpcs.is_empty());
    world.cloud.shutdown().await;
    let lenient = World::started(|options| options.ignore_unknown_parameters = true).await;
    lenient.ok("CreateVpc", &misspelt).await;
    lenient.cloud.shutdown().await;
}
