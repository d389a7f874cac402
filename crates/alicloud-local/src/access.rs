//! Who may do what: Sts 2015-04-01, Ram 2015-05-01, and the location service that tells older clients where products
//! are.
//!
//! | file | holds |
//! | --- | --- |
//! | `identity` | who calls, by the name of his key |
//! | `policy` | policies as documents: read, evaluated |
//! | `system` | the policies that the provider keeps |
//! | `permission` | whether a call is allowed, and the refusal |
//! | `sts`, `oidc` | temporary keys |
//! | `roles`, `users`, `policies` | the actions of Ram |
//! | `location` | the location service |

mod identity;
mod location;
mod oidc;
mod permission;
mod policies;
mod policy;
mod roles;
mod sts;
mod system;
mod users;

pub use identity::Identity;
pub use location::ACTIONS as LOCATION;
pub use permission::{authorize, may_pass, trusts_service};
pub use policies::ACTIONS as POLICIES;
pub use policy::Document;
pub use roles::ACTIONS as ROLES;
pub use sts::{ACTIONS as STS, Order, issue};
pub use system::policy as system_policy;
pub use users::ACTIONS as USERS;
