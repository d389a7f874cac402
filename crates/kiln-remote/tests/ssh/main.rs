//! The SSH communicator against OpenSSH's own server.
//!
//! Where `sshd` is missing, or a test needs a user with a password and this is not root, the test says that it is
//! skipped; with `CI=true` that is a failure instead.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stderr,
    missing_docs
)]

mod commands;
mod config;
mod connection;
mod login;
mod support;
mod transfer;
