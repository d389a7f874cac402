//! The program: arguments in, exit code out.
//!
//! The only room that prints, reads the environment and knows every other room. `flags` says what was typed,
//! `commands` holds a file a command, `render` turns events into lines. A command that only reads a template starts
//! no runtime and opens no socket: it must answer in milliseconds.
#![cfg_attr(test, allow(clippy::unwrap_used))]

// In.
mod commands;
mod credential_files;
mod env_vars;
mod flags;

// Through.
mod local;
mod prompt;
mod signals;
mod stage;
mod tls;
mod world;

// Out.
mod failure;
mod logging;
mod render;
mod ui;

use std::process::ExitCode;

use env_vars::Environment;

fn main() -> ExitCode {
    // An instance of the embedded cloud is this program once more, inside its sandbox: before anything else runs.
    if let Some(code) = local::instance_helper() {
        return code;
    }
    let run = uuid::Uuid::new_v4().to_string();
    export(env_vars::PACKER_RUN_UUID, &run);
    // Names of files may be anything; flags and commands are Unicode.
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    ExitCode::from(commands::main(arguments.collect(), Environment::of_process(), run))
}

/// Sets a variable for this process and all it starts.
#[expect(
    unsafe_code,
    reason = "no other thread has been started yet, so nobody can be reading the environment"
)]
fn export(name: &str, value: &str) {
    // SAFETY: called from `main` before any thread is started.
    unsafe { std::env::set_var(name, value) };
}
