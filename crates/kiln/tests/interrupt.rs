use nix::sys::signal::Signal;

use super::support::{World, null_template, shell_local};

/// Waits for a line, never for time to pass.
fn interrupted(signal: Signal) -> String {
    let world = World::with("t.json", &null_template(&shell_local("echo begun; sleep 60")));
    let mut running = world.start(&["build", "-color=false", "t.json"]);
    running.wait_for("==> null: begun");
    running.signal(signal);
    running.finish().expect(1)
}

#[test]
fn an_interrupt_stops_the_build_cleanly() {
    insta::assert_snapshot!(interrupted(Signal::SIGINT), @r"
    ==> null: Running local shell script: [TMP]/packer-shell[N]
    ==> null: begun
    Cancelling build after receiving interrupt
    ==> null: Provisioning step had errors: Running the cleanup provisioner, if present...
    Build 'null' errored after […]: Error executing script: [TMP]/packer-shell[N]

    Please see output above for more information.

    ==> Wait completed after […]
    Cleanly cancelled builds after being interrupted.
    ");
}

#[test]
fn a_termination_is_an_interrupt() {
    let out = interrupted(Signal::SIGTERM);
    assert!(out.contains("\nCancelling build after receiving terminated\n"), "{out}");
    assert!(out.ends_with("\nCleanly cancelled builds after being interrupted.\n"), "{out}");
}

#[test]
fn the_third_interrupt_leaves_at_once() {
    // A script that ignores being asked to stop.
    let script = "trap '' INT TERM; echo begun; while :; do sleep 0.1; done";
    let world = World::with("t.json", &null_template(&shell_local(script)));
    let mut running = world.start(&["build", "-color=false", "t.json"]);
    running.wait_for("==> null: begun");
    running.signal(Signal::SIGINT);
    running.wait_for("Cancelling build after receiving interrupt");
    running.signal(Signal::SIGINT);
    running.wait_for("Asked again");
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 1);
}
