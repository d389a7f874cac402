//! `-local`: the whole job with nothing but this program.

use super::fixture::{shell, template};
use crate::support::World;

#[test]
fn the_example_of_the_readme_builds_and_tells_where_the_time_went() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/redis.json");
    let world = World::with("redis.json", &std::fs::read_to_string(example).unwrap());
    let output = world.kiln(&["build", "-color=false", "-local", "redis.json"]);
    assert!(output.stderr.contains("Where the time went"), "{}", output.stderr);
    assert!(output.stderr.contains("stepCreateAlicloudImage"), "{}", output.stderr);
    let said = output.expect(0);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("cn-beijing: m-"), "{said}");
    // The journal is closed: nothing is left to collect.
    assert_eq!(world.kiln(&["gc"]).expect(0), "Nothing is left behind.\n");
}

#[test]
fn an_image_kept_in_a_folder_can_be_built_upon() {
    let first = template("", &shell("echo first > /etc/layer")).replace("[SSH-PORT]", "22");
    let world = World::with("first.json", &first);
    let local = ["-color=false", "-local", "-local-state=cloud", "-local-speed=1000"];
    let said = world.kiln(&[&["build"], &local[..], &["first.json"]].concat()).expect(0);
    let image = said.lines().last().unwrap().rsplit(' ').next().unwrap();
    let second = first
        .replace("centos_7_03_64_20G_alibase_20170818.vhd", image)
        .replace("kiln-test", "kiln-second")
        .replace("echo first > /etc/layer", "cat /etc/layer");
    let world = world.file("second.json", &second);
    let said = world.kiln(&[&["build"], &local[..], &["second.json"]].concat()).expect(0);
    assert!(said.contains("==> alicloud-ecs: first\n"), "{said}");
}

#[test]
fn a_script_of_a_template_sees_nothing_of_the_host() {
    let secret = World::with("secret.txt", "do not show");
    let path = secret.path("secret.txt").display().to_string();
    let look = format!("cat {path} && echo SEEN; cat /proc/1/cmdline; echo; ls /root /home; id -u");
    let world = World::with(
        "t.json",
        &template("\"skip_create_image\": true", &shell(&look)).replace("[SSH-PORT]", "22"),
    );
    let output = world.kiln(&["build", "-color=false", "-local", "-local-speed=1000", "t.json"]);
    assert!(output.stdout.contains("No such file or directory"), "{}", output.stdout);
    assert!(!output.stdout.contains("SEEN") && !output.stdout.contains("do not show"), "{}", output.stdout);
    let _ = output.expect(0);
}
