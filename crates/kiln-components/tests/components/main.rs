//! What the components of this room do, seen from outside: settings in, events and effects out.
#![allow(clippy::unwrap_used)]

mod machine;
mod support;

mod builders;
mod faults;
mod file;
mod post_processors;
mod shell;
mod shell_local;
