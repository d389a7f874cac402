use super::support::{World, null_template};

#[test]
fn no_command_and_unknown_commands_end_with_127() {
    let out = World::new().kiln(&[]).expect(127);
    insta::assert_snapshot!(out, @r"
    Usage: kiln [--version] [--help] <command> [<args>]

    Available commands are:
        build          build image(s) from template
        cloud serve    serves the embedded cloud to other programs
        gc             deletes what dead runs left behind
        inspect        see components of a template
        runs           lists runs, how they ended and what is left of them
        validate       check that a template is valid
        version        Prints the version
        whoami         tells as whom builds sign in
    ");
    let unknown = World::new().kiln(&["buidl"]);
    assert_eq!(unknown.stderr, "there is no command `buidl`; is `build` meant?\n");
    assert_eq!(unknown.expect(127), out);
    assert_eq!(World::new().kiln(&["--help"]).expect(0), out);
}

#[test]
fn help_stands_anywhere_behind_a_command() {
    let help = World::new().kiln(&["inspect", "-h"]).expect(0);
    insta::assert_snapshot!(help, @r"
    Usage: kiln inspect [options] TEMPLATE
      Shows a template's variables, builders and provisioners. Without a template it shows the smallest there is.

    Options:

      -only=foo,bar,baz             Only these builds.
      -except=foo,bar,baz           All builds and post-processors but these.
      -var 'key=value'              Sets a variable; may be given many times.
      -var-file=path                A JSON file with variables; may be given many times, the later wins.
      -config-type=[json|hcl2]      The language where the template's name does not decide it. (Default: json)
      -use-sequential-evaluation    HCL2 templates: data sources first, then locals. JSON templates have neither.
    ");
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
