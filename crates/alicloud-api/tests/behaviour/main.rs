//! What the client does on the wire: against a scripted server on loopback, and against recorded facts.

#![allow(clippy::unwrap_used)]

mod calls;
mod credentials;
mod environment;
mod fake;
mod signatures;
mod transport;
