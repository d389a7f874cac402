//! The program as users run it: a template and arguments in, everything that came out compared.
// Tests start processes and say why they were skipped.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod support;

mod alicloud;
mod build;
mod command_line;
mod examples;
mod gc;
mod inspect;
mod interrupt;
mod on_error;
mod pages;
mod peer;
mod terminal;
mod validate;
mod version;
mod whoami;
