//! What is wrong with settings: all of it at once, in Packer's words.

use insta::assert_snapshot;
use kiln_core::value::Value;
use serde_json::json;

use crate::support::{Room, registry, told};

enum Kind {
    Builder,
    Provisioner,
    PostProcessor,
}

/// Returns the faults and warnings of preparing a component.
fn faults(kind: Kind, name: &str, settings: serde_json::Value) -> String {
    let (room, registry) = (Room::new(), registry());
    let settings = Value::from(&settings);
    let warnings = match kind {
        Kind::Builder => {
            registry.builders[name].prepare(&settings, &room.scope).map(|prepared| prepared.warnings)
        }
        Kind::Provisioner => {
            registry.provisioners[name].prepare(&settings, &room.scope).map(|prepared| prepared.warnings)
        }
        Kind::PostProcessor => {
            registry.post_processors[name].prepare(&settings, &room.scope).map(|prepared| prepared.warnings)
        }
    };
    match warnings {
        Ok(warnings) => warnings.iter().map(|warning| format!("warning: {warning}")).collect(),
        Err(faults) => room.plain(&told(faults)),
    }
}

#[test]
fn shell() {
    let check = |settings| faults(Kind::Provisioner, "shell", settings);
    assert_snapshot!(check(json!({})), @r"
    Either a script file or inline script must be specified.
        give the commands themselves in `inline`, or the path of a file in `script`
    ");
    assert_snapshot!(
        check(json!({ "inline": ["x"], "script": "no.sh", "scripts": ["b.sh"], "environment_vars": ["x"] })),
        @r"
    Only one of script or scripts can be specified.
    Only a script file or an inline script can be specified, not both.
    Bad script 'no.sh': stat no.sh: no such file or directory
        relative paths start at the working directory, `<CWD>`
    Environment variable not in format 'key=value': x
        write each variable as `NAME=value`
    "
    );
}

#[test]
fn shell_local() {
    let check = |settings| faults(Kind::Provisioner, "shell-local", settings);
    assert_snapshot!(check(json!({})), @r"
    Command, Inline, Script and Scripts options cannot all be empty.
        give the commands themselves in `inline`
    ");
    assert_snapshot!(
        faults(Kind::PostProcessor, "shell-local", json!({ "command": "x", "inline": ["x"], "only_on": ["beos"] })),
        @r"
    You may only specify one of the following options: Command, Inline, Script or Scripts. Please consolidate these options in your config.
    Invalid OS specified in only_on: 'beos'
    Supported OS names: darwin, freebsd, linux, openbsd, solaris, windows
    "
    );
    assert_snapshot!(check(json!({ "script": "/no/such.sh" })), @"Bad script '/no/such.sh': stat /no/such.sh: no such file or directory");
}

#[test]
fn a_path_that_is_not_known_before_the_build_is_not_looked_for() {
    let (room, registry) = (Room::new(), registry());
    let prepare = |scripts: Vec<Value>| {
        let settings = Value::object([("scripts", Value::from(scripts))]);
        registry.provisioners["shell"].prepare(&settings, &room.scope).map_err(told).err().unwrap_or_default()
    };
    assert_eq!(prepare(vec![Value::unknown()]), "");
    let faults = prepare(vec![Value::unknown(), "/no/such.sh".into()]);
    assert_eq!(faults, "Bad script '/no/such.sh': stat /no/such.sh: no such file or directory");
}

#[test]
fn what_shell_local_cannot_decode_has_a_lead_of_its_own() {
    let (room, registry) = (Room::new(), registry());
    let text = |settings| {
        let prepared = registry.provisioners["shell-local"].prepare(&Value::from(&settings), &room.scope);
        kiln_core::decode::detail(&prepared.err().unwrap())
    };
    assert_snapshot!(text(json!({ "inline": { "a": 1 } })), @r"
    Error decoding config: 1 error(s) decoding:

    * 'Inline[0]' expected type 'string', got unconvertible type 'map[interface {}]interface {}', value: 'map[a:1]'
    ");
    assert_snapshot!(text(json!({ "inline": ["x"], "inlin": 1, "bogus": 2 })), @r#"
    Error decoding config: 2 errors occurred:
    	* unknown configuration key: '"bogus"'
    	* unknown configuration key: '"inlin"'
    "#);
    assert_snapshot!(text(json!({ "inline": ["{{ build `Nope` }}"] })), @r#"
    Error decoding config: render 'inline': template: root:1:3: executing "root" at <build `Nope`>: error calling build: loaded data, but couldnt find Nope in it. in:

    {{ build `Nope` }}
    "#);
}

#[test]
fn settings_are_as_weakly_typed_as_templates_are() {
    let check = |settings| faults(Kind::Provisioner, "shell", settings);
    assert_snapshot!(
        check(json!({ "inline": "x", "valid_exit_codes": "0", "binary": "true", "environment_vars": "A=1" })),
        @""
    );
    assert_snapshot!(
        check(json!({ "inline": "x", "start_retry_timeout": "5" })),
        @r#"error decoding 'start_retry_timeout': time: missing unit in duration "5""#
    );
}

#[test]
fn file_provisioner() {
    let check = |settings| faults(Kind::Provisioner, "file", settings);
    assert_snapshot!(
        check(json!({ "source": "/no/a", "sources": ["/no/b"], "content": "x" })),
        @r"
    Bad source '/no/b': stat /no/b: no such file or directory
    Bad source '/no/a': stat /no/a: no such file or directory
    source(s) conflicts with content.
    Destination must be specified.
    "
    );
    assert_snapshot!(check(json!({ "direction": "sideways", "destination": "/d" })), @"Direction must be one of: download, upload.");
    assert_snapshot!(check(json!({ "source": "/no/a", "destination": "/d", "generated": true })), @"");
    assert_snapshot!(check(json!({ "destination": "/d" })), @"warning: the file provisioner copies nothing: it has no source");
}

#[test]
fn null_builder() {
    let check = |settings| faults(Kind::Builder, "null", settings);
    assert_snapshot!(check(json!({})), @r#"
    An ssh_username must be specified
      Note: some builders used to default ssh_username to "root".
    a Host must be specified, please reference your communicator documentation
    a Username must be specified, please reference your communicator documentation
    one authentication method must be specified, please reference your communicator documentation
    "#);
    assert_snapshot!(check(json!({ "communicator": "none" })), @"");
}

#[test]
fn file_builder() {
    let check = |settings| faults(Kind::Builder, "file", settings);
    assert_snapshot!(check(json!({ "source": "x", "content": "y" })), @r"
    Cannot specify source file AND content
    target required
    ");
    assert_snapshot!(check(json!({ "target": "x" })), @"warning: Both source file and contents are blank; target will have no content");
}
