//! What a terminal shows and a pipe never does; pauses that wait for Enter.

use super::support::terminal::Screen;
use super::support::{World, null_template, shell_local};

#[test]
fn debug_pauses_after_each_step_and_before_its_cleanup() {
    let world = World::with("t.json", &null_template(&shell_local("echo hello")));
    let mut running = world.at_terminal(&["build", "-color=false", "-debug", "t.json"], Screen::All);
    for query in [
        "Pausing after run of step 'StepConnect'. Press enter to continue. ",
        "Pausing before the next provisioner . Press enter to continue. ",
        "Pausing after run of step 'StepProvision'. Press enter to continue. ",
        "Pausing before cleanup of step 'StepProvision'. Press enter to continue. ",
        "Pausing before cleanup of step 'StepConnect'. Press enter to continue. ",
    ] {
        running.wait_for(query);
        running.type_in("\n");
    }
    let (screen, output) = running.finish();
    assert_eq!(output.code, 0, "{screen}");
    assert!(screen.starts_with("Debug mode enabled. Builds will not be parallelized.\n"), "{screen}");
}

#[test]
fn an_interrupt_ends_a_debug_pause() {
    let world = World::with("t.json", &null_template(&shell_local("echo hello")));
    let mut running = world.at_terminal(&["build", "-color=false", "-debug", "t.json"], Screen::All);
    running.wait_for("Pausing after run of step 'StepConnect'. Press enter to continue. ");
    running.type_in("\x03");
    let (screen, output) = running.finish();
    assert_eq!(output.code, 1, "{screen}");
    assert!(screen.contains("Cleanly cancelled builds after being interrupted.\n"), "{screen}");
    assert!(!screen.contains("hello"), "{screen}");
}

#[test]
fn a_breakpoint_waits_for_enter() {
    let provisioners =
        format!(r#"{{"type": "breakpoint", "note": "look"}}, {}"#, shell_local("echo went on"));
    let world = World::with("t.json", &null_template(&provisioners));
    let mut running = world.at_terminal(&["build", "-color=false", "t.json"], Screen::All);
    running.wait_for("==> null: Pausing at breakpoint provisioner with note \"look\".");
    running.wait_for("Press enter to continue. ");
    running.type_in("\n");
    running.wait_for("==> null: went on");
    assert_eq!(running.finish().1.code, 0);
}

#[test]
fn an_interrupt_ends_a_breakpoint() {
    let world = World::with("t.json", &null_template(r#"{"type": "breakpoint"}"#));
    let mut running = world.at_terminal(&["build", "-color=false", "t.json"], Screen::All);
    running.wait_for("Press enter to continue. ");
    running.type_in("\x03");
    let (screen, output) = running.finish();
    assert_eq!(output.code, 1);
    assert!(screen.contains("Cancelling build after receiving interrupt\n"), "{screen}");
}

/// A build that goes on when somebody writes into `gate`.
fn waiting() -> World {
    let world = World::with("t.json", &null_template(&shell_local("read line < gate; echo went on")));
    let gate = world.path("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.env("TERM", "xterm-256color")
}

fn open_gate(world: &World) {
    std::fs::write(world.path("gate"), "go\n").unwrap();
}

#[test]
fn progress_is_drawn_on_a_terminal_and_disturbs_nothing_that_is_piped() {
    let world = waiting();
    let mut running = world.at_terminal(&["build", "t.json"], Screen::ErrorsOnly);
    running.wait_for("null: StepProvision (");
    open_gate(&world);
    let (screen, output) = running.finish();
    // Rows are drawn over: that takes control sequences beyond colours.
    assert!(screen.contains("\x1b[2K"), "{screen:?}");
    let out = output.expect(0);
    assert!(out.contains("went on") && !out.contains("StepProvision") && !out.contains("\x1b[2K"), "{out:?}");
}

#[test]
fn nothing_is_drawn_where_standard_error_is_a_pipe() {
    let world = waiting();
    let running = world.at_terminal(&["build", "t.json"], Screen::Nothing);
    open_gate(&world);
    let (screen, output) = running.finish();
    assert_eq!(screen, "");
    assert!(!output.stderr.contains("\x1b"), "{:?}", output.stderr);
    let out = output.expect(0);
    assert!(!out.contains("\x1b[2K") && !out.contains('\r'), "{out:?}");
}

#[test]
fn nothing_is_drawn_where_colours_are_off() {
    let world = waiting();
    let running = world.at_terminal(&["build", "-color=false", "t.json"], Screen::All);
    open_gate(&world);
    let (screen, output) = running.finish();
    assert_eq!(output.code, 0, "{screen}");
    assert!(!screen.contains('\x1b'), "{screen:?}");
}
