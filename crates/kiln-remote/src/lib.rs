//! Communicators: how a machine is reached, and how files get there and back.
//!
//! A builder flattens [`config::CommunicatorConfig`] into its configuration, resolves it when it is prepared, and
//! calls [`connect::communicator`] once the machine starts. Nothing here knows a cloud or a template; the environment
//! is asked through the [`World`](kiln_core::scope::World).
#![cfg_attr(test, allow(clippy::unwrap_used))]

// What the template says, and what that means.
pub mod config;
pub mod keys;

// Getting there.
pub mod connect;
pub mod dial;
pub mod host_key;

// Being there.
pub mod authorized_keys;
pub mod none;
pub mod output;
pub mod ssh;
