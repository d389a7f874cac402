//! The program as users run it: a template and arguments in, everything that came out compared.
#![allow(clippy::unwrap_used)]

mod support;

mod alicloud;
mod build;
mod command_line;
mod gc;
mod inspect;
mod interrupt;
mod peer;
mod validate;
mod version;
