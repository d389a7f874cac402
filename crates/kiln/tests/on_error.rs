//! Questions asked at the terminal, whatever standard input is.

use super::support::terminal::Screen;
use super::support::{World, null_template, shell_local};

const QUESTION: &str = "[c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)? ";

/// A build whose only script succeeds the second time.
fn failing() -> World {
    World::with("t.json", &null_template(&shell_local("test -e again || { touch again; exit 3; }")))
}

/// Runs with everything on the terminal; types `keys`, each when the question stands there.
fn answered(world: &World, keys: &[&str]) -> (String, i32) {
    let arguments = ["build", "-color=false", "-on-error=ask", "t.json"];
    let mut running = world.at_terminal(&arguments, Screen::All);
    for keys in keys {
        running.wait_for(QUESTION);
        running.type_in(keys);
    }
    let (screen, output) = running.finish();
    // The closing table has times in it and tests of its own.
    let lines = screen.split("\n==> Where the time went").next().unwrap();
    (lines.to_owned(), output.code)
}

#[test]
fn c_cleans_up() {
    let world = failing();
    let (screen, code) = answered(&world, &["c\n"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(screen, @r#"
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    ==> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]
    ==> null: Step "StepProvision" failed
    [c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)? c
    ==> null: Provisioning step had errors: Running the cleanup provisioner, if present...
    Build 'null' errored after […]: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]

    ==> Wait completed after […]

    ==> Some builds didn't complete successfully and had errors:
    --> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]

    ==> Builds finished but no artifacts were created.
    "#);
}

#[test]
fn a_aborts() {
    let world = failing();
    let (screen, code) = answered(&world, &["a\n"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(screen, @r#"
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    ==> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]
    ==> null: Step "StepProvision" failed
    [c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)? a
    ==> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]
    ==> null: Step "StepProvision" failed, aborting...
    ==> null: aborted: skipping cleanup of step "StepConnect"
    Build 'null' errored after […]: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]

    ==> Wait completed after […]

    ==> Some builds didn't complete successfully and had errors:
    --> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]

    ==> Builds finished but no artifacts were created.
    "#);
}

#[test]
fn r_tries_the_step_again() {
    let world = failing();
    let (screen, code) = answered(&world, &["r\n"]);
    assert_eq!(code, 0, "{screen}");
    insta::assert_snapshot!(screen, @r#"
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    ==> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]
    ==> null: Step "StepProvision" failed
    [c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)? r
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    Build 'null' finished after […].

    ==> Wait completed after […]

    ==> Builds finished. The artifacts of successful builds are:
    --> null: Did not export anything. This is the null builder
    "#);
}

#[test]
fn another_answer_is_asked_about_again() {
    let world = failing();
    let (screen, code) = answered(&world, &["maybe\n", "\n"]);
    assert_eq!(code, 1);
    assert!(screen.contains("\n==> null: Incorrect input: \"maybe\"\n"), "{screen}");
    // Nothing but Enter cleans up.
    assert!(!screen.contains("aborting"), "{screen}");
}

#[test]
fn an_interrupt_at_the_question_cleans_up() {
    let world = failing();
    let (screen, code) = answered(&world, &["\x03"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(screen, @r#"
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    ==> null: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]
    ==> null: Step "StepProvision" failed
    [c] Clean up and exit, [a] abort without cleanup, or [r] retry step (build may fail even if retry succeeds)? ^C
    Cancelling build after receiving interrupt
    ==> null: Provisioning step had errors: Running the cleanup provisioner, if present...
    Build 'null' errored after […]: Script exited with non-zero exit status: 3. Allowed exit codes are: [0]

    ==> Wait completed after […]
    Cleanly cancelled builds after being interrupted.
    "#);
}

#[test]
fn without_a_terminal_everything_is_cleaned_up() {
    let world = failing();
    let out = world.start(&["build", "-color=false", "-on-error=ask", "t.json"]).finish();
    let out = out.expect(1);
    assert!(out.contains("==> null: Step \"StepProvision\" failed\n"), "{out}");
    assert!(!out.contains("[c] Clean up"), "{out}");
}

#[test]
fn the_answer_comes_from_the_terminal_where_the_lines_go_into_a_pipe() {
    let world = failing();
    let arguments = ["build", "-color=false", "-on-error=ask", "t.json"];
    let mut running = world.at_terminal(&arguments, Screen::ErrorsOnly);
    // Typed ahead: the question itself goes into the pipe.
    running.type_in("r\n");
    let (_, output) = running.finish();
    assert_eq!(output.stdout.matches(QUESTION).count(), 1, "{}", output.stdout);
    let _ = output.expect(0);
}
