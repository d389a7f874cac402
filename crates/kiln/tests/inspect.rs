use super::support::World;

const TEMPLATE: &str = r#"{
  "description": "two machines",
  "variables": {"size": "20", "region": null, "token": "s3cret-text"},
  "sensitive-variables": ["token"],
  "builders": [{"type": "null", "communicator": "none"}, {"type": "null", "name": "web", "communicator": "none"}],
  "provisioners": [{"type": "shell-local", "inline": ["true"]}]
}"#;

#[test]
fn inspect_shows_what_a_template_is_made_of() {
    let out = World::with("t.json", TEMPLATE).kiln(&["inspect", "t.json"]).expect(0);
    insta::assert_snapshot!(out, @"");
}

#[test]
fn inspect_for_programs() {
    let out = World::with("t.json", TEMPLATE).kiln(&["inspect", "-machine-readable", "t.json"]).expect(0);
    insta::assert_snapshot!(out, @"");
}

#[test]
fn inspect_without_a_template_shows_the_smallest() {
    let out = World::new().kiln(&["inspect"]).expect(0);
    insta::assert_snapshot!(out, @"");
}
