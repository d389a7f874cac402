//! The seed that leaves the stopping to others: nobody in its template does it.

use std::sync::Arc;

use alicloud_api::credentials::StaticCredentials;
use alicloud_api::ecs::StopInstance;
use alicloud_api::{Client, ClientConfig, Credentials, CredentialsProvider, Endpoints, Product};

use super::{LOCAL, OWNED, left_by};
use crate::alicloud::fixture::{KEY, SECRET, TestCloud, seed};
use crate::support::World;

#[test]
fn seed_001_disable_stop_ends_with_advice_where_nobody_stops_the_instance() {
    let world = World::with("t.json", &seed("001-disable-stop-instance"));
    let output = world.kiln(&[&["build"], &LOCAL[..], &["t.json"]].concat());
    let said = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, 1, "{said}");
    assert!(!output.stdout.contains("Stopping instance: "), "{said}");
    for part in [
        "==> alicloud-ecs: Waiting instance stopped: i-",
        // What it waits for, at once.
        "`disable_stop_instance` is set: waiting up to ",
        "Error waiting for alicloud instance to stop: ",
        "nobody has stopped the instance: let the last provisioner do it (`shutdown -h now`)",
        "Deleting instance because of cancellation or error...",
    ] {
        assert!(said.contains(part), "`{part}` is missing:\n{said}");
    }
    let (inventory, calls) = left_by(&world);
    assert!(!calls.iter().any(|call| call["action"] == "StopInstance"), "{said}");
    assert_eq!(inventory.leftovers(), OWNED, "{said}");
    assert!(inventory.images.is_empty());
}

#[test]
fn seed_001_disable_stop_makes_the_image_once_somebody_has_stopped_the_instance() {
    let cloud = TestCloud::start();
    // Instances of a served cloud have a port of their own.
    let template = seed("001-disable-stop-instance")
        .replace("\"ssh_username\"", "\"ssh_port\": \"[SSH-PORT]\", \"ssh_username\"");
    let world = cloud.world_with(&template);
    let mut running = world.start(&["build", "-color=false", "t.json"]);
    running.wait_for("Waiting instance stopped: ");
    let instance = cloud.inventory().instances[0].id.clone();
    stop(&cloud.endpoint(), &instance);
    let said = running.finish().expect(0);
    assert!(said.contains("--> alicloud-ecs: Alicloud images were created:"), "{said}");
    let stops = cloud.calls().iter().filter(|call| call.action == "StopInstance").count();
    assert_eq!(stops, 1, "the build has stopped it");
    assert_eq!(cloud.inventory().images.len(), 1);
    cloud.assert_only_images(&said);
}

/// What a click in the console does.
fn stop(endpoint: &str, instance: &str) {
    let provider: Arc<dyn CredentialsProvider> = Arc::new(StaticCredentials(Credentials::new(KEY, SECRET)));
    let endpoints = Endpoints::default().with(Product::Ecs, endpoint).unwrap();
    let config = ClientConfig { endpoints, ..ClientConfig::new(provider, "cn-hangzhou") };
    let ecs = Client::new(config).unwrap().ecs("cn-hangzhou");
    let request = StopInstance { instance_id: instance.into(), ..StopInstance::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ecs.stop_instance(&request)).unwrap();
}
