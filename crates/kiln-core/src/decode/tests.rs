use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::duration::{GoDuration, parse_go};
use crate::scope::BuildValues;
use crate::test_world::scope;
use crate::{Secret, Source, Span};

#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    Upload,
    Download,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Default)]
#[serde(default)]
struct Disk {
    disk_size: i64,
    disk_name: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Default)]
#[serde(default)]
struct Ssh {
    ssh_port: u16,
    ssh_timeout: Option<GoDuration>,
    ssh_password: Secret,
}

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema, Default)]
#[serde(default)]
struct Config {
    image_name: String,
    io_optimized: Option<bool>,
    force: bool,
    size: i64,
    ratio: f64,
    tags: BTreeMap<String, String>,
    direction: Direction,
    image_disk_mappings: Vec<Disk>,
    system_disk_mapping: Option<Disk>,
    #[schemars(extend("x-late" = true))]
    execute_command: String,
    #[schemars(extend("x-packer-name" = "Inline"))]
    inline: Vec<String>,
    ports: Vec<i64>,
    #[serde(flatten)]
    ssh: Ssh,
    anything: Option<serde_json::Value>,
}

fn json(text: &str) -> Value {
    Value::from(&serde_json::from_str::<serde_json::Value>(text).unwrap())
}

fn read(text: &str) -> Config {
    decode(&json(text), &scope()).unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

fn faults_of(settings: &Value) -> Vec<String> {
    let faults = decode::<Config>(settings, &scope()).unwrap_err();
    faults.into_iter().map(|fault| fault.message).collect()
}

fn faults(text: &str) -> Vec<String> {
    faults_of(&json(text))
}

#[test]
fn values_are_taken_as_packer_takes_them() {
    let weak = read(
        r#"{"image_name": 8.0, "io_optimized": "true", "force": "1", "size": "0x10", "ratio": "1.5", "tags": [],
            "inline": "a,b", "ports": 22, "ssh_port": "2222", "ssh_timeout": 1500000000, "type": "x", "packer_any": 1,
            "image_disk_mappings": {"disk_size": "20", "disk_name": true}}"#,
    );
    let plain = Config {
        image_name: "8".to_owned(),
        io_optimized: Some(true),
        force: true,
        size: 16,
        ratio: 1.5,
        inline: vec!["a".to_owned(), "b".to_owned()],
        ports: vec![22],
        image_disk_mappings: vec![Disk { disk_size: 20, disk_name: "1".to_owned() }],
        ssh: Ssh {
            ssh_port: 2222,
            ssh_timeout: Some(GoDuration(parse_go("1.5s").unwrap())),
            ..Ssh::default()
        },
        ..Config::default()
    };
    assert_eq!(weak, plain);
}

#[test]
fn empty_and_null_are_not_given() {
    let empty = read(
        r#"{"image_name": "", "io_optimized": "", "force": "", "size": "", "direction": "", "inline": "",
            "image_disk_mappings": {}, "tags": null, "ssh_timeout": null, "anything": null}"#,
    );
    assert_eq!(empty, Config::default());
}

#[test]
fn names_are_matched_in_any_case_and_small_kinds_convert_too() {
    let config = read(
        r#"{"Image_Name": false, "SIZE": 2.9, "force": 0.5, "ratio": true, "tags": [{"a": 1}, {"b": null}],
            "system_disk_mapping": {"Disk_Size": true}, "ports": ["1", 2, null], "direction": "download",
            "anything": {"a": [1, "{{upper `x`}}"]}}"#,
    );
    assert_eq!((config.image_name.as_str(), config.size, config.force, config.ratio), ("0", 2, true, 1.0));
    assert_eq!(
        config.tags,
        BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())])
    );
    assert_eq!(config.system_disk_mapping.map(|disk| disk.disk_size), Some(1));
    assert_eq!((config.ports, config.direction), (vec![1, 2, 0], Direction::Download));
    assert_eq!(config.anything, Some(serde_json::json!({"a": [1, "X"]})));
}

