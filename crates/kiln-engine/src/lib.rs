//! Runs a plan: prepares its builds, runs them side by side, keeps the durable journal, and leaves nothing behind.
//!
//! The engine knows components only by their traits and resources only by the reclaim table; it has never heard of
//! a cloud, a template language or a terminal.
#![cfg_attr(test, allow(clippy::unwrap_used))]

// Before anything happens.
pub mod options;
pub mod prepare;

// While it happens.
mod build;
mod on_error;
mod post_process;
mod provision;
mod schedule;

// What is written down, and what becomes of it.
pub mod gc;
mod journal;
mod ledger;
pub mod runs;
mod unwind;

pub use gc::{GcOptions, GcReport, collect};
pub use options::{CrashAfter, Engine, Interrupt, Options};
pub use prepare::{PreparedBuild, prepare};
pub use schedule::{RunReport, run};
