//! The cloud as a client sees it: over HTTP, with a clock that stands until it is stepped and machines that only note
//! what is asked of them.

mod access;
mod build;
mod console;
mod faults;
mod gateway;
mod images;
mod limits;
mod market;
mod metadata;
mod refusals;
mod world;