#[test]
fn texts_and_keys_are_rendered_once_and_late_ones_only_checked() {
    let config = read(
        r#"{"image_name": "{{user `name`}}-{{build_name}}", "tags": {"{{upper `k`}}": "{{`{{x}}`}}"}, "size": "{{user `number`}}",
            "execute_command": "{{.Vars}} {{upper `x`}}", "inline": "{{user `list`}}"}"#,
    );
    assert_eq!((config.image_name.as_str(), config.size), ("world-web", 42));
    assert_eq!(config.tags, BTreeMap::from([("K".to_owned(), "{{x}}".to_owned())]));
    assert_eq!(config.execute_command, "{{.Vars}} {{upper `x`}}");
    assert_eq!(config.inline, ["a", "b", "c"]);
    assert_eq!(
        faults(r#"{"execute_command": "{{bogus}}", "inline": ["x", "{{env `A`}}"], "tags": {"{{": 1}}"#),
        [
            "invalid 'execute_command': template: root:1: function \"bogus\" not defined in:\n\n{{bogus}}",
            "render 'inline': template: root:1:2: executing \"root\" at <env `A`>: error calling env: env vars are \
             not allowed here in:\n\n{{env `A`}}",
            "invalid 'tags': template: root:1: unclosed action in:\n\n{{",
        ]
    );
}

#[test]
fn what_does_not_fit_is_said_in_packers_words() {
    assert_eq!(
        faults(
            r#"{"inline": {"a": 1}, "size": "x", "force": "maybe", "ratio": [], "ssh_timeout": "5 bananas", "tags": "t",
                "image_disk_mappings": [{"disk_size": {}}, "s"], "direction": "uplod", "ports": {"a": 1}}"#
        ),
        [
            "'Inline[0]' expected type 'string', got unconvertible type 'map[interface {}]interface {}', value: 'map[a:1]'",
            "cannot parse 'size' as int: strconv.ParseInt: parsing \"x\": invalid syntax",
            "cannot parse 'force' as bool: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            "'ratio' expected type 'float64', got unconvertible type '[]interface {}', value: '[]'",
            "error decoding 'ssh_timeout': time: unknown unit \" bananas\" in duration \"5 bananas\"",
            "'tags' expected a map, got 'string'",
            "'image_disk_mappings[0].disk_size' expected type 'int', got unconvertible type \
             'map[interface {}]interface {}', value: 'map[]'",
            "'image_disk_mappings[1]' expected a map, got 'string'",
            "'direction' must be one of: upload, download",
            "'ports[0]' expected type 'int', got unconvertible type 'map[interface {}]interface {}', value: 'map[a:1]'",
        ]
    );
    assert_eq!(
        faults(r#"{"ssh_timeout": "5"}"#),
        ["error decoding 'ssh_timeout': time: missing unit in duration \"5\""]
    );
    assert_eq!(faults_of(&"x".into()), ["'' expected a map, got 'string'"]);
}

