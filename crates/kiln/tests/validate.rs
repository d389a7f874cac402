use super::support::{World, null_template, shell_local};

fn validate(template: &str) -> super::support::Output {
    World::with("t.json", template).kiln(&["validate", "t.json"])
}

#[test]
fn a_good_template_is_valid() {
    let template = null_template(&shell_local("true"));
    assert_eq!(validate(&template).expect(0), "The configuration is valid.\n");
    let world = World::with("t.json", &template);
    let syntax = "Syntax-only check passed. Everything looks okay.\n";
    assert_eq!(world.kiln(&["validate", "-syntax-only", "t.json"]).expect(0), syntax);
    assert_eq!(
        world.kiln_with_input(&["validate", "-"], &template).expect(0),
        "The configuration is valid.\n"
    );
}

#[test]
fn nothing_is_left_behind_by_validate() {
    let world = World::with("t.json", &null_template(&shell_local("touch made")));
    let _ = world.kiln(&["validate", "t.json"]).expect(0);
    assert!(!world.path("made").exists());
    assert!(!world.state().exists());
}

#[test]
fn malformed_json_is_shown_with_its_place() {
    let out = validate("{\"builders\": [}");
    insta::assert_snapshot!(out.stderr, @"");
    insta::assert_snapshot!(out.expect(1), @"");
}

#[test]
fn unknown_root_keys_and_missing_types() {
    let out = validate(r#"{"builders": [{"communicator": "none"}], "buidlers": []}"#);
    insta::assert_snapshot!(out.stderr, @"");
    insta::assert_snapshot!(out.expect(1), @"");
}

#[test]
fn an_unknown_builder_and_the_nearest_one() {
    let out = validate(r#"{"builders": [{"type": "alicloud-esc"}]}"#);
    insta::assert_snapshot!(out.stderr, @"");
    insta::assert_snapshot!(out.expect(1), @"");
}

#[test]
fn unknown_keys_of_a_component_are_told_all_at_once() {
    let out = validate(
        r#"{
  "builders": [{"type": "null", "comunicator": "none", "bogus": 1}],
  "provisioners": [{"type": "shell-local", "inlin": ["true"]}]
}"#,
    );
    insta::assert_snapshot!(out.stderr, @"");
    insta::assert_snapshot!(out.expect(1), @"");
}

#[test]
fn a_required_variable_that_is_not_set() {
    let template =
        r#"{"variables": {"b": null, "a": null}, "builders": [{"type": "null", "communicator": "none"}]}"#;
    let out = validate(template);
    insta::assert_snapshot!(out.stderr, @"");
    insta::assert_snapshot!(out.expect(1), @"");
    let world = World::with("t.json", template).file("v.json", r#"{"a": "1"}"#);
    let arguments = ["validate", "-var-file=v.json", "-var", "b=2", "t.json"];
    assert_eq!(world.kiln(&arguments).expect(0), "The configuration is valid.\n");
}

#[test]
fn files_that_are_not_there() {
    let world = World::with("t.json", &null_template(""));
    insta::assert_snapshot!(world.kiln(&["validate", "nope.json"]).expect(1), @"");
    insta::assert_snapshot!(world.kiln(&["validate", "-var-file=nope.json", "t.json"]).expect(1), @"");
}

#[test]
fn hcl2_templates_are_refused_in_so_many_words() {
    let world = World::with("t.pkr.hcl", "build {}");
    insta::assert_snapshot!(world.kiln(&["validate", "t.pkr.hcl"]).expect(1), @"");
    assert!(world.kiln(&["validate", "."]).expect(1).contains("is a folder"));
}
