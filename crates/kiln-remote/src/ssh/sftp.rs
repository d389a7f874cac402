//! Files by the `sftp` subsystem, a session for each operation.

use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use kiln_core::communicator::FileInfo;
use kiln_core::{Error, Result};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{Config, SftpSession};
use russh_sftp::protocol::FileAttributes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Inner;
use super::exec::{accepted, failed};
use super::scp::{CHUNK, enter, entries, local_name, mode, unreadable};

/// Measured best: the library's 16 requests of 32 KiB leave a third unused, 256 KiB are slower again.
const IN_FLIGHT: usize = 64;
const WRITE_PACKET: u32 = 64 << 10;

/// Not what notices a dead machine (the connection's keep-alive does): all that is in flight must get through a slow
/// line within it.
const REQUEST_LIMIT_SECONDS: u64 = 600;

async fn session(inner: &Inner) -> Result<SftpSession> {
    let (mut channel, link) = inner.channel().await?;
    channel.request_subsystem(true, "sftp").await.map_err(|error| failed(inner, &link, &error))?;
    accepted(inner, &link, &mut channel, "the subsystem sftp").await?;
    let config = Config {
        max_concurrent_reads: IN_FLIGHT,
        max_concurrent_writes: IN_FLIGHT,
        max_write_packet_len: WRITE_PACKET,
        request_timeout_secs: REQUEST_LIMIT_SECONDS,
        ..Config::default()
    };
    SftpSession::new_with_config(channel.into_stream(), config)
        .await
        .map_err(|error| wrong("sftp", "", &error))
}

/// Writes a file.
pub async fn upload(
    inner: &Inner,
    path: &str,
    source: &mut (dyn AsyncRead + Send + Unpin),
    info: Option<FileInfo>,
) -> Result<()> {
    let session = session(inner).await?;
    write(&session, path, source, info.map(|info| info.mode)).await?;
    close(&session).await
}

async fn close(session: &SftpSession) -> Result<()> {
    session.close().await.map_err(|error| wrong("close", "the session", &error))
}

async fn write(
    session: &SftpSession,
    path: &str,
    source: &mut (dyn AsyncRead + Send + Unpin),
    mode: Option<u32>,
) -> Result<()> {
    let mut file = session.create(path).await.map_err(|error| wrong("create", path, &error))?;
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        let read = (&mut *source).take(CHUNK as u64).read_to_end(&mut chunk).await;
        if read.map_err(|error| Error::new(format!("read what is uploaded to `{path}`")).source(error))? == 0
        {
            break;
        }
        file.write_all(&chunk)
            .await
            .map_err(|error| Error::new(format!("sftp: write {path}")).source(error))?;
    }
    // Waits for all that is in flight.
    file.shutdown().await.map_err(|error| Error::new(format!("sftp: write {path}")).source(error))?;
    match mode {
        Some(mode) => set_mode(session, path, mode).await,
        None => Ok(()),
    }
}

async fn set_mode(session: &SftpSession, path: &str, mode: u32) -> Result<()> {
    let attributes = FileAttributes { permissions: Some(mode & 0o7777), ..FileAttributes::empty() };
    session.set_metadata(path, attributes).await.map_err(|error| wrong("chmod", path, &error))
}

/// Copies a folder. The destination itself must exist.
pub async fn upload_dir(inner: &Inner, destination: &str, source: &Path, contents_only: bool) -> Result<()> {
    let session = session(inner).await?;
    let mut above = Vec::new();
    if contents_only {
        contents(&session, source, destination, &mut above).await?;
    } else {
        let target = join(destination, &local_name(source).await?);
        folder(&session, source, &target, &mut above).await?;
    }
    close(&session).await
}

fn folder<'a>(
    session: &'a SftpSession,
    source: &'a Path,
    target: &'a str,
    above: &'a mut Vec<PathBuf>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        let metadata = tokio::fs::metadata(source).await.map_err(|error| unreadable(source, error))?;
        if let Err(error) = session.create_dir(target).await {
            // One that exists is fine; the protocol has no code for that.
            let existing = session.metadata(target).await;
            if !existing.is_ok_and(|existing| existing.file_type().is_dir()) {
                return Err(wrong("mkdir", target, &error));
            }
        }
        contents(session, source, target, above).await?;
        // Only now: the mode may forbid writing into it.
        set_mode(session, target, mode(&metadata)).await
    })
}

async fn contents(
    session: &SftpSession,
    source: &Path,
    target: &str,
    above: &mut Vec<PathBuf>,
) -> Result<()> {
    enter(source, above).await?;
    for (path, metadata) in entries(source).await? {
        let target = join(target, &local_name(&path).await?);
        if metadata.is_dir() {
            folder(session, &path, &target, above).await?;
        } else if metadata.is_file() {
            let mut file = tokio::fs::File::open(&path).await.map_err(|error| unreadable(&path, error))?;
            write(session, &target, &mut file, Some(mode(&metadata))).await?;
        }
    }
    above.pop();
    Ok(())
}

/// Writes a remote file's bytes to `sink`.
pub async fn download(inner: &Inner, path: &str, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()> {
    let session = session(inner).await?;
    let mut file = session.open(path).await.map_err(|error| wrong("open", path, &error))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file
            .read(&mut chunk)
            .await
            .map_err(|error| Error::new(format!("sftp: read {path}")).source(error))?;
        if read == 0 {
            break;
        }
        sink.write_all(&chunk[..read])
            .await
            .map_err(|error| Error::new("write what was downloaded").source(error))?;
    }
    sink.flush().await.map_err(|error| Error::new("write what was downloaded").source(error))?;
    file.shutdown().await.map_err(|error| Error::new(format!("sftp: read {path}")).source(error))?;
    close(&session).await
}

fn join(folder: &str, name: &str) -> String {
    match folder.ends_with('/') {
        true => format!("{folder}{name}"),
        false => format!("{folder}/{name}"),
    }
}

fn wrong(what: &str, path: &str, error: &SftpError) -> Error {
    Error::new(format!("sftp: {what} {path}: {error}"))
}
