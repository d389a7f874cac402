//! The two signatures of RPC calls, as pure functions: what comes in (parameters, time, nonce, credentials) decides
//! what goes out. Sending, retrying and where a parameter travels belong to the transport.

pub mod acs3;
mod percent;
pub mod rpc_v1;

pub use percent::{canonical_query, percent_encode};

/// Which signature a client uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureMethod {
    /// "V3", ACS3-HMAC-SHA256: everything of the signature in headers.
    #[default]
    Acs3,
    /// RPC signature v1, HMAC-SHA1: everything in parameters. For private clouds that know nothing newer.
    RpcV1,
    /// None at all, and no credentials are asked for: `AssumeRoleWithOIDC` is called so.
    Unsigned,
}
