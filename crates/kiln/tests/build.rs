use super::support::{Output, World, null_template, shell_local};

fn build(world: &World, flags: &[&str]) -> Output {
    let mut arguments = vec!["build", "-color=false"];
    arguments.extend(flags);
    arguments.push("t.json");
    world.kiln(&arguments)
}

#[test]
fn a_build_says_packers_lines() {
    let world = World::with("t.json", &null_template(&shell_local("echo hi; echo err >&2")));
    let out = build(&world, &[]);
    insta::assert_snapshot!(out.stdout, @r"
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    ==> null: hi
    ==> null: err
    Build 'null' finished after […].

    ==> Wait completed after […]

    ==> Builds finished. The artifacts of successful builds are:
    --> null: Did not export anything. This is the null builder
    ");
    assert_eq!(out.code, 0);
}

#[test]
fn a_build_for_programs() {
    let world = World::with(
        "t.json",
        r#"{"builders": [{"type": "file", "target": "a.txt", "content": "x"}], "post-processors": ["manifest"]}"#,
    );
    let out = build(&world, &["-machine-readable"]).expect(0);
    insta::assert_snapshot!(out, @r"
    [TIME],,ui,say,==> file: Running post-processor: manifest
    [TIME],,ui,say,Build 'file' finished after […].
    [TIME],,ui,say,\n==> Wait completed after […]
    [TIME],,ui,say,\n==> Builds finished. The artifacts of successful builds are:
    [TIME],file,artifact-count,2
    [TIME],file,artifact,0,builder-id,packer.file
    [TIME],file,artifact,0,id,File
    [TIME],file,artifact,0,string,Stored file: a.txt
    [TIME],file,artifact,0,files-count,1
    [TIME],file,artifact,0,file,0,a.txt
    [TIME],file,artifact,0,end
    [TIME],,ui,say,--> file: Stored file: a.txt
    [TIME],file,artifact,1,builder-id,packer.file
    [TIME],file,artifact,1,id,File
    [TIME],file,artifact,1,string,Stored file: a.txt
    [TIME],file,artifact,1,files-count,1
    [TIME],file,artifact,1,file,0,a.txt
    [TIME],file,artifact,1,end
    [TIME],,ui,say,--> file: Stored file: a.txt
    ");
    assert_eq!(world.read("a.txt"), "x");
    assert!(world.read("packer-manifest.json").contains("\"builder_type\": \"file\""));
}

#[test]
fn a_build_as_events() {
    let world = World::with("t.json", &null_template(&shell_local("echo hi")));
    for flag in ["-json", "--json"] {
        let out = build(&world, &[flag]).expect(0);
        let names: Vec<&str> = out
            .lines()
            .map(|line| line.split("\"event\":\"").nth(1).unwrap().split('"').next().unwrap())
            .collect();
        assert_eq!((names[0], names[names.len() - 1]), ("run_started", "run_finished"), "{out}");
        assert!(names.contains(&"step_finished") && names.contains(&"remote_output"), "{out}");
    }
}

#[test]
fn colours_are_on_unless_refused() {
    let world = World::with("t.json", &null_template(&shell_local("echo hi")));
    let out = world.kiln(&["build", "t.json"]).expect(0);
    assert!(
        out.starts_with("\x1b[1;32mnull: output will be in this color.\x1b[0m\n\n\x1b[1;32m==> null:"),
        "{out}"
    );
    assert!(!build(&world, &[]).expect(0).contains('\x1b'));
    let plain =
        World::with("t.json", &null_template("")).env("PACKER_NO_COLOR", "1").kiln(&["build", "t.json"]);
    assert!(plain.expect(0).starts_with("null: output will be in this color.\n\n"));
}

const TWO: &str = r#"{"builders": [
  {"type": "null", "communicator": "none", "name": "a"},
  {"type": "null", "communicator": "none", "name": "b"}],
 "provisioners": [{"type": "shell-local", "inline": ["echo {{build_name}} $PACKER_BUILD_NAME"]}]}"#;

