use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::Source;

fn span(source: &Arc<Source>, text: &str) -> Span {
    let start = source.text.find(text).unwrap();
    Span::new(source, start, start + text.len())
}

fn hcl() -> Arc<Source> {
    Source::new(
        "t.pkr.hcl",
        "packer {\n  required_version = \">= 99.0.0\"\n}\n\nsource \"null\" \"a\" {\n  x = 1\n}\n",
    )
}

#[test]
fn diagnostics_of_hcl_are_packers() {
    let source = hcl();
    let diagnostic = Diagnostic::error("Unsupported Packer Core version")
        .at(Some(span(&source, "required_version = \">= 99.0.0\"")))
        .within("packer")
        .detail(
            "This configuration does not support Packer version 1.16.0. To proceed, either choose another supported \
             Packer version or update this version constraint.",
        );
    let warning =
        Diagnostic::warning("Something").at(Some(span(&source, "source \"null\" \"a\" {\n  x = 1\n")));
    insta::assert_snapshot!(render(&Diagnostics(vec![diagnostic.clone(), warning])), @r##"
    Error: Unsupported Packer Core version

      on t.pkr.hcl line 2, in packer:
       2:   required_version = ">= 99.0.0"

    This configuration does not support Packer version 1.16.0. To proceed, either
    choose another supported Packer version or update this version constraint.

    Warning: Something

      on t.pkr.hcl line 5:
       5: source "null" "a" {
       6:   x = 1
    "##);
    insta::assert_snapshot!(render_as(&diagnostic.into(), &Layout { sources: false, ..Layout::default() }), @r##"
    Error: Unsupported Packer Core version

      on t.pkr.hcl line 2:
      (source code not available)

    This configuration does not support Packer version 1.16.0. To proceed, either
    choose another supported Packer version or update this version constraint.

     --> t.pkr.hcl:2:3
      |
    2 |   required_version = ">= 99.0.0"
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "##);
}

#[test]
fn faults_of_json_follow_packers_text() {
    let source = Source::new(
        "t.json",
        "{\n\t\"image_nmae\": \"x\",\n\t\"size\": [],\n\t\"名前\": \"値\", \"secret_key\": \"hunter2\"\n}\n",
    );
    let faults = vec![
        Fault::new("unknown configuration key: '\"image_nmae\"'")
            .at(Some(span(&source, "\"image_nmae\"")))
            .hint("is `image_name` meant?"),
        Fault::new("unknown configuration key: '\"名前\"'").at(Some(span(&source, "\"名前\""))),
        Fault::new("unknown configuration key: '\"secret_key\"'").at(Some(span(&source, "\"secret_key\""))),
    ];
    let diagnostic = Diagnostic { faults, ..Diagnostic::error("Failed to prepare build: \"null\"") };
    let diagnostic = diagnostic.hint("see the documentation of `null`");
    insta::assert_snapshot!(render(&diagnostic.clone().into()), @r##"
    Error: Failed to prepare build: "null"

    3 errors occurred:
    	* unknown configuration key: '"image_nmae"'
    	* unknown configuration key: '"secret_key"'
    	* unknown configuration key: '"名前"'

    unknown configuration key: '"image_nmae"'
     --> t.json:2:2
      |
    2 |     "image_nmae": "x",
      |     ^^^^^^^^^^^^
      = hint: is `image_name` meant?

    unknown configuration key: '"名前"'
     --> t.json:4:2
      |
    4 |     "名前": "値", "secret_key": "*******"
      |     ^^^^^^

    unknown configuration key: '"secret_key"'
     --> t.json:4:13
      |
    4 |     "名前": "値", "secret_key": "*******"
      |                   ^^^^^^^^^^^^

    hint: see the documentation of `null`
    "##);
    let bare = Layout { notes: false, ..Layout::default() };
    assert_eq!(
        render_as(&diagnostic.clone().into(), &bare),
        "Error: Failed to prepare build: \"null\"\n\n3 errors occurred:\n\t* unknown configuration key: \
         '\"image_nmae\"'\n\t* unknown configuration key: '\"secret_key\"'\n\t* unknown configuration key: \
         '\"名前\"'\n\n\n\n"
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&Diagnostics::from(diagnostic)).unwrap(), @r##"
    [
      {
        "severity": "error",
        "summary": "Failed to prepare build: \"null\"",
        "detail": "3 errors occurred:\n\t* unknown configuration key: '\"image_nmae\"'\n\t* unknown configuration key: '\"secret_key\"'\n\t* unknown configuration key: '\"名前\"'\n\n",
        "place": null,
        "faults": [
          {
            "message": "unknown configuration key: '\"image_nmae\"'",
            "place": {
              "file": "t.json",
              "line": 2,
              "column": 2,
              "end_line": 2,
              "end_column": 14
            },
            "hint": "is `image_name` meant?"
          },
          {
            "message": "unknown configuration key: '\"名前\"'",
            "place": {
              "file": "t.json",
              "line": 4,
              "column": 2,
              "end_line": 4,
              "end_column": 6
            },
            "hint": null
          },
          {
            "message": "unknown configuration key: '\"secret_key\"'",
            "place": {
              "file": "t.json",
              "line": 4,
              "column": 13,
              "end_line": 4,
              "end_column": 25
            },
            "hint": null
          }
        ],
        "hints": [
          "see the documentation of `null`"
        ]
      }
    ]
    "##);
}

#[test]
fn a_summary_may_be_empty_and_say_it_all_may_the_detail() {
    let required = Diagnostic::error("").detail(super::super::multi_error(["required variable not set: b"]));
    assert_eq!(
        render(&required.into()),
        "Error: \n\n1 error occurred:\n\t* required variable not set: b\n\n\n\n"
    );
    let told = Diagnostic::error("no region").fault(Fault::new("no region"));
    assert_eq!(render(&told.into()), "Error: no region\n\n");
    assert_eq!(super::super::packer_errors(["a", "b"]), "2 error(s) occurred:\n\n* a\n* b");
}

#[test]
fn long_lines_are_cut_around_the_span() {
    let source = Source::new(
        "t.json",
        format!("{{\"a\": \"{}\", \"bogus\": \"{}\"}}", "x".repeat(300), "y".repeat(300)),
    );
    let diagnostic = Diagnostic::error("s").fault(Fault::new("f").at(Some(span(&source, "\"bogus\""))));
    insta::assert_snapshot!(notes(&diagnostic.into()), @r##"
    f
     --> t.json:1:311
      |
    1 | …xxxxxxxxxxxxxxxxxxxxxx", "bogus": "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
      |                           ^^^^^^^
    "##);
    let value = Span::new(&source, 7, 308);
    let shown = notes(&Diagnostic::error("s").fault(Fault::new("f").at(Some(value))).into());
    assert!(shown.contains(&format!("| {{\"a\": \"{}…\n", "x".repeat(50))), "{shown}");
    let all = Span::new(&source, 0, source.text.len());
    let shown = notes(&Diagnostic::error("s").fault(Fault::new("f").at(Some(all))).into());
    assert!(shown.lines().all(|line| line.chars().count() < 120), "{shown}");
}

#[test]
fn a_template_of_one_long_line_is_not_read_again_for_each_fault() {
    let text = format!("[{}]", "{\"bogus\": 1}, ".repeat(40_000));
    let source = Source::new("t.json", text.as_str());
    let faults = text
        .match_indices("\"bogus\"")
        .map(|(at, key)| Fault::new("f").at(Some(Span::new(&source, at, at + key.len()))));
    let diagnostic = Diagnostic { faults: faults.step_by(40).collect(), ..Diagnostic::error("s") };
    let begun = std::time::Instant::now();
    let shown = notes(&diagnostic.into());
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(shown.contains("--> t.json:1:3\n") && shown.contains("--> t.json:1:563\n"), "{}", &shown[..500]);
}

#[test]
fn a_path_is_no_secret() {
    let source = Source::new("t.json", "\"ssh_private_key_file\": \"~/.ssh/nope\"");
    let shown = notes(
        &Diagnostic::error("s").fault(Fault::new("f").at(Some(span(&source, "\"~/.ssh/nope\"")))).into(),
    );
    assert!(shown.contains("| \"ssh_private_key_file\": \"~/.ssh/nope\"\n"), "{shown}");
}

#[test]
fn terminals_are_not_commanded_and_secrets_not_quoted() {
    let source = Source::new(
        "t.json",
        "\"x\u{1b}[2J\": \"a\", \"ssh_password\": \"hun\\\"ter2\", \"token\" : \"{{user `t`}}\"\r\n",
    );
    let shown = notes(&Diagnostic::error("s").fault(Fault::new("f").at(Some(span(&source, "\"a\"")))).into());
    insta::assert_snapshot!(shown, @r##"
    f
     --> t.json:1:10
      |
    1 | "x�[2J": "a", "ssh_password": "*********", "token" : "{{user `t`}}"
      |          ^^^
    "##);
}

proptest! {
    #[test]
    fn rendering_never_panics(text in "[\\PC\t\r\n\"=]{0,200}", start in 0usize..220, length in 0usize..220) {
        let source = Source::new("t", text);
        let span = Span::new(&source, start.min(source.text.len()), (start + length).min(source.text.len()));
        let diagnostic = Diagnostic::error("s").at(Some(span.clone())).fault(Fault::new("f").at(Some(span)));
        let diagnostics = Diagnostics::from(diagnostic);
        let _ = render(&diagnostics);
        let _ = render_as(&diagnostics, &Layout { width: 0, sources: false, notes: true });
        let _ = serde_json::to_string(&diagnostics).unwrap();
    }
}
