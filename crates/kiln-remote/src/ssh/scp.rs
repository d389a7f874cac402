//! Files by the remote `scp`, in the protocol it speaks with itself: `C` a file, `D` and `E` around a folder, each
//! answered by a zero byte, or by 1 or 2 and a line that says what is wrong.

mod names;

use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use kiln_core::communicator::FileInfo;
use kiln_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

use super::Inner;
use super::remote::Remote;
pub use names::base_name;
use names::{escape_spaces, is_plain, parent, quote};

/// How much is read and sent at once.
pub const CHUNK: usize = 256 << 10;

/// The protocol wants the size first; what comes without one is held in memory up to this size, then in a file.
const HELD_IN_MEMORY: usize = 4 << 20;

/// Mode of a file of which nothing is known.
const DEFAULT_MODE: u32 = 0o644;

/// Writes a file.
pub async fn upload(
    inner: &Inner,
    path: &str,
    source: &mut (dyn AsyncRead + Send + Unpin),
    info: Option<FileInfo>,
) -> Result<()> {
    match info {
        Some(info) => upload_sized(inner, path, source, info.mode & 0o7777, info.size).await,
        None => {
            let held = Held::read(source)
                .await
                .map_err(|error| Error::new("read what is to be uploaded").source(error))?;
            match held {
                Held::Memory(bytes) => {
                    upload_sized(inner, path, &mut &bytes[..], DEFAULT_MODE, bytes.len() as u64).await
                }
                Held::File(mut file, size) => upload_sized(inner, path, &mut file, DEFAULT_MODE, size).await,
            }
        }
    }
}

async fn upload_sized(
    inner: &Inner,
    path: &str,
    source: &mut (dyn AsyncRead + Send + Unpin),
    mode: u32,
    size: u64,
) -> Result<()> {
    let mut remote = Remote::start(inner, &format!("scp -vt {}", escape_spaces(&parent(path)))).await?;
    remote = ready(remote).await?;
    send_file(&mut remote, mode, size, &base_name(path), source).await?;
    remote.finish().await
}

/// Copies a folder.
pub async fn upload_dir(inner: &Inner, destination: &str, source: &Path, contents_only: bool) -> Result<()> {
    let mut remote = Remote::start(inner, &format!("scp -rvt {}", escape_spaces(destination))).await?;
    remote = ready(remote).await?;
    let mut above = Vec::new();
    if contents_only {
        send_contents(&mut remote, source, &mut above).await?;
    } else {
        let name = local_name(source).await?;
        send_folder(&mut remote, source, &name, &mut above).await?;
    }
    remote.finish().await
}

/// Returns the name of a local folder, of `.` and `..` too.
pub async fn local_name(folder: &Path) -> Result<String> {
    let failed = || Error::new(format!("upload the folder `{}`: it has no name", folder.display()));
    let name = match folder.file_name() {
        Some(name) => name.to_owned(),
        None => {
            let resolved = tokio::fs::canonicalize(folder).await.map_err(|error| failed().source(error))?;
            resolved.file_name().ok_or_else(failed)?.to_owned()
        }
    };
    name.into_string().map_err(|_| failed())
}

/// Waits for the sign that the remote `scp` listens.
async fn ready(mut remote: Remote<'_>) -> Result<Remote<'_>> {
    match remote.byte().await? {
        Some(0) => Ok(remote),
        Some(1 | 2) => Err(Error::new(remote.line().await?)),
        Some(_) => {
            Err(Error::new("the remote scp says something that makes no sense; does the login shell print?"))
        }
        None => Err(remote.ended().await),
    }
}

/// Waits for the answer to what was sent.
async fn answer(remote: &mut Remote<'_>) -> Result<()> {
    match remote.byte().await? {
        Some(0) => Ok(()),
        Some(1 | 2) => Err(Error::new(remote.line().await?)),
        Some(byte) => Err(Error::new(format!("the remote scp answers {byte}, which makes no sense"))),
        // Whatever ended it is told by reading on.
        None => remote.line().await.map(|_| ()),
    }
}

async fn send_file(
    remote: &mut Remote<'_>,
    mode: u32,
    size: u64,
    name: &str,
    source: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<()> {
    if !is_plain(name) {
        return Err(Error::new(format!("upload the file {name:?}: scp cannot write that name")));
    }
    remote.write(format!("C{mode:04o} {size} {name}\n")).await?;
    answer(remote).await?;
    let mut left = size;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
        let mut chunk = BytesMut::with_capacity(wanted);
        while chunk.len() < wanted {
            let mut room = (&mut *source).take((wanted - chunk.len()) as u64);
            let read = room.read_buf(&mut chunk).await;
            if read.map_err(|error| Error::new(format!("read `{name}`")).source(error))? == 0 {
                return Err(Error::new(format!("`{name}` became shorter while it was uploaded")));
            }
        }
        left -= chunk.len() as u64;
        remote.write(chunk.freeze()).await?;
    }
    remote.write(Bytes::from_static(&[0])).await?;
    answer(remote).await
}

fn send_folder<'a>(
    remote: &'a mut Remote<'_>,
    folder: &'a Path,
    name: &'a str,
    above: &'a mut Vec<PathBuf>,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        if !is_plain(name) {
            return Err(Error::new(format!("upload the folder {name:?}: scp cannot write that name")));
        }
        let metadata = tokio::fs::metadata(folder).await.map_err(|error| unreadable(folder, error))?;
        remote.write(format!("D{:04o} 0 {name}\n", mode(&metadata))).await?;
        answer(remote).await?;
        send_contents(remote, folder, above).await?;
        remote.write(Bytes::from_static(b"E\n")).await?;
        answer(remote).await
    })
}

