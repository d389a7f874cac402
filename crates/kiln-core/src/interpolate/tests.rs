use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::scope::BuildValues;
use crate::test_world::{TestWorld, scope};

/// Facts measured from Packer's console, and its error texts.
const CASES: &str = include_str!("../../tests/data/console.json");

fn variable(text: &str, user: &dyn Fn(&str) -> Option<String>) -> Result<String, VariableError> {
    let world = TestWorld { environment: BTreeMap::from([("HERE".to_owned(), "yes".to_owned())]) };
    render_variable(
        text,
        &VariableContext { world: &world, template_path: None, core_version: "1.16.0", user },
    )
}

#[test]
fn what_to_do_about_a_wrong_function_is_told() {
    let hint = |message: &str| InterpolateError(message.to_owned()).hint().unwrap_or_default();
    assert_eq!(hint("template: root:1: function \"usr\" not defined"), "is `user` meant?");
    assert_eq!(hint("template: root:1: function \"frobnicate\" not defined"), "");
    let moved = hint("executing \"root\" at <env `A`>: error calling env: env vars are not allowed here");
    assert_eq!(
        moved,
        "`env` works in `variables` only: give a variable this value, and name it here with {{user `…`}}"
    );
}

#[test]
fn texts_render_as_packers_console_renders_them() {
    let variables = BTreeMap::from([
        ("name", "world"),
        ("number", "42"),
        ("list", "a,b,c"),
        ("from_env", "from the environment"),
        ("secret", "<sensitive>"),
    ]);
    let user = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let world = TestWorld::default();
    let context = VariableContext { world: &world, template_path: None, core_version: "1.16.0", user: &user };
    let cases: Vec<serde_json::Value> = serde_json::from_str(CASES).unwrap();
    assert!(cases.len() > 50);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let text = case["text"].as_str().unwrap();
            let rendered = render_core_until_stable(text, &context).map_err(|error| error.0);
            let expected = match case["gives"].as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(case["fails"].as_str().unwrap().to_owned()),
            };
            (rendered != expected).then(|| format!("{text}\n  {rendered:?}\n  {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn values_of_the_build_are_left_for_later_and_then_filled_in() {
    let mut scope = scope();
    scope.values = BuildValues::Expected(BTreeSet::from(["SourceImageName".to_owned()]));
    let before = Interpolator::new(&scope);
    assert_eq!(before.render("echo {{ build `Host` | upper }}").unwrap(), "echo {{.HOST}}");
    assert_eq!(
        before.render("{{build `SourceImageName`}} {{build_name}}").unwrap(),
        "{{.SourceImageName}} web"
    );
    assert_eq!(before.render("{{.WinRMPassword}}").unwrap(), "{{.WinRMPassword}}");
    assert!(before.render("{{.Host}}").unwrap().starts_with("Build_Host. To set this dynamically"));
    assert_eq!(
        before.render("echo '<{{build `Nope`}}>'").unwrap_err().0,
        "template: root:1:9: executing \"root\" at <build `Nope`>: error calling build: \
         loaded data, but couldnt find Nope in it."
    );

    let known =
        BTreeMap::from([("Host".to_owned(), "10.0.0.1".into()), ("Port".to_owned(), crate::Value::from(22))]);
    let scope = scope.with_values(BuildValues::Known(known));
    let during = Interpolator::new(&scope).with("Vars", "A='1' ");
    assert_eq!(
        during.render("{{.Vars}}{{.Host}}:{{build `Port`}} {{.ID}}").unwrap(),
        "A='1' 10.0.0.1:22 <no value>"
    );
}

#[test]
fn a_setting_is_rendered_once_without_and_once_with_the_machine() {
    let known = BTreeMap::from([
        ("ID".to_owned(), "Null {{upper `x`}}".into()),
        ("Own".to_owned(), crate::Value::from(7)),
    ]);
    let scope = scope().with_values(BuildValues::Known(known));
    let during = Interpolator::new(&scope);
    // What a machine says of itself is no template.
    assert_eq!(during.render_setting("{{build `ID`}}|{{build `Own`}}").unwrap(), "Null {{upper `x`}}|7");
    assert_eq!(during.render_setting("{{build `ID` | upper}}").unwrap(), "Null {{upper `x`}}");
    assert_eq!(during.render_setting("<{{build `Host`}}>").unwrap(), "<<no value>>");
    assert!(during.render_setting("{{build `Nope`}}").unwrap_err().0.ends_with("couldnt find Nope in it."));
    // Without the function nothing is rendered twice.
    assert_eq!(during.render_setting("{{`{{user}}`}}").unwrap(), "{{user}}");
    // At run time there is one rendering only.
    assert!(during.render("{{build `Host`}}").is_err());
}

#[test]
fn components_add_functions_of_their_own() {
    let scope = scope();
    let clean = |text: &str| match text {
        "" => Err("an image needs a name".to_owned()),
        text => Ok(text.replace(' ', "-")),
    };
    let interpolator = Interpolator::new(&scope).with_function("clean_resource_name", Arc::new(clean));
    assert_eq!(interpolator.render("{{ `a b` | clean_resource_name }}").unwrap(), "a-b");
    assert_eq!(
        interpolator.render("{{clean_resource_name ``}}").unwrap_err().0,
        "template: root:1:2: executing \"root\" at <clean_resource_name ``>: \
         error calling clean_resource_name: an image needs a name"
    );
    assert_eq!(
        Interpolator::new(&scope).validate("{{clean_resource_name `a`}}").unwrap_err().0,
        "template: root:1: function \"clean_resource_name\" not defined"
    );
}

#[test]
fn variables_see_the_environment_and_wait_for_each_other() {
    let none = |_: &str| None;
    assert_eq!(variable("{{env `HERE`}}{{env `NOT`}}", &none).unwrap(), "yes");
    assert_eq!(variable("{{vault `a/b` `c`}}", &none).unwrap(), "a/b/c of the vault");
    let error = variable("x{{ user `other` }}", &none).unwrap_err();
    let VariableError::Undefined { name, error } = error else { panic!("{error:?}") };
    assert_eq!(name, "other");
    assert_eq!(
        error.0,
        "template: root:1:4: executing \"root\" at <user `other`>: error calling user: \
         Error: variable not set: other"
    );
    assert!(matches!(variable("{{consul_key `x`}}", &none), Err(VariableError::Other(_))));
}

#[test]
fn variables_leave_dot_fields_alone() {
    let user = |name: &str| Some(name.to_uppercase());
    for (text, expected) in [
        ("http://{{ .HTTPIP }}:{{.HTTPPort}}/{{user `a`}}", "http://{{ .HTTPIP }}:{{.HTTPPort}}/A"),
        ("{{.Vars | nofunc}} {{upper `x`}}", "{{.Vars | nofunc}} X"),
        ("{{if true}}{{ .X }}{{end}}", "{{ .X }}"),
        ("{{ . }}", "<no value>"),
    ] {
        assert_eq!(variable(text, &user).unwrap(), expected, "{text}");
    }
}

#[test]
fn faults_of_the_text_are_named_in_gos_words() {
    let scope = scope();
    let interpolator = Interpolator::new(&scope);
    for (text, message) in [
        ("{{if true}}a", "template: root:1: unexpected EOF"),
        ("a\n{{end}}", "template: root:2: unexpected {{end}}"),
        ("{{if true}}x{{end}}\n\n{{ else }}", "template: root:3: unexpected {{else}}"),
        ("{{}}", "template: root:1: missing value for command"),
        ("{{ \"a }}", "template: root:1: unterminated quoted string"),
        ("{{ $x }}", "template: root:1: undefined variable \"$x\""),
        ("{{break}}", "template: root:1: {{break}} outside {{range}}"),
        ("{{if nofunc}}{{end}}", "template: root:1: function \"nofunc\" not defined"),
        ("{{ ! }}", "template: root:1: unrecognized character in action: U+0021 '!'"),
    ] {
        assert_eq!(interpolator.validate(text).unwrap_err().0, message, "{text}");
    }
    for (text, message) in [
        ("{{user}}", "1:2: executing \"root\" at <user>: wrong number of args for user: want 1 got 0"),
        ("é{{upper 1}}", "1:10: executing \"root\" at <1>: expected string; found 1"),
        (
            "{{ 1 | upper }}",
            "1:7: executing \"root\" at <upper>: wrong type for value; expected string; got int",
        ),
        (
            "a\nb{{env   `X`}}",
            "2:3: executing \"root\" at <env `X`>: error calling env: env vars are not allowed here",
        ),
        ("{{len 1}}", "1:2: executing \"root\" at <len 1>: error calling len: len: cannot take length of 1"),
        (
            "{{split `a-b` `-` 5}}",
            "1:2: executing \"root\" at <split `a-b` `-` 5>: error calling split: the substring 5 was unavailable \
             using the separator value, -, only 2 values were found",
        ),
        (
            "{{define `t`}}{{sed `a` `b`}}{{end}}{{template `t`}}",
            "1:16: executing \"t\" at <sed `a` `b`>: error calling sed: template function `sed` is deprecated use `replace` or `replace_all` instead",
        ),
        ("{{template `t`}}", "1:2: executing \"root\" at <{{template \"t\"}}>: template \"t\" not defined"),
    ] {
        let error = interpolator.render(text).unwrap_err().0;
        assert_eq!(error, format!("template: root:{message}"), "{text}");
    }
}

#[test]
fn the_language_is_gos() {
    let scope = scope();
    let interpolator = Interpolator::new(&scope).with("Path", "/tmp/x.sh");
    for (text, expected) in [
        ("{ { }} {{`{{`}}", "{ { }} {{"),
        ("{{$x := `a`}}{{if eq $x `a`}}{{$x = `b`}}{{end}}{{$x}}", "b"),
        ("{{range $i := slice `abc` 1 | len}}{{$i}}{{end}}", "01"),
        ("{{with .Path}}<{{.}}>{{else}}none{{end}}", "</tmp/x.sh>"),
        ("{{with .Nope}}x{{else}}{{.Path}}{{end}}", "/tmp/x.sh"),
        ("a  {{- ` b ` -}}  c", "a b c"),
        ("{{printf `%s-%05d` `x` 42 | upper}}", "X-00042"),
        ("{{index . `Path`}}", "/tmp/x.sh"),
        ("{{block `b` .Path}}[{{.}}]{{end}}", "[/tmp/x.sh]"),
        ("{{and true `` (env `X`)}}", ""),
        ("{{replace `l` `L` 1 `hello`}} {{replace `l` `L` -1 `hello`}}", "heLlo heLLo"),
        ("{{split `abc` `` 1}}", "b"),
        ("{{upper `straße é`}}", "STRAßE É"),
        ("{{template_dir}} {{pwd}}", "/here/folder /here"),
        ("{{isotime}} {{timestamp}}", "2026-11-21T00:53:02Z 1795222382"),
        ("text with a final {{`x`}}{", "text with a final x{"),
    ] {
        assert_eq!(
            interpolator.render(text).map_err(|error| format!("{text}: {error}")).as_deref(),
            Ok(expected)
        );
    }
}

proptest! {
    #[test]
    fn text_without_actions_is_unchanged(text in "[^{]*|([^{]|\\{[^{])*") {
        prop_assume!(!text.contains("{{"));
        prop_assert_eq!(Interpolator::new(&scope()).render(&text).unwrap(), text);
    }

    #[test]
    fn rendering_never_panics(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "{{", "}}", "{{-", "-}}", " ", "\n", "if", "else", "end", "range", "with", "define", "template", "block",
                "break", "$x", ":=", "=", ",", ".", ".A", "`a`", "\"b\"", "'c'", "(", ")", "|", "1", "-3", "0x", "nil",
                "true", "upper", "slice", "index", "printf", "split", "é", "{", "}", "/*", "*/", "\"", "`",
            ]),
            0..14,
        )
    ) {
        let scope = scope();
        let text = parts.concat();
        let _ = Interpolator::new(&scope).with("A", "é").render(&text);
        let _ = Interpolator::new(&scope).render(&format!("{{{{ {text} }}}}"));
        let _ = variable(&text, &|_| None);
    }
}
