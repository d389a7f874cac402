use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::Secret;
use crate::duration::GoDuration;

#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
enum Direction {
    /// To the machine.
    #[default]
    Upload,
    /// From the machine.
    Download,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(default)]
struct Disk {
    /// In GiB.
    disk_size: i64,
    /// Shown | to people.
    disk_name: Option<String>,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(default)]
struct Ssh {
    /// Port.
    ssh_port: Option<u16>,
    ssh_timeout: Option<GoDuration>,
    ssh_keep_alive_interval: GoDuration,
    ssh_password: Secret,
}

/// All kinds of fields.
#[derive(Deserialize, JsonSchema)]
#[allow(dead_code)]
struct Config {
    /// The name
    /// of the image.
    image_name: String,
    #[serde(default = "folder")]
    remote_folder: String,
    #[serde(default, rename = "image_disk_mappings")]
    disks: Vec<Disk>,
    #[serde(default)]
    system_disk_mapping: Option<Disk>,
    #[serde(flatten)]
    ssh: Ssh,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    direction: Direction,
    #[serde(default)]
    mode: Option<Direction>,
    #[serde(default)]
    io_optimized: Option<bool>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    #[schemars(extend("x-late" = true, "x-default" = "chmod +x {{.Path}}", "x-alias" = ["run_command"]))]
    execute_command: Option<String>,
    #[serde(default)]
    #[schemars(extend("x-packer-name" = "Inline"))]
    inline: Vec<String>,
    #[serde(default)]
    anything: serde_json::Value,
}

fn folder() -> String {
    "/tmp".to_owned()
}

#[test]
fn a_type_says_what_its_fields_take() {
    let schema = Schema::of::<Config>();
    let kind = |name: &str| schema.field(name).map(|field| &field.kind);
    let choice = FieldKind::Choice(vec!["upload".to_owned(), "download".to_owned()]);
    assert_eq!(kind("image_name"), Some(&FieldKind::String));
    assert_eq!(kind("direction"), Some(&choice));
    assert_eq!(kind("mode"), Some(&choice));
    assert_eq!(kind("io_optimized"), Some(&FieldKind::TriBool));
    assert_eq!(kind("force"), Some(&FieldKind::Bool));
    assert_eq!(kind("ratio"), Some(&FieldKind::Number));
    assert_eq!(kind("ssh_port"), Some(&FieldKind::Integer));
    assert_eq!(kind("ssh_timeout"), Some(&FieldKind::Duration));
    assert_eq!(kind("ssh_password"), Some(&FieldKind::Secret));
    assert_eq!(kind("tags"), Some(&FieldKind::Map(Box::new(FieldKind::String))));
    assert_eq!(kind("anything"), Some(&FieldKind::Any));
    assert!(matches!(kind("system_disk_mapping"), Some(FieldKind::Object(disk)) if disk.fields.len() == 2));
    assert!(
        matches!(kind("image_disk_mappings"), Some(FieldKind::List(disk)) if matches!(**disk, FieldKind::Object(_)))
    );
    assert_eq!(kind("disks"), None);

    let command = schema.field("Run_Command").unwrap();
    assert_eq!((command.name.as_str(), command.late), ("execute_command", true));
    assert_eq!(schema.field("inline").unwrap().packer_name.as_deref(), Some("Inline"));
    assert!(schema.field("image_name").unwrap().required);
    assert_eq!(schema.field("remote_folder").unwrap().default.as_deref(), Some("/tmp"));
    assert!(Arc::ptr_eq(&Schema::shared::<Config>(), &Schema::shared::<Config>()));
}

#[test]
fn the_book_shows_a_table() {
    insta::assert_snapshot!(Schema::of::<Config>().to_markdown(), @r"
    | Field | Type | Default | Description |
    |---|---|---|---|
    | `image_name` | string | required | The name of the image. |
    | `remote_folder` | string | `/tmp` |  |
    | `image_disk_mappings` | list(object) | – |  |
    | `image_disk_mappings.disk_size` | int | `0` | In GiB. |
    | `image_disk_mappings.disk_name` | string | – | Shown \| to people. |
    | `system_disk_mapping` | object | – |  |
    | `system_disk_mapping.disk_size` | int | `0` | In GiB. |
    | `system_disk_mapping.disk_name` | string | – | Shown \| to people. |
    | `ssh_port` | int | – | Port. |
    | `ssh_timeout` | duration | – |  |
    | `ssh_keep_alive_interval` | duration | `0s` |  |
    | `ssh_password` | string | – |  |
    | `tags` | map(string) | – |  |
    | `direction` | string | `upload` | One of `upload`, `download`. |
    | `mode` | string | – | One of `upload`, `download`. |
    | `io_optimized` | bool | – |  |
    | `force` | bool | `false` |  |
    | `ratio` | number | `0.0` |  |
    | `execute_command` | string | `chmod +x {{.Path}}` | Also `run_command`. |
    | `inline` | list(string) | – |  |
    | `anything` | any | – |  |
    ");
}
