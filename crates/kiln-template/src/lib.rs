//! Template text to Template to Plan.
//!
//! Knows the template languages and nothing of clouds, machines or terminals. Whatever is read of the outside
//! (files, environment, time) comes through [`kiln_core::scope::World`], so evaluation is a function of its
//! arguments. Faults are gathered, never thrown one at a time.
//!
//! ```text
//! json::load(input) ──▶ json::Template ──plan(options, world)──▶ Planned { plan, notes }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

// What goes in.
pub mod selection;
pub mod source;

// The languages.
pub mod json;

// What comes out.
pub mod failure;
pub mod inspection;
pub mod planned;

mod version;

pub use failure::LoadError;
pub use inspection::InspectLine;
pub use planned::{PlanError, PlanOptions, Planned};
pub use selection::Selection;
pub use source::{Language, TemplateInput};
