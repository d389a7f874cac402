//! How an address becomes a connection. The embedded cloud's instances have addresses that only its own dialer
//! can reach; everything else goes straight out.

use async_trait::async_trait;
use tokio::net::TcpStream;

/// Opens connections to machines.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// Connects to `host`:`port`. The caller sets the deadline.
    async fn dial(&self, host: &str, port: u16) -> std::io::Result<TcpStream>;
}

/// Straight out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

#[async_trait]
impl Dialer for Direct {
    async fn dial(&self, host: &str, port: u16) -> std::io::Result<TcpStream> {
        TcpStream::connect((host, port)).await
    }
}
