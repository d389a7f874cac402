//! What we rely on in the cloud, asked through the typed calls: on the embedded cloud always, and on the real one (or
//! another) where somebody asks for it, since there it costs a little money. See `place` for how, and for what is made
//! sure: everything made is tagged, and deleted whatever happens.
//!
//! No instance is ever started: what a running one does is the business of the program's own tests.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod place;

mod catalogue;
mod instances;
mod key_pairs;
mod network;
mod security_groups;
mod signing;
