//! What the libraries beneath read from the environment: proxies and trusted certificates. A process' environment
//! cannot be changed safely from within, so each case runs this test binary again with its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::Command,
    sync::Arc,
};

use alicloud_api::{
    Client, ClientConfig, Credentials, ErrorKind, NetworkFault, Product, ecs::DescribeRegions,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::fake::{Fake, KEY, SECRET};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
/// Nobody listens on port 1.
const DEAD_PROXY: &str = "http://127.0.0.1:1";

/// Runs the ignored test `name` of this file in a process with this environment added.
fn rerun(name: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.args(["--exact", &format!("environment::{name}"), "--ignored"]).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn plain_loopback_ignores_proxies_and_reads_no_certificates() {
    // Certificates that cannot be read do no harm where none are needed.
    rerun(
        "child_calls_plain_loopback",
        &[
            ("HTTP_PROXY", DEAD_PROXY),
            ("http_proxy", DEAD_PROXY),
            ("ALL_PROXY", DEAD_PROXY),
            ("SSL_CERT_FILE", "/nowhere"),
        ],
    );
}

#[tokio::test]
#[ignore = "run by plain_loopback_ignores_proxies_and_reads_no_certificates"]
async fn child_calls_plain_loopback() {
    let fake = Fake::start([]).await;
    fake.client().ecs("cn-beijing").describe_regions(&DescribeRegions::default()).await.unwrap();
}

#[test]
fn ssl_cert_file_is_trusted_and_tls_loopback_ignores_proxies() {
    let own = format!("{DATA}/loopback.pem");
    rerun(
        "child_trusts_the_server",
        &[("SSL_CERT_FILE", &own), ("HTTPS_PROXY", DEAD_PROXY), ("ALL_PROXY", DEAD_PROXY)],
    );
    let other = format!("{DATA}/stranger.pem");
    rerun("child_does_not_trust_the_server", &[("SSL_CERT_FILE", &other)]);
    rerun("child_has_no_certificates", &[("SSL_CERT_FILE", "/nowhere")]);
}

#[tokio::test]
#[ignore = "run by ssl_cert_file_is_trusted_and_tls_loopback_ignores_proxies"]
async fn child_trusts_the_server() {
    let ecs = client_of(&format!("https://127.0.0.1:{}", serve_tls())).ecs("cn-beijing");
    ecs.describe_regions(&DescribeRegions::default()).await.unwrap();
}

#[tokio::test]
#[ignore = "run by ssl_cert_file_is_trusted_and_tls_loopback_ignores_proxies"]
async fn child_does_not_trust_the_server() {
    let ecs = client_of(&format!("https://127.0.0.1:{}", serve_tls())).ecs("cn-beijing");
    let error = ecs.describe_regions(&DescribeRegions::default()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Network(NetworkFault::Tls), "{error:?}");
    assert_eq!(error.attempts(), 1, "an untrusted certificate stays untrusted");
}

#[tokio::test]
#[ignore = "run by ssl_cert_file_is_trusted_and_tls_loopback_ignores_proxies"]
async fn child_has_no_certificates() {
    let ecs = client_of("https://127.0.0.1:1").ecs("cn-beijing");
    let error = ecs.describe_regions(&DescribeRegions::default()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
}

#[test]
fn real_hosts_go_through_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        (&stream).write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").unwrap();
        line
    });
    rerun(
        "child_calls_a_real_host",
        &[("HTTPS_PROXY", &proxy), ("SSL_CERT_FILE", &format!("{DATA}/loopback.pem"))],
    );
    assert_eq!(asked.join().unwrap(), "CONNECT ecs.cn-beijing.aliyuncs.com:443 HTTP/1.1\r\n");
}

#[tokio::test]
#[ignore = "run by real_hosts_go_through_the_proxy"]
async fn child_calls_a_real_host() {
    let mut config = ClientConfig::new(Credentials::new(KEY, SECRET), "cn-beijing");
    config.retry.unconnected_attempts_max = 1;
    let ecs = Client::new(config).unwrap().ecs("cn-beijing");
    let error = ecs.describe_regions(&DescribeRegions::default()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Network(NetworkFault::Unreachable), "{error:?}");
}

fn client_of(endpoint: &str) -> Client {
    let mut config = ClientConfig::new(Credentials::new(KEY, SECRET), "cn-beijing");
    config.endpoints = config.endpoints.with(Product::Ecs, endpoint).unwrap();
    config.retry.first_pause = std::time::Duration::from_millis(1);
    Client::new(config).unwrap()
}

/// Starts a TLS server that answers `{}` to everything; returns its port.
fn serve_tls() -> u16 {
    let certificate = CertificateDer::from_pem_file(format!("{DATA}/loopback.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{DATA}/loopback.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream.unwrap());
            // The request has no body, so one read to the end of its head is enough; a failed handshake ends here.
            let mut head = Vec::new();
            let mut chunk = [0; 4096];
            while !head.ends_with(b"\r\n\r\n") {
                match tls.read(&mut chunk) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => head.extend_from_slice(&chunk[..length]),
                }
            }
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    port
}
