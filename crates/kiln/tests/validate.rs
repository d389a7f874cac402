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
    insta::assert_snapshot!(out.stderr, @r#"
    invalid character '}' looking for beginning of value
     --> t.json:1:15
      |
    1 | {"builders": [}
      |               ^
      = hint: a value is missing, or a bracket too many
    "#);
    insta::assert_snapshot!(out.expect(1), @r#"
    Failed to parse file as legacy JSON template: if you are using an HCL template, check your file extensions; they should be either *.pkr.hcl or *.pkr.json; see the docs for more details: https://www.packer.io/docs/templates/hcl_templates. 
    Original error: Error parsing JSON: invalid character '}' looking for beginning of value
    At line 1, column 15 (offset 15):
        1: {"builders": [}
                        ^
    "#);
}

#[test]
fn unknown_root_keys_and_missing_types() {
    let out = validate(r#"{"builders": [{"communicator": "none"}], "buidlers": []}"#);
    insta::assert_snapshot!(out.stderr, @r#"
    builder 1: missing 'type'
     --> t.json:1:15
      |
    1 | {"builders": [{"communicator": "none"}], "buidlers": []}
      |               ^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: say what it is, such as "type": "alicloud-ecs"

    Unknown root level key in template: 'buidlers'
     --> t.json:1:42
      |
    1 | {"builders": [{"communicator": "none"}], "buidlers": []}
      |                                          ^^^^^^^^^^
      = hint: is `builders` meant?
    "#);
    insta::assert_snapshot!(out.expect(1), @r"
    Failed to parse file as legacy JSON template: if you are using an HCL template, check your file extensions; they should be either *.pkr.hcl or *.pkr.json; see the docs for more details: https://www.packer.io/docs/templates/hcl_templates. 
    Original error: 1 error occurred:
    	* Unknown root level key in template: 'buidlers'
    ");
}

#[test]
fn an_unknown_builder_and_the_nearest_one() {
    let out = validate(r#"{"builders": [{"type": "alicloud-esc"}]}"#);
    insta::assert_snapshot!(out.stderr, @r#"
    builder `alicloud-esc` is not one of Kiln's
     --> t.json:1:24
      |
    1 | {"builders": [{"type": "alicloud-esc"}]}
      |                        ^^^^^^^^^^^^^^
      = hint: is `alicloud-ecs` meant?
    "#);
    insta::assert_snapshot!(out.expect(1), @r#"
    Error: Failed to initialize build "alicloud-esc"

    Did you mean to use "alicloud-ecs"?
    "#);
}

#[test]
fn unknown_keys_of_a_component_are_told_all_at_once() {
    let out = validate(
        r#"{
  "builders": [{"type": "null", "comunicator": "none", "bogus": 1}],
  "provisioners": [{"type": "shell-local", "inlin": ["true"]}]
}"#,
    );
    insta::assert_snapshot!(out.stderr, @r#"
    unknown configuration key: '"comunicator"'
     --> t.json:2:33
      |
    2 |   "builders": [{"type": "null", "comunicator": "none", "bogus": 1}],
      |                                 ^^^^^^^^^^^^^
      = hint: is `communicator` meant?

    unknown configuration key: '"bogus"'
     --> t.json:2:56
      |
    2 |   "builders": [{"type": "null", "comunicator": "none", "bogus": 1}],
      |                                                        ^^^^^^^

    Error decoding config: 1 error occurred:
    	* unknown configuration key: '"inlin"'
     --> t.json:3:44
      |
    3 |   "provisioners": [{"type": "shell-local", "inlin": ["true"]}]
      |                                            ^^^^^^^
      = hint: is `inline` meant?
    "#);
    insta::assert_snapshot!(out.expect(1), @r#"
    Error: Failed to prepare build: "null"

    Error decoding config: 1 error occurred:
    	* unknown configuration key: '"inlin"'
    "#);
}

#[test]
fn a_required_variable_that_is_not_set() {
    let template =
        r#"{"variables": {"b": null, "a": null}, "builders": [{"type": "null", "communicator": "none"}]}"#;
    let out = validate(template);
    insta::assert_snapshot!(out.stderr, @r#"
    required variable not set: b
     --> t.json:1:16
      |
    1 | {"variables": {"b": null, "a": null}, "builders": [{"type": "null", "communicator": "none"}]}
      |                ^^^
      = hint: give it with `-var b=…` or in a `-var-file`

    required variable not set: a
     --> t.json:1:27
      |
    1 | {"variables": {"b": null, "a": null}, "builders": [{"type": "null", "communicator": "none"}]}
      |                           ^^^
      = hint: give it with `-var a=…` or in a `-var-file`
    "#);
    insta::assert_snapshot!(out.expect(1), @r"
    Error: 

    2 errors occurred:
    	* required variable not set: b
    	* required variable not set: a
    ");
    let world = World::with("t.json", template).file("v.json", r#"{"a": "1"}"#);
    let arguments = ["validate", "-var-file=v.json", "-var", "b=2", "t.json"];
    assert_eq!(world.kiln(&arguments).expect(0), "The configuration is valid.\n");
}

#[test]
fn files_that_are_not_there() {
    let world = World::with("t.json", &null_template(""));
    insta::assert_snapshot!(world.kiln(&["validate", "nope.json"]).expect(1), @r"
    Error: 

    stat nope.json: no such file or directory
    ");
    insta::assert_snapshot!(world.kiln(&["validate", "-var-file=nope.json", "t.json"]).expect(1), @r"
    open nope.json: no such file or directory
    ");
}

#[test]
fn hcl2_templates_are_refused_in_so_many_words() {
    let world = World::with("t.pkr.hcl", "build {}");
    insta::assert_snapshot!(world.kiln(&["validate", "t.pkr.hcl"]).expect(1), @r"
    Error: HCL2 templates are not supported yet

    `t.pkr.hcl` is an HCL2 template; this version of Kiln reads JSON templates only.
    ");
    assert!(world.kiln(&["validate", "."]).expect(1).contains("is a folder"));
}

#[test]
fn a_missing_variable_hides_no_other_fault() {
    let template = r#"{"variables": {"r": null}, "builders": [
  {"type": "null", "communicator": "none",
   "bogus": 1},
  {"type": "file", "target": "{{user `r`}}", "content": "x"}
]}"#;
    let out = World::with("t.json", template).kiln(&["validate", "t.json"]);
    assert!(out.stderr.contains("t.json:3:4") && out.stderr.contains("bogus"), "{}", out.stderr);
    assert!(!out.stderr.contains("stand-in"), "{}", out.stderr);
    assert_eq!(out.expect(1), "Error: \n\n1 error occurred:\n\t* required variable not set: r\n\n\n\n\n");
}
