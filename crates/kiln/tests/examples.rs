//! Every template in `examples/` builds against the embedded cloud.

use std::path::{Path, PathBuf};

use super::support::World;

/// What a template needs the account to own stands beside it.
const ACCOUNT: &str = ".account.json";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Copies the folder `from` with all it holds: an example may write beside itself.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Returns the names of the templates, without their ending.
fn templates() -> Vec<String> {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.filter_map(|name| name.to_str().map(str::to_owned));
    let mut templates: Vec<String> = names
        .filter(|name| !name.ends_with(ACCOUNT))
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    templates.sort();
    templates
}

/// Builds one example as its page says, from the folder above it, and returns the world and standard output.
#[track_caller]
fn build(name: &str) -> (World, String) {
    let world = World::new();
    copy(&folder(), &world.path("examples"));
    let template = format!("examples/{name}.json");
    let account = format!("examples/{name}{ACCOUNT}");
    let with = format!("-local-with={account}");
    let mut arguments = vec!["build", "-color=false", "-local", "-local-speed=1000"];
    if world.path(&account).exists() {
        arguments.push(&with);
    }
    arguments.push(&template);
    let said = world.kiln(&arguments).expect(0);
    assert_eq!(world.kiln(&["gc"]).expect(0), "Nothing is left behind.\n", "{said}");
    (world, said)
}

#[test]
fn every_example_is_built_by_a_test() {
    assert_eq!(templates(), ["no-machine", "private-network", "redis", "web-files"]);
    let page = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for name in templates() {
        assert!(page.contains(&format!("({name}.json)")), "examples/README.md does not list {name}.json");
    }
}

#[test]
fn redis_is_installed_as_far_as_the_host_can() {
    let (_, said) = build("redis");
    assert!(said.lines().last().unwrap().starts_with("cn-beijing: m-"), "{said}");
}

#[test]
fn web_files_travel_both_ways_and_are_listed() {
    let (world, said) = build("web-files");
    assert!(world.read("built/index.html").ends_with("<!-- version 1.4.2 -->\n"), "{said}");
    assert!(said.contains("alicloud-ecs.web: the password is <sensitive>\n"), "{said}");
    let manifest: serde_json::Value = serde_json::from_str(&world.read("built/manifest.json")).unwrap();
    let image = manifest["builds"][0]["artifact_id"].as_str().unwrap();
    assert!(image.starts_with("cn-shanghai:m-"), "{manifest}");
    assert!(said.contains(&format!("(shell-local):       \"artifact_id\": \"{image}\",\n")), "{said}");
}

#[test]
fn private_network_builds_two_images_in_the_network_it_names() {
    let (_, said) = build("private-network");
    for (builder, system) in [("ubuntu", "ubuntu"), ("centos", "centos")] {
        let line = format!("==> alicloud-ecs.{builder}: Using SSH communicator to connect: 10.1.0.");
        assert!(said.contains(&line), "{said}");
        let system = [format!("ID={system}"), format!("ID=\"{system}\"")];
        assert!(
            system.iter().any(|id| said.contains(&format!("==> alicloud-ecs.{builder}: {id}\n"))),
            "{said}"
        );
    }
    assert!(!said.contains("Creating vpc") && !said.contains("EIP"), "{said}");
    assert_eq!(said.matches("only on ubuntu").count(), 1, "{said}");
    assert_eq!(said.matches("cn-hangzhou: m-").count(), 2, "{said}");
}

#[test]
fn no_machine_needs_no_machine() {
    let (world, said) = build("no-machine");
    assert_eq!(world.read("built/motd"), "built by file\n");
    assert!(said.contains("==> null: preparing null\n"), "{said}");
    assert!(world.path("built/files.json").exists(), "{said}");
}
