//! The words every room of Kiln speaks.
//!
//! Values with spans and the diagnostics that point at them; the configuration decoder; the five component
//! traits; events; the ledger's types and [`Run`]; secrets. Nothing here touches files, the network, the
//! environment, processes or a terminal: a room that needs such a thing is handed it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

// What was written.
pub mod diagnostic;
pub mod span;
pub mod value;

// What it means.
pub mod decode;
pub mod duration;
pub mod interpolate;
pub mod plan;
pub mod schema;
pub mod scope;

// What does the work.
pub mod artifact;
pub mod communicator;
pub mod component;
pub mod error;
pub mod prompt;

// What happened.
pub mod commons;
pub mod event;
pub mod ledger;
pub mod reclaim;
pub mod run;
pub mod secret;

#[cfg(test)]
mod test_world;

pub use artifact::Artifact;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, EventKind, Events};
pub use run::Run;
pub use scope::Scope;
pub use secret::Secret;
pub use span::{Source, Span};
pub use value::Value;