async fn send_contents(remote: &mut Remote<'_>, folder: &Path, above: &mut Vec<PathBuf>) -> Result<()> {
    enter(folder, above).await?;
    for (path, metadata) in entries(folder).await? {
        let name = local_name(&path).await?;
        if metadata.is_dir() {
            send_folder(remote, &path, &name, above).await?;
        } else if metadata.is_file() {
            let mut file = tokio::fs::File::open(&path).await.map_err(|error| unreadable(&path, error))?;
            send_file(remote, mode(&metadata), metadata.len(), &name, &mut file).await?;
        }
    }
    above.pop();
    Ok(())
}

/// Notes that `folder` is being walked. Symbolic links are followed, so it might be inside itself.
pub async fn enter(folder: &Path, above: &mut Vec<PathBuf>) -> Result<()> {
    let resolved = tokio::fs::canonicalize(folder).await.map_err(|error| unreadable(folder, error))?;
    if above.contains(&resolved) {
        return Err(Error::new(format!(
            "upload `{}`: a symbolic link leads back to a folder above it",
            folder.display()
        )));
    }
    above.push(resolved);
    Ok(())
}

/// Returns what a local folder holds, by name, symbolic links followed.
pub async fn entries(folder: &Path) -> Result<Vec<(PathBuf, std::fs::Metadata)>> {
    let mut listing = tokio::fs::read_dir(folder).await.map_err(|error| unreadable(folder, error))?;
    let mut entries = Vec::new();
    while let Some(entry) = listing.next_entry().await.map_err(|error| unreadable(folder, error))? {
        let path = entry.path();
        let metadata = tokio::fs::metadata(&path).await.map_err(|error| unreadable(&path, error))?;
        entries.push((path, metadata));
    }
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(entries)
}

/// Returns a local file's permission bits.
pub fn mode(metadata: &std::fs::Metadata) -> u32 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o7777
    }
    #[cfg(not(unix))]
    {
        if metadata.is_dir() { 0o755 } else { DEFAULT_MODE }
    }
}

pub fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(format!("read `{}`", path.display())).source(error)
}

