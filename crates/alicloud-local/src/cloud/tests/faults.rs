//! Fault rules and client tokens: what happens to calls that go wrong, and to those made again.

use std::time::Duration;

use super::world::World;
use crate::{FaultEffect, FaultRule};

const CREATE: &[(&str, &str)] =
    &[("RegionId", "cn-beijing"), ("CidrBlock", "172.16.0.0/16"), ("ClientToken", "t-1")];

fn rule(action: &str, effect: FaultEffect) -> FaultRule {
    FaultRule::new(action, effect)
}

fn refusal(code: &str) -> FaultEffect {
    FaultEffect::Refuse { code: code.to_owned(), message: None, status: None }
}

#[tokio::test]
async fn a_call_made_again_with_its_token_creates_nothing_twice() {
    let world = World::new().await;
    let first = world.ok("CreateVpc", CREATE).await;
    let again = world.ok("CreateVpc", CREATE).await;
    assert_eq!(first["VpcId"], again["VpcId"]);
    assert_ne!(first["RequestId"], again["RequestId"]);
    let other = [CREATE, &[("VpcName", "another")]].concat();
    assert_eq!(world.refused("CreateVpc", &other).await, "IdempotentParameterMismatch");
    assert_eq!(world.cloud.inventory().vpcs.len(), 1);
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_lost_answer_has_its_effect_and_the_token_finds_it_again() {
    let world = World::new().await;
    world.cloud.add_fault(rule("CreateVpc", FaultEffect::DropAfter));
    assert!(world.client.call("CreateVpc", CREATE).await.is_err());
    let existing = world.cloud.inventory().vpcs;
    assert_eq!(existing.len(), 1);
    assert_eq!(world.ok("CreateVpc", CREATE).await["VpcId"], existing[0].id.as_str());
    let outcomes: Vec<String> = world.cloud.calls().into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, ["DROPPED", "OK"]);
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn each_fault_has_or_has_not_its_effect() {
    let after = FaultEffect::FailAfter { code: "InternalError".to_owned(), message: None, status: None };
    let cases = [
        (refusal("OperationDenied.NoStock"), Some("OperationDenied.NoStock"), 0),
        (FaultEffect::Throttle, Some("Throttling.User"), 0),
        (FaultEffect::Unavailable, Some("ServiceUnavailable"), 0),
        (FaultEffect::DropBefore, None, 0),
        (after, Some("InternalError"), 1),
        (FaultEffect::DropAfter, None, 1),
    ];
    for (effect, code, created) in cases {
        let world = World::new().await;
        world.cloud.add_fault(rule("CreateVpc", effect.clone()));
        let answer = world.client.call("CreateVpc", CREATE).await;
        let seen = answer.ok().map(|(_, answer)| answer["Code"].as_str().unwrap_or_default().to_owned());
        assert_eq!(seen.as_deref(), code, "{effect:?}");
        assert_eq!(world.cloud.inventory().vpcs.len(), created, "{effect:?}");
        world.cloud.shutdown().await;
    }
}

#[tokio::test]
async fn a_stuck_resource_stays_and_a_failed_image_says_so() {
    let world = World::new().await;
    world.cloud.add_fault(rule("CreateVpc", FaultEffect::Stuck));
    world.ok("CreateVpc", CREATE).await;
    world.pass(1000).await;
    assert_eq!(world.cloud.inventory().vpcs[0].status, "Pending");

    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[]).await;
    world.pass(28).await;
    world.cloud.add_fault(rule("CreateImage", FaultEffect::CreationFails));
    world.ok("CreateImage", &[("RegionId", "cn-beijing"), ("InstanceId", &id)]).await;
    world.asked("capture").await;
    world.pass(60).await;
    assert_eq!(world.cloud.inventory().images[0].status, "CreateFailed");
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn another_process_can_look_and_turn() {
    let world = World::new().await;
    let url = |path: &str| format!("{}/_local/{path}", world.client.endpoint);
    let rule =
        serde_json::json!({"action": "CreateVpc", "effect": {"do": "refuse", "code": "QuotaExceeded.Vpc"}});
    let posted = world.client.http.post(url("faults")).json(&rule).send().await.unwrap();
    assert_eq!(posted.status(), 204);
    assert_eq!(world.refused("CreateVpc", CREATE).await, "QuotaExceeded.Vpc");
    world.ok("CreateVpc", CREATE).await;
    let step = serde_json::json!({"advance_seconds": 2});
    world.client.http.post(url("clock")).json(&step).send().await.unwrap();
    let inventory: crate::InventorySnapshot =
        world.client.http.get(url("inventory")).send().await.unwrap().json().await.unwrap();
    assert_eq!(inventory.vpcs[0].status, "Available");
    let calls: serde_json::Value =
        world.client.http.get(url("calls")).send().await.unwrap().json().await.unwrap();
    assert_eq!(calls[1]["action"], "CreateVpc");
    let page = world.client.http.get(url("calls")).header("origin", "http://a.page").send().await.unwrap();
    assert_eq!(page.status(), 403);
    world.cloud.shutdown().await;
}

#[tokio::test]
async fn a_delayed_answer_comes_late() {
    let world = World::new().await;
    world.cloud.add_fault(rule("DescribeRegions", FaultEffect::Delay { seconds: 0.05 }));
    let began = std::time::Instant::now();
    world.ok("DescribeRegions", &[]).await;
    assert!(began.elapsed() >= Duration::from_millis(50));
    world.cloud.shutdown().await;
}
