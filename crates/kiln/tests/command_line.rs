use super::support::{World, null_template};

#[test]
fn no_command_and_unknown_commands_end_with_127() {
    let out = World::new().kiln(&[]).expect(127);
    insta::assert_snapshot!(out, @"");
    let unknown = World::new().kiln(&["buidl"]);
    assert_eq!(unknown.stderr, "there is no command `buidl`; is `build` meant?\n");
    assert_eq!(unknown.expect(127), out);
    assert_eq!(World::new().kiln(&["--help"]).expect(0), out);
}

#[test]
fn help_stands_anywhere_behind_a_command() {
    let help = World::new().kiln(&["inspect", "-h"]).expect(0);
    insta::assert_snapshot!(help, @"");
    assert_eq!(World::new().kiln(&["inspect", "x.json", "--help"]).expect(0), help);
}

#[test]
fn usage_errors_print_the_help_and_then_the_reason() {
    for (arguments, reason) in [
        (&["build", "-bogus", "t.json"][..], "flag provided but not defined: -bogus"),
        (
            &["build", "-parallel-builds=x", "t.json"],
            r#"invalid value "x" for flag -parallel-builds: parse error"#,
        ),
        (
            &["validate", "-var", "novalue", "t.json"],
            r#"invalid value "novalue" for flag -var: No '=' value in arg: novalue"#,
        ),
        (
            &["build", "-on-error=x", "t.json"],
            r#"invalid value "x" for flag -on-error: expected one of ["cleanup" "abort" "ask" "run-cleanup-provisioner"]"#,
        ),
    ] {
        let out = World::with("t.json", &null_template("")).kiln(arguments).expect(1);
        assert!(out.starts_with(&format!("Usage: kiln {} ", arguments[0])), "{out}");
        assert!(out.ends_with(&format!("{reason}\n")), "{out}");
    }
    // Exactly one template.
    for arguments in [&["build"][..], &["validate", "a.json", "b.json"]] {
        assert!(World::new().kiln(arguments).expect(1).starts_with("Usage: kiln "));
    }
}

#[test]
fn flags_before_the_command_are_refused() {
    let out = World::new().kiln(&["-force", "build"]).expect(1);
    assert!(out.starts_with("Invalid flags before the subcommand."), "{out}");
}