/// Writes a remote file's bytes to `sink`.
pub async fn download(inner: &Inner, path: &str, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()> {
    let mut remote = Remote::start(inner, &format!("scp -vf {}", quote(path))).await?;
    loop {
        remote.write(Bytes::from_static(&[0])).await?;
        match remote.byte().await? {
            Some(b'C') => {
                let entry = Entry::parse(&remote.line().await?)?;
                remote.write(Bytes::from_static(&[0])).await?;
                remote.copy(entry.size, sink).await?;
                answer(&mut remote).await?;
                break;
            }
            // Times; not asked for.
            Some(b'T') => {
                remote.line().await?;
            }
            Some(b'D') => return Err(Error::new("remote file is directory")),
            Some(1 | 2) => return Err(Error::new(remote.line().await?)),
            Some(_) => {
                let line = remote.line().await?;
                return Err(Error::new(format!("the remote scp says what makes no sense: {line}")));
            }
            None => return Err(remote.ended().await),
        }
    }
    sink.flush().await.map_err(|error| Error::new("write what was downloaded").source(error))?;
    remote.write(Bytes::from_static(&[0])).await?;
    remote.finish().await
}

/// Copies a remote folder below a local one.
pub async fn download_dir(inner: &Inner, source: &str, destination: &Path) -> Result<()> {
    let unwritable =
        |path: &Path, error: std::io::Error| Error::new(format!("write `{}`", path.display())).source(error);
    let mut remote = Remote::start(inner, &format!("scp -vrf {}", escape_spaces(source))).await?;
    tokio::fs::create_dir_all(destination).await.map_err(|error| unwritable(destination, error))?;
    let mut folders: Vec<(PathBuf, u32)> = Vec::new();
    let mut warnings = Vec::new();
    loop {
        match remote.write(Bytes::from_static(&[0])).await {
            // It has ended, and has said before what it could not read.
            Err(_) if !warnings.is_empty() => break,
            written => written?,
        }
        let here = folders.last().map_or(destination, |(folder, _)| folder.as_path());
        match remote.byte().await? {
            Some(b'C') => {
                let entry = Entry::parse(&remote.line().await?)?;
                let path = here.join(&entry.name);
                let mut file =
                    tokio::fs::File::create(&path).await.map_err(|error| unwritable(&path, error))?;
                remote.write(Bytes::from_static(&[0])).await?;
                remote.copy(entry.size, &mut file).await?;
                file.flush().await.map_err(|error| unwritable(&path, error))?;
                answer(&mut remote).await?;
                set_mode(&path, entry.mode).await.map_err(|error| unwritable(&path, error))?;
            }
            Some(b'D') => {
                let entry = Entry::parse(&remote.line().await?)?;
                let path = here.join(&entry.name);
                tokio::fs::create_dir_all(&path).await.map_err(|error| unwritable(&path, error))?;
                folders.push((path, entry.mode));
            }
            Some(b'E') => {
                remote.line().await?;
                // Only now: a folder may be one that cannot be written to.
                if let Some((path, mode)) = folders.pop() {
                    set_mode(&path, mode).await.map_err(|error| unwritable(&path, error))?;
                }
            }
            Some(b'T') => {
                remote.line().await?;
            }
            // The remote scp goes on after a file it cannot read; so do we, and fail in the end.
            Some(1) => warnings.push(remote.line().await?),
            Some(2) => return Err(Error::new(remote.line().await?)),
            Some(_) => {
                let line = remote.line().await?;
                return Err(Error::new(format!("the remote scp says what makes no sense: {line}")));
            }
            None => break,
        }
        if warnings.len() > 100 {
            break;
        }
    }
    match warnings.is_empty() {
        true => remote.finish().await,
        false => Err(Error::new(warnings.join("\n"))),
    }
}

async fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Not the set-user-id bits: what comes from the machine must not become a program of this user's.
        tokio::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o777)).await
    }
    #[cfg(not(unix))]
    {
        let _ = (path, mode);
        Ok(())
    }
}

/// A `C` or `D` line.
struct Entry {
    mode: u32,
    size: u64,
    name: String,
}

impl Entry {
    /// Reads `0644 12 name`. The name may hold spaces, but lead nowhere else: the machine is not trusted that far.
    fn parse(line: &str) -> Result<Entry> {
        let mut parts = line.splitn(3, ' ');
        let mode = parts.next().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        let size = parts.next().and_then(|size| size.parse().ok());
        match (mode, size, parts.next()) {
            (Some(mode), Some(size), Some(name)) if is_plain(name) => {
                Ok(Entry { mode, size, name: name.to_owned() })
            }
            _ => Err(Error::new(format!("the remote scp sends a file header that makes no sense: {line:?}"))),
        }
    }
}

/// What is to be uploaded, once its size is known.
enum Held {
    Memory(Vec<u8>),
    File(tokio::fs::File, u64),
}

impl Held {
    async fn read(source: &mut (dyn AsyncRead + Send + Unpin)) -> std::io::Result<Held> {
        let mut bytes = Vec::new();
        (&mut *source).take(HELD_IN_MEMORY as u64).read_to_end(&mut bytes).await?;
        if bytes.len() < HELD_IN_MEMORY {
            return Ok(Held::Memory(bytes));
        }
        // Without a name, so that nothing is left behind.
        let file = tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(std::io::Error::other)??;
        let mut file = tokio::fs::File::from_std(file);
        let mut size = 0;
        loop {
            file.write_all(&bytes).await?;
            size += bytes.len() as u64;
            bytes.clear();
            if (&mut *source).take(CHUNK as u64).read_to_end(&mut bytes).await? == 0 {
                break;
            }
        }
        file.flush().await?;
        file.rewind().await?;
        Ok(Held::File(file, size))
    }
}
