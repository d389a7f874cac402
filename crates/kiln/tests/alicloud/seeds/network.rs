//! Seeds about the way to the instance: private addresses, given networks, a key pair of one's own.

use super::{Built, LOCAL, OWNED, left_by};
use crate::alicloud::fixture::seed;
use crate::support::World;

#[test]
fn seed_001_private_ip_builds_in_the_network_it_names() {
    let built = Built::of("001-ssh-private-ip");
    built.never_calls(&["CreateVpc", "CreateVSwitch", "AllocateEipAddress"]);
    built.the_call("CreateSecurityGroup");
    let run = built.the_call("RunInstances");
    assert_eq!(run["VSwitchId"], "vsw-xxxx");
    assert!(run["InternetMaxBandwidthOut"].is_null());
    assert!(built.said.contains("Using SSH communicator to connect: 172.16."), "{}", built.said);
    assert!(!built.said.contains("EIP"), "{}", built.said);
    built.leaves_nothing_else();
}

#[test]
fn seed_001_keypair_without_values_builds_in_a_network_of_its_own() {
    // The template declares none of the variables that it uses for pair, file and network: they are empty.
    let built = Built::of("001-ssh-keypair-private-ip");
    built.the_call("CreateVpc");
    built.the_call("ImportKeyPair");
    assert!(built.the_call("RunInstances")["InternetMaxBandwidthOut"].is_null());
    built.leaves_nothing_else();
    built.redis_is_inside();
}

#[test]
fn seed_001_keypair_logs_in_with_the_accounts_own_pair_and_leaves_it() {
    let world = World::with("t.json", &seed("001-ssh-keypair-private-ip"));
    let file = world.path("own-key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "own", "-f"])
        .arg(&file)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "ssh-keygen is missing");
        return println!("SKIPPED: ssh-keygen is missing");
    }
    let public = world.read("own-key.pub");
    let owned = serde_json::json!({
        "vpcs": [{"id": "vpc-own", "region": "cn-hangzhou"}],
        "vswitches": [{"id": "vsw-own", "vpc": "vpc-own"}],
        "security_groups": [{"id": "sg-own", "vpc": "vpc-own"}],
        "key_pairs": [{"name": "own", "region": "cn-hangzhou", "public_key": public.trim()}],
    });
    let world = world.file("owned.json", &owned.to_string());
    let file = format!("ssh_private_key_file={}", file.display());
    let variables =
        ["ssh_keypair_name=own", &file, "vpc_id=vpc-own", "vswitch_id=vsw-own", "security_group_id=sg-own"];
    let variables = variables.iter().flat_map(|variable| ["-var", variable]);
    let arguments: Vec<&str> = ["-local-with=owned.json"].into_iter().chain(variables).collect();
    let built = Built::in_world(world, &arguments);
    built.looks_as_promised();
    let creating = ["ImportKeyPair", "CreateKeyPair", "CreateVpc", "CreateVSwitch", "CreateSecurityGroup"];
    built.never_calls(&creating);
    built.never_calls(&["DeleteKeyPairs"]);
    let run = built.the_call("RunInstances");
    assert_eq!(run["KeyPairName"], "own");
    assert_eq!(run["SecurityGroupId"], "sg-own");
    assert!(built.said.contains("==> alicloud-ecs: Using existing SSH private key\n"), "{}", built.said);
    assert!(built.said.contains("==> alicloud-ecs: Attach keypair own to instance: "), "{}", built.said);
    let left = ["vpc vpc-own", "vswitch vsw-own", "security group sg-own", "key pair own"];
    assert_eq!(built.inventory.leftovers(), left);
}

/// Nothing but the file and `-local`, at the usual speed, for the seeds that take something of an account for granted.
#[test]
fn what_the_documents_take_for_granted_is_there_without_another_flag() {
    let world = World::with("t.json", &seed("001-ssh-private-ip"));
    let _ = world.kiln(&["build", "--local", "t.json"]).expect(0);
    // A cloud that is kept has it too, but a file that says what the account owns has the last word.
    let world = world.file("owned.json", "{}");
    let output = world.kiln(&[&["build"], &LOCAL[..], &["-local-with=owned.json", "t.json"]].concat());
    assert!(output.stdout.contains("vsw-xxxx} doesn't exist."), "{}", output.stdout);
    assert_eq!(output.code, 1);
    let (inventory, _) = left_by(&world);
    assert!(inventory.leftovers().iter().all(|left| !OWNED.contains(&left.as_str())));
}
