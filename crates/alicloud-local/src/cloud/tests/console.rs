//! What an instance shows to whoever cannot log in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::world::World;

fn decoded(answer: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(answer[field].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_console_is_told_with_or_without_its_symbols() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[("HostName", "web")]).await;
    let params = [("RegionId", "cn-beijing"), ("InstanceId", id.as_str())];
    let early = world.ok("GetInstanceConsoleOutput", &params).await;
    assert_eq!((early["ConsoleOutput"].as_str(), early["LastUpdateTime"].as_str()), (Some(""), Some("")));
    world.pass(30).await;
    world.asked("boot on 0 layers with 0 keys").await;
    // The machine stands in the list as soon as its boot has returned.
    let mut answer = world.ok("GetInstanceConsoleOutput", &params).await;
    while answer["ConsoleOutput"] == "" {
        tokio::task::yield_now().await;
        answer = world.ok("GetInstanceConsoleOutput", &params).await;
    }
    assert_eq!(decoded(&answer, "ConsoleOutput"), b"\x1b[1mweb\x1b[0m login:");
    // Silent for a minute, and written as Beijing's clocks show it.
    assert_eq!(answer["LastUpdateTime"], "2026-01-02 11:03:34");
    let plain =
        world.ok("GetInstanceConsoleOutput", &[params[0], params[1], ("RemoveSymbols", "true")]).await;
    assert_eq!(decoded(&plain, "ConsoleOutput"), b"web login:");
    assert_eq!(
        world.refused("GetInstanceConsoleOutput", &[params[0], ("InstanceId", "i-other")]).await,
        "InvalidInstanceId.NotFound"
    );
}

#[tokio::test]
async fn the_screen_of_a_running_instance_is_pictured_now_and_then() {
    let world = World::new().await;
    let (_, vswitch, group) = world.network().await;
    let id = world.instance(&vswitch, &group, &[]).await;
    let params = [("RegionId", "cn-beijing"), ("InstanceId", id.as_str())];
    world.pass(5).await;
    assert_eq!(world.refused("GetInstanceScreenshot", &params).await, "IncorrectInstanceStatus");
    world.pass(30).await;
    let picture = decoded(&world.ok("GetInstanceScreenshot", &params).await, "Screenshot");
    assert_eq!(picture[..3], [0xff, 0xd8, 0xff]);
    world.pass(9).await;
    assert_eq!(world.refused("GetInstanceScreenshot", &params).await, "Throttling");
    world.pass(1).await;
    world.ok("GetInstanceScreenshot", &params).await;
}
