//! The effects of a build, a file each, in the order they happen.

pub(crate) mod address;
pub(crate) mod carry;
pub(crate) mod choice;
pub(crate) mod connect;
pub(crate) mod copies;
pub(crate) mod family;
pub(crate) mod host_key;
pub(crate) mod image;
pub(crate) mod instance;
pub(crate) mod key_pair;
pub(crate) mod leftovers;
pub(crate) mod pre_validate;
pub(crate) mod refusal;
pub(crate) mod replaced_image;
pub(crate) mod share;
pub(crate) mod snapshot;
pub(crate) mod source_image;
pub(crate) mod spot;
pub(crate) mod stop;