#[test]
fn unknown_keys_are_all_named_with_the_nearest_known() {
    let source = Source::new("t.json", r#"{"bogus": 1, "image_nmae": 2, "ssh_key_path": "x"}"#);
    let entry =
        |start: usize, end: usize| Entry { key_span: Some(Span::new(&source, start, end)), value: 1.into() };
    let object = Object::from_iter([
        ("bogus".to_owned(), entry(1, 8)),
        ("image_nmae".to_owned(), entry(13, 25)),
        ("ssh_key_path".to_owned(), entry(30, 44)),
        ("system_disk_mapping".to_owned(), Entry { key_span: None, value: json(r#"{"disk_sise": 1}"#) }),
    ]);
    let faults = decode::<Config>(&Kind::Object(object).into(), &scope()).unwrap_err();
    let shown: Vec<String> = faults
        .iter()
        .map(|fault| {
            let place = fault.span.as_ref().map(ToString::to_string).unwrap_or_default();
            let message = fault.message.split(". ").next().unwrap();
            format!("{place} {message} {}", fault.hint.as_deref().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "t.json:1:2 unknown configuration key: '\"bogus\"' -",
            "t.json:1:14 unknown configuration key: '\"image_nmae\"' is `image_name` meant?",
            "t.json:1:31 Deprecated configuration key: 'ssh_key_path' -",
            " unknown configuration key: '\"system_disk_mapping.disk_sise\"' is `disk_size` meant?",
        ]
    );
}

#[test]
fn the_detail_is_packers() {
    let detail_of = |text: &str| detail(&decode::<Config>(&json(text), &scope()).unwrap_err());
    assert_eq!(
        detail_of(r#"{"zz": 1, "_note": 2}"#),
        "2 errors occurred:\n\t* unknown configuration key: '\"_note\"'\n\t* unknown configuration key: '\"zz\"'\n\n"
    );
    assert_eq!(
        detail_of(r#"{"zz": 1, "size": [], "inline": {"a": 1}}"#),
        "2 error(s) decoding:\n\n\
         * 'Inline[0]' expected type 'string', got unconvertible type 'map[interface {}]interface {}', value: 'map[a:1]'\n\
         * 'size' expected type 'int', got unconvertible type '[]interface {}', value: '[]'"
    );
    assert_eq!(
        detail_of(r#"{"size": [], "image_name": "{{env `A`}}", "tags": {"a": "{{x}}"}}"#),
        "invalid 'tags': template: root:1: function \"x\" not defined in:\n\n{{x}}"
    );
    assert_eq!(detail(&[Fault::new("no region")]), "1 error(s) occurred:\n\n* no region");
}

#[test]
fn secrets_are_not_in_faults() {
    let source = Source::new("t.json", "x");
    let secret = |text: &str| Value::from(text).at(Span::new(&source, 0, 1));
    for settings in [
        Value::object([("ssh_password", secret("{{upper `hunter2` 1}}"))]),
        Value::object([("ssh_password", secret("hunter2{{"))]),
        Value::object([("ssh_password", vec![secret("hunter2")].into())]),
        Value::object([("size", secret("hunter2").sensitive())]),
        Value::object([("ports", secret("hunter2").sensitive())]),
        Value::object([("direction", secret("hunter2").sensitive())]),
        Value::object([("ssh_port", Value::from(77777).sensitive())]),
        Value::object([("image_name", Value::object([("a", secret("hunter2").sensitive())]))]),
    ] {
        let faults = decode::<Config>(&settings, &scope()).unwrap_err();
        let shown = format!("{faults:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("77777"), "{shown}");
    }
    assert_eq!(read(r#"{"ssh_password": "hunter2"}"#).ssh.ssh_password.expose(), "hunter2");
}

#[test]
fn what_is_not_known_yet_counts_as_given() {
    let names =
        ["image_name", "io_optimized", "size", "tags", "inline", "ssh_timeout", "ssh_password", "direction"];
    let settings = Value::object(names.map(|name| (name, Value::unknown())));
    let config: Config = decode(&settings, &scope()).unwrap();
    assert_eq!((config.image_name.as_str(), config.io_optimized, config.size), ("<unknown>", Some(false), 0));
    assert_eq!(config.inline, ["<unknown>"]);
}

#[test]
fn what_the_type_refuses_has_a_place() {
    assert_eq!(
        faults(r#"{"size": 1, "ssh_port": 70000}"#),
        ["'ssh_port': invalid value: integer `70000`, expected u16"]
    );

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Strict {
        #[allow(dead_code)]
        target: String,
    }
    let faults = decode::<Strict>(&json(r#"{"target": ""}"#), &scope()).unwrap_err();
    assert_eq!(faults[0].message, "'target' must be specified");
}

#[test]
fn components_decode_with_functions_of_their_own() {
    let mut scope = scope();
    scope.values = BuildValues::Expected(BTreeSet::new());
    let interpolator = Interpolator::new(&scope)
        .with_function("clean_resource_name", Arc::new(|text: &str| Ok(text.replace(' ', "-"))));
    let settings = json(r#"{"image_name": "{{clean_resource_name `a b`}}", "inline": ["{{build `ID`}}"]}"#);
    let config: Config = decode_with(&settings, &interpolator).unwrap();
    assert_eq!((config.image_name.as_str(), config.inline[0].as_str()), ("a-b", "{{.ID}}"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::null()),
        Just(Value::unknown()),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| Value::from(&serde_json::json!(number))),
        "[a-z{}` ,0-9.]{0,8}".prop_map(Value::from),
        Just(Value::from("{{user `name`}}").sensitive()),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let key =
            prop::sample::select(vec!["image_name", "size", "tags", "Disk_Size", "disk_name", "{{", "x", ""]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(Value::object),
        ]
    })
}

proptest! {
    #[test]
    fn decoding_never_panics(values in prop::collection::vec(any_value(), 12)) {
        let names = ["image_name", "io_optimized", "force", "size", "ratio", "tags", "direction", "image_disk_mappings",
            "system_disk_mapping", "inline", "ssh_timeout", "anything"];
        for (name, value) in names.iter().zip(&values) {
            let _ = decode::<Config>(&Value::object([(*name, value.clone())]), &scope());
        }
        let _ = decode::<Config>(&Value::object(names.into_iter().zip(values.iter().cloned())), &scope());
        let _ = decode::<Config>(&values[0], &scope());
    }
}
