//! The engine from outside: scripted components and an in-memory cloud go in; events, journal and what is left of the
//! cloud come out.
#![allow(clippy::unwrap_used)]

mod support;

mod cancel;
mod commons;
mod gc;
mod on_error;
mod post_process;
mod provision;
mod retry;
mod schedule;
mod unwind;
