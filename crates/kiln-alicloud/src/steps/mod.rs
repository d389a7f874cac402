//! The effects of a build, a file each, in the order they happen.

pub(crate) mod address;
pub(crate) mod connect;
pub(crate) mod image;
pub(crate) mod instance;
pub(crate) mod key_pair;
pub(crate) mod pre_validate;
pub(crate) mod replaced_image;
pub(crate) mod security_group;
pub(crate) mod share;
pub(crate) mod snapshot;
pub(crate) mod source_image;
pub(crate) mod stop;
pub(crate) mod vpc;
pub(crate) mod vswitch;