#[test]
fn only_and_except_select_builds() {
    let world = World::with("t.json", TWO);
    for flags in [&["-only=a"][..], &["-except", "b"], &["--only=a,b", "--except=b"]] {
        let out = build(&world, flags).expect(0);
        assert!(out.contains("==> null.a: a a\n") && !out.contains("null.b"), "{flags:?}\n{out}");
    }
    insta::assert_snapshot!(build(&world, &["-only=nope"]).expect(1), @r"
    Error: No builds to run

    A build command cannot run without at least one build to process. If the only or
    except flags have been specified at run time check that at least one build is
    selected for execution.
    ");
}

#[test]
fn one_build_at_a_time_if_asked() {
    let world = World::with("t.json", TWO);
    let out = build(&world, &["-parallel-builds=1"]).expect(0);
    let finished = out.find("Build 'null.a' finished").unwrap();
    assert!(finished < out.find("==> null.b").unwrap(), "{out}");
}

#[test]
fn time_stands_before_lines_if_asked() {
    let world = World::with("t.json", &null_template(&shell_local("echo hi")));
    let out = build(&world, &["-timestamp-ui"]).expect(0);
    let line = out.lines().find(|line| line.ends_with("==> null: hi")).unwrap();
    let time = line.split(": ==>").next().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
}

#[test]
fn a_template_comes_from_standard_input() {
    let out = World::new()
        .kiln_with_input(&["build", "-color=false", "-"], &null_template(&shell_local("echo hi")));
    assert!(out.expect(0).contains("==> null: hi\n"));
}

#[test]
fn a_failing_script_fails_the_build() {
    let world = World::with("t.json", &null_template(&shell_local("echo failing; exit 3")));
    insta::assert_snapshot!(build(&world, &[]).expect(1), @r"
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    ==> null: failing
    ==> null: Provisioning step had errors: Running the cleanup provisioner, if present...
    Build 'null' errored after […]: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]

    ==> Wait completed after […]

    ==> Some builds didn't complete successfully and had errors:
    --> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]

    ==> Builds finished but no artifacts were created.
    ");
}

const WITH_CLEANUP: &str = r#"{"builders": [{"type": "null", "communicator": "none"}],
 "provisioners": [{"type": "shell-local", "inline": ["exit 3"]}],
 "error-cleanup-provisioner": {"type": "shell-local", "inline": ["echo cleaning-up"]}}"#;

#[test]
fn on_error_decides_what_is_cleaned_up() {
    let world = World::with("t.json", WITH_CLEANUP);
    let cleaned =
        |mode: &str| build(&world, &[&format!("-on-error={mode}")]).expect(1).contains("cleaning-up");
    assert!(cleaned("cleanup"));
    assert!(cleaned("run-cleanup-provisioner"));
    assert!(!cleaned("abort"));
    // Nobody can be asked here, which means: clean up.
    assert!(cleaned("ask"));
}

#[test]
fn builds_that_cannot_be_prepared_fail_the_command_and_others_still_run() {
    let world = World::with(
        "t.json",
        r#"{"builders": [{"type": "file", "name": "bad"}, {"type": "file", "target": "a.txt", "content": "x"}]}"#,
    );
    let out = build(&world, &[]).expect(1);
    assert!(out.starts_with("Error: Failed to prepare build: \"bad\"\n"), "{out}");
    assert!(out.contains("--> file: Stored file: a.txt\n"), "{out}");
}

#[test]
fn secrets_never_come_out() {
    let template = r#"{"variables": {"pw": "t0ps3cret"}, "sensitive-variables": ["pw"],
      "builders": [{"type": "null", "communicator": "none"}],
      "provisioners": [{"type": "shell-local", "inline": ["echo {{user `pw`}} t0ps3cret; exit 4"]}]}"#;
    let world = World::with("t.json", template).env("PACKER_LOG", "1");
    for flags in [&[][..], &["-machine-readable"], &["-json"]] {
        let out = build(&world, flags);
        assert!(out.stdout.contains("<sensitive> <sensitive>"), "{}", out.stdout);
        assert!(!out.stdout.contains("t0ps3cret") && !out.stderr.contains("t0ps3cret"), "{}", out.stderr);
        assert_eq!(out.code, 1);
    }
}

#[test]
fn scripts_learn_the_run() {
    let world = World::with("t.json", &null_template(&shell_local("echo run $PACKER_RUN_UUID")));
    let out = build(&world, &[]).expect(0);
    let run = out.lines().find_map(|line| line.strip_prefix("==> null: run ")).unwrap().to_owned();
    assert_eq!(run.len(), 36, "{run}");
    assert!(world.state().join("runs").join(&run).join("journal.jsonl").exists());
    assert!(world.kiln(&["runs"]).expect(0).starts_with(&run));
}

#[test]
fn a_reader_that_leaves_ends_the_build_quietly() {
    let world = World::with(
        "t.json",
        &null_template(&shell_local("echo hi; while :; do echo more; sleep 0.05; done")),
    );
    let mut running = world.start(&["build", "-color=false", "t.json"]);
    running.wait_for("==> null: hi");
    assert_eq!(running.stop_reading(), 1);
}

#[test]
fn flags_of_the_embedded_cloud_need_it() {
    let world = World::with("t.json", &null_template(""));
    let out = build(&world, &["-local-state=x"]).expect(1);
    assert_eq!(out, "-local-state says how -local works, and -local is not given\n");
}
