//! An embedded Alibaba Cloud: signed APIs over HTTP and sandboxed instances behind a real SSH server.
//!
//! Start one with [`Cloud::start`], point any client at [`Cloud::endpoint`] with [`Cloud::credentials`], and reach
//! the instances it makes through [`Cloud::dial`]. It shares no type with any client, so that a mistake cannot hide
//! on both sides of the wire: what both know is the published interface.
//!
//! Reading order: a request comes in through `http`, is looked up in the table of `api`, handled by a family (`ecs`,
//! `vpc`, `access`), which changes the `model`; `settle` lets time do the rest, and `machines` does what
//! has an effect outside this process.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cloud;
mod options;

mod access;
mod api;
mod ecs;
mod http;
mod vpc;

mod catalogue;
mod faults;
mod inventory;
mod journal;
mod machines;
mod metadata;
mod model;
mod note;
mod screenshot;
mod settle;
mod store;

mod clock;
mod ids;
mod timings;

pub mod instance;

pub use api::actions;
pub use cloud::{Cloud, Reach, StartError};
pub use faults::{FaultEffect, FaultRule};
pub use instance::{HelperProgram, helper_main};
pub use inventory::{
    Existing, Inventory, InventoryError, InventorySnapshot, Owned, OwnedEip, OwnedImage, OwnedKeyPair,
    OwnedOidcProvider, OwnedPolicy, OwnedRole, OwnedSecurityGroup, OwnedSnapshot, OwnedUser, OwnedVSwitch,
    OwnedVpc,
};
pub use journal::CallRecord;
pub use metadata::Builder;
pub use model::SoldOut;
pub use note::Note;
pub use options::{AddressMode, CloudOptions};
pub use store::StoreError;
