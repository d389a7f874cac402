//! The HTTP face: requests in, signatures checked, answers out.

mod admin;
mod answer;
mod connection;
mod gateway;
mod metadata;
mod rate;
mod request;
mod signature;

pub use connection::{Connections, Peer};
pub use gateway::router;
pub use metadata::router as metadata;
pub use rate::Rates;
pub use signature::Nonces;
#[cfg(test)]
pub use signature::{encoded, sign_acs3, sign_rpc};

/// Writes bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
