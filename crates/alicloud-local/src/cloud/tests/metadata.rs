//! What machines find out about themselves, and who reaches them.

use serde_json::Value;

use super::world::{Client, World};
use crate::Reach;

const BEIJING: (&str, &str) = ("RegionId", "cn-beijing");
const ROLES: &str = "latest/meta-data/ram/security-credentials/";

async fn ask(world: &World, base: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = world.client.http.get(format!("{base}/{path}"));
    if let Some(token) = token {
        request = request.header("X-aliyun-ecs-metadata-token", token);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn token(world: &World, base: &str, seconds: &str) -> (u16, String) {
    let request = world.client.http.put(format!("{base}/latest/api/token"));
    let answer = request.header("X-aliyun-ecs-metadata-token-ttl-seconds", seconds).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Calls an action with the keys that the service gave.
async fn identity(world: &World, keys: &str) -> Value {
    let keys: Value = serde_json::from_str(keys).unwrap();
    assert_eq!(keys["Code"], "Success");
    let part = |name: &str| keys[name].as_str().unwrap().to_owned();
    let mut client = Client::new(&world.client.endpoint, (part("AccessKeyId"), part("AccessKeySecret")));
    client.token = Some(part("SecurityToken"));
    client.call("GetCallerIdentity", &[]).await.unwrap().1
}

#[tokio::test]
async fn the_machine_of_the_build_has_a_role_and_its_keys_are_renewed() {
    let inventory = r#"{"uid": "1000000000000001", "roles": [{"name": "builder"}], "builder": {"role": "builder", "region": "cn-beijing"}}"#;
    let world = World::with(inventory, None).await;
    let base = world.cloud.metadata_endpoint();
    assert_eq!(ask(&world, &base, "latest/meta-data/region-id", None).await, (200, "cn-beijing".to_owned()));
    assert_eq!(ask(&world, &base, "latest/meta-data/none", None).await.0, 404);
    assert_eq!(token(&world, &base, "0").await.0, 400);
    assert_eq!(token(&world, &base, "21601").await.0, 400);
    let (_, token) = token(&world, &base, "60").await;
    assert_eq!(ask(&world, &base, ROLES, Some(&token)).await, (200, "builder".to_owned()));
    let role = format!("{ROLES}builder");
    let (_, first) = ask(&world, &base, &role, Some(&token)).await;
    let who = identity(&world, &first).await;
    assert_eq!(
        (who["IdentityType"].as_str(), who["AccountId"].as_str()),
        (Some("AssumedRoleUser"), Some("1000000000000001"))
    );
    assert!(first.contains(r#""Expiration":"2026-01-02T09:04:00Z""#), "{first}");
    world.pass(60).await;
    assert_eq!(ask(&world, &base, &role, Some(&token)).await.0, 401);
    // The older form asks for no token; the keys are the same until an hour before their end.
    assert_eq!(ask(&world, &base, &role, None).await.1, first);
    world.pass(5 * 3600).await;
    let (_, second) = ask(&world, &base, &role, None).await;
    assert_ne!(second, first);
    identity(&world, &first).await;
    identity(&world, &second).await;
    assert_eq!(ask(&world, &base, &format!("{ROLES}other"), None).await.0, 404);
}

#[tokio::test]
async fn the_newer_form_can_be_required() {
    let inventory =
        r#"{"roles": [{"name": "builder"}], "builder": {"role": "builder", "require_token": true}}"#;
    let world = World::with(inventory, None).await;
    let base = world.cloud.metadata_endpoint();
    assert_eq!(ask(&world, &base, ROLES, None).await.0, 403);
    let (_, token) = token(&world, &base, "21600").await;
    assert_eq!(ask(&world, &base, ROLES, Some(&token)).await.0, 200);
}

#[tokio::test]
async fn an_instance_gets_keys_of_its_own_role() {
    let world = World::with(r#"{"roles": [{"name": "packer-test"}]}"#, None).await;
    let (_, vswitch, group) = world.network().await;
    let id =
        world.instance(&vswitch, &group, &[("RamRoleName", "packer-test"), ("HttpTokens", "required")]).await;
    world.pass(30).await;
    world.asked("boot on 0 layers with 0 keys").await;
    let log = world.log.lock().unwrap().clone();
    let base = log.iter().find_map(|line| line.strip_prefix("metadata at ")).unwrap();
    assert_eq!(ask(&world, base, "latest/meta-data/instance-id", None).await.0, 403);
    let (_, token) = token(&world, base, "60").await;
    assert_eq!(ask(&world, base, "latest/meta-data/instance-id", Some(&token)).await, (200, id.clone()));
    let (_, keys) = ask(&world, base, &format!("{ROLES}packer-test"), Some(&token)).await;
    let arn = identity(&world, &keys).await["Arn"].as_str().unwrap().to_owned();
    assert!(arn.ends_with(&format!(":assumed-role/packer-test/{id}")), "{arn}");
    // Neither the token nor a path that is made up opens another machine's.
    let builder = world.cloud.metadata_endpoint();
    assert_eq!(ask(&world, &builder, "latest/meta-data/instance-id", Some(&token)).await.0, 401);
    assert_eq!(ask(&world, &format!("{builder}/i/0"), "latest/meta-data/instance-id", None).await.0, 404);
}

#[tokio::test]
async fn security_groups_let_in_by_the_builders_address() {
    let world = World::with(r#"{"builder": {"address": "203.0.113.7"}}"#, None).await;
    let asked =
        world.client.http.get(format!("{}/_local/address", world.client.endpoint)).send().await.unwrap();
    assert_eq!(asked.text().await.unwrap(), "203.0.113.7");
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[]).await;
    let address = world.describe(&id).await["VpcAttributes"]["PrivateIpAddress"]["IpAddress"][0].clone();
    let address = address.as_str().unwrap();
    let rule = |block: &'static str, policy: &'static str, priority: &'static str| {
        [
            BEIJING,
            ("SecurityGroupId", &group),
            ("IpProtocol", "tcp"),
            ("PortRange", "22/22"),
            ("SourceCidrIp", block),
            ("Policy", policy),
            ("Priority", priority),
        ]
    };
    assert_eq!(world.cloud.reach(address, 22), Reach::Dropped);
    world.ok("AuthorizeSecurityGroup", &rule("198.51.100.0/24", "accept", "1")).await;
    assert_eq!(world.cloud.reach(address, 22), Reach::Dropped);
    world.ok("AuthorizeSecurityGroup", &rule("203.0.113.7/32", "accept", "2")).await;
    assert_eq!(world.cloud.reach(address, 22), Reach::Refused, "it is not up yet");
    world.pass(30).await;
    world.asked("boot on 0 layers with 0 keys").await;
    while !matches!(world.cloud.reach(address, 22), Reach::Open(_)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.cloud.reach(address, 80), Reach::Dropped);
    world.ok("AuthorizeSecurityGroup", &rule("203.0.0.0/8", "drop", "1")).await;
    assert_eq!(world.cloud.reach(address, 22), Reach::Dropped);
    assert_eq!(world.cloud.reach("192.0.2.1", 22), Reach::Unknown);
}
