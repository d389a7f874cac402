//! SOCKS5 (RFC 1928) with user name and password (RFC 1929). Names are resolved by the proxy.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::wire::Stream;
use crate::connect::{Address, Failure, SocksProxy};

const VERSION: u8 = 5;
const NO_LOG_IN: u8 = 0;
const USER_NAME: u8 = 2;

/// Asks the proxy for a connection to `address`.
pub async fn connect(
    mut stream: Box<dyn Stream>,
    proxy: &SocksProxy,
    address: &Address,
) -> Result<Box<dyn Stream>, Failure> {
    let broken = |error: std::io::Error| Failure::Unreachable(address.clone(), error.to_string());
    let refused = |reason: &str| Failure::Unreachable(address.clone(), reason.to_owned());

    let method = if proxy.username.is_some() { USER_NAME } else { NO_LOG_IN };
    stream.write_all(&[VERSION, 1, method]).await.map_err(broken)?;
    let mut reply = [0; 2];
    stream.read_exact(&mut reply).await.map_err(broken)?;
    if reply != [VERSION, method] {
        return Err(refused("it is no SOCKS5 proxy, or it wants another kind of log-in"));
    }
    if let Some(username) = &proxy.username {
        let password = proxy.password.as_ref().map(kiln_core::Secret::expose).unwrap_or_default();
        let mut request = vec![1];
        for text in [username.as_str(), password] {
            let length =
                u8::try_from(text.len()).map_err(|_| refused("user name or password is too long"))?;
            request.push(length);
            request.extend_from_slice(text.as_bytes());
        }
        stream.write_all(&request).await.map_err(broken)?;
        stream.read_exact(&mut reply).await.map_err(broken)?;
        if reply[1] != 0 {
            return Err(refused("the user name or the password is wrong"));
        }
    }

    stream
        .write_all(&request(address).ok_or_else(|| refused("the host name is too long"))?)
        .await
        .map_err(broken)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(broken)?;
    match head[1] {
        0 => {}
        3 | 4 => return Err(refused("no route to it")),
        5 => return Err(Failure::Refused(address.clone())),
        6 => return Err(Failure::Silent(address.clone())),
        2 => return Err(refused("forbidden")),
        code => return Err(refused(&format!("refused (code {code})"))),
    }
    // The bound address says nothing to us, but stands before the data.
    let length = match head[3] {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await.map_err(broken)?),
        _ => return Err(refused("an answer that makes no sense")),
    };
    let mut rest = vec![0; length + 2];
    stream.read_exact(&mut rest).await.map_err(broken)?;
    Ok(stream)
}

fn request(address: &Address) -> Option<Vec<u8>> {
    let mut request = vec![VERSION, 1, 0];
    match address.host.parse() {
        Ok(IpAddr::V4(ip)) => {
            request.push(1);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(4);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            request.extend_from_slice(&[3, u8::try_from(address.host.len()).ok()?]);
            request.extend_from_slice(address.host.as_bytes());
        }
    }
    request.extend_from_slice(&address.port.to_be_bytes());
    Some(request)
}
