//! Legacy JSON templates.
//!
//! `parse` reads the text, `template` finds every fault of its shape, `check` those between its parts, `variables`
//! renders the user variables, and `plan` puts it all together. `shape` and `messages` speak the words of the
//! libraries Packer reports such faults with: they are an interface that people and scripts search for.

pub mod model;
pub mod parse;
pub mod syntax;

mod check;
mod given;
mod inspect;
mod messages;
mod plan;
mod shape;
mod template;
mod variables;

pub use given::Given;
pub use model::Template;
pub use template::load;
pub use variables::Variables;
