//! The SSH server of a machine: accepts connections while the guest runs, and cuts them when it
//! ends, the way a machine that goes away does.

mod channel;
mod session;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId, cipher, kex, mac};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::machine::Shared;

/// More connections at once than any build makes; each beyond it is closed.
const CONNECTIONS: usize = 64;

/// Strong first, and last what clients of 2018 and before need (Debian's packer among them).
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::DH_G14_SHA1,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];
const MACS: &[mac::Name] = &[
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA1,
];

/// Accepts until cancelled.
pub(super) async fn serve(machine: Arc<Shared>, listener: TcpListener, cancel: CancellationToken) {
    let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors, most likely; some will be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(seat) = room.clone().try_acquire_owned() else { continue };
        let local = stream.local_addr().unwrap_or(peer);
        let _ = stream.set_nodelay(true);
        let (machine, cancel) = (machine.clone(), cancel.clone());
        tokio::spawn(async move {
            let _seat = seat;
            if !machine.spec.gate.admits(peer.ip()) {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = silence(stream) => {}
                }
                return;
            }
            let config = Arc::new(config(&machine));
            let session = session::Session::new(machine, peer, local, cancel.clone());
            match russh::server::run_stream(config, Cuttable::new(stream, cancel), session).await {
                Ok(running) => {
                    if let Err(error) = running.await {
                        tracing::debug!(%peer, %error, "connection ended");
                    }
                }
                Err(error) => tracing::debug!(%peer, %error, "connection refused"),
            }
        });
    }
}

/// Keeps a connection as one whose packets are dropped: nothing is answered. The kernel has accepted it already, which
/// is as near as one gets without rights over the host's network. It costs a descriptor until the caller gives up.
pub(crate) async fn silence(mut stream: TcpStream) {
    let mut ignored = [0; 512];
    while let Ok(1..) = stream.read(&mut ignored).await {}
}

/// The methods on offer depend on what is bound just now: a key pair rules the password out, as
/// on the real cloud.
fn methods(machine: &Shared) -> MethodSet {
    let mut methods = MethodSet::empty();
    methods.push(MethodKind::PublicKey);
    if machine.spec.password.is_some() && machine.spec.authorized_keys.is_empty() {
        methods.push(MethodKind::Password);
        methods.push(MethodKind::KeyboardInteractive);
    }
    methods
}

fn config(machine: &Shared) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-alicloud-local")),
        methods: methods(machine),
        // The clients are on this machine and allowed to try; there is nothing to slow down.
        auth_rejection_time: Duration::from_millis(10),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: machine.host_keys(),
        max_auth_attempts: 20,
        // A long silent command is no reason to hang up.
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 10,
        nodelay: true,
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            ..Preferred::DEFAULT
        },
        ..Config::default()
    }
}

/// A connection that ends, in the middle of anything, when the machine does.
struct Cuttable {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cuttable {
    fn new(stream: TcpStream, cancel: CancellationToken) -> Cuttable {
        Cuttable { stream, cut: Box::pin(cancel.cancelled_owned()) }
    }

    fn is_cut(&mut self, cx: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.is_cut(cx) {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
