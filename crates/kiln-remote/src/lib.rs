//! Communicators: how a machine is reached, and how files get there and back.

pub mod dial;
