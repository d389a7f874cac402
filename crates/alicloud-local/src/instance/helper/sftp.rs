//! An SFTP server (protocol version 3, as everyone speaks it), inside the sandbox, as the user.
//! One request after the other: the client keeps many in flight, so nothing waits for nothing.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{UtimensatFlags, futimens, utimensat};
use nix::sys::time::TimeSpec;

/// A request may carry a write of at most this; OpenSSH's limit.
const LONGEST: usize = 256 * 1024;

enum Handle {
    File(File),
    /// What is not yet told of a folder.
    Folder(Vec<PathBuf>),
}

struct Server {
    handles: HashMap<u32, Handle>,
    next: u32,
}

/// Serves until the client closes its side.
pub(super) fn serve(mut from: impl Read, mut to: impl Write) -> i32 {
    let mut server = Server { handles: HashMap::new(), next: 0 };
    loop {
        let mut length = [0; 4];
        if from.read_exact(&mut length).is_err() {
            return 0;
        }
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 || length > LONGEST + 1024 {
            return 1;
        }
        let mut packet = vec![0; length];
        if from.read_exact(&mut packet).is_err() {
            return 1;
        }
        let answer = server.answer(packet[0], Fields(&packet[1..]));
        let mut framed = (answer.len() as u32).to_be_bytes().to_vec();
        framed.extend_from_slice(&answer);
        if to.write_all(&framed).is_err() {
            return 1;
        }
    }
}

/// The fields of a request, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(io::ErrorKind::InvalidData)?;
        self.0 = tail;
        Ok(head)
    }
    fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().map_err(|_| io::ErrorKind::InvalidData)?))
    }
    fn u64(&mut self) -> io::Result<u64> {
        Ok(u64::from_be_bytes(self.take(8)?.try_into().map_err(|_| io::ErrorKind::InvalidData)?))
    }
    fn string(&mut self) -> io::Result<&'a [u8]> {
        let length = self.u32()? as usize;
        self.take(length)
    }
    /// An empty path means the working folder.
    fn path(&mut self) -> io::Result<&'a Path> {
        let bytes = self.string()?;
        Ok(Path::new(OsStr::from_bytes(if bytes.is_empty() { b"." } else { bytes })))
    }
    fn handle(&mut self) -> io::Result<u32> {
        let bytes = self.string()?;
        Ok(u32::from_be_bytes(bytes.try_into().map_err(|_| io::ErrorKind::InvalidInput)?))
    }
    fn attributes(&mut self) -> io::Result<Attributes> {
        let flags = self.u32()?;
        let has = |bit: u32| flags & bit != 0;
        Ok(Attributes {
            size: if has(1) { Some(self.u64()?) } else { None },
            owner: if has(2) { Some((self.u32()?, self.u32()?)) } else { None },
            mode: if has(4) { Some(self.u32()?) } else { None },
            times: if has(8) { Some((self.u32()?, self.u32()?)) } else { None },
        })
    }
}

#[derive(Default)]
struct Attributes {
    size: Option<u64>,
    owner: Option<(u32, u32)>,
    mode: Option<u32>,
    times: Option<(u32, u32)>,
}

impl Attributes {
    fn apply(&self, path: &Path) -> io::Result<()> {
        if let Some(size) = self.size {
            fs::OpenOptions::new().write(true).open(path)?.set_len(size)?;
        }
        if let Some((owner, group)) = self.owner {
            std::os::unix::fs::chown(path, Some(owner), Some(group))?;
        }
        if let Some(mode) = self.mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777))?;
        }
        if let Some((accessed, modified)) = self.times {
            let (accessed, modified) = (TimeSpec::new(accessed.into(), 0), TimeSpec::new(modified.into(), 0));
            utimensat(nix::fcntl::AT_FDCWD, path, &accessed, &modified, UtimensatFlags::FollowSymlink)?;
        }
        Ok(())
    }
}

fn put_string(answer: &mut Vec<u8>, bytes: &[u8]) {
    answer.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    answer.extend_from_slice(bytes);
}

fn put_attributes(answer: &mut Vec<u8>, facts: &Metadata) {
    answer.extend_from_slice(&15_u32.to_be_bytes());
    answer.extend_from_slice(&facts.len().to_be_bytes());
    for number in [facts.uid(), facts.gid(), facts.mode(), facts.atime() as u32, facts.mtime() as u32] {
        answer.extend_from_slice(&number.to_be_bytes());
    }
}

/// What `ls -l` in a client shows.
fn long_name(name: &[u8], facts: &Metadata) -> Vec<u8> {
    let kind = match facts.mode() & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o010_000 => 'p',
        _ => '-',
    };
    let bits: String = (0..9)
        .map(|bit| if facts.mode() & (0o400 >> bit) != 0 { ['r', 'w', 'x'][bit % 3] } else { '-' })
        .collect();
    let mut line = format!(
        "{kind}{bits} {:>4} {:<8} {:<8} {:>8} Jan  1 00:00 ",
        facts.nlink(),
        facts.uid(),
        facts.gid(),
        facts.len()
    )
    .into_bytes();
    line.extend_from_slice(name);
    line
}

/// A reply: its kind and what follows the request's number.
type Reply = (u8, Vec<u8>);

const STATUS: u8 = 101;

fn status(code: u32, message: &str) -> Reply {
    let mut body = code.to_be_bytes().to_vec();
    put_string(&mut body, message.as_bytes());
    put_string(&mut body, b"");
    (STATUS, body)
}

fn refusal(error: &io::Error) -> Reply {
    let code = match error.kind() {
        io::ErrorKind::NotFound => 2,
        io::ErrorKind::PermissionDenied => 3,
        io::ErrorKind::InvalidData => 5,
        io::ErrorKind::Unsupported => 8,
        io::ErrorKind::UnexpectedEof => 1,
        _ => 4,
    };
    let text = match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None if code == 1 => "End of file".to_owned(),
        None => error.to_string(),
    };
    status(code, &text)
}

impl Server {
    fn answer(&mut self, kind: u8, mut fields: Fields<'_>) -> Vec<u8> {
        if kind == 1 {
            // INIT: our version, and the extensions OpenSSH's client makes use of.
            let mut answer = vec![2];
            answer.extend_from_slice(&3_u32.to_be_bytes());
            for (name, version) in
                [("posix-rename@openssh.com", "1"), ("hardlink@openssh.com", "1"), ("fsync@openssh.com", "1")]
            {
                put_string(&mut answer, name.as_bytes());
                put_string(&mut answer, version.as_bytes());
            }
            return answer;
        }
        let id = fields.u32().unwrap_or(0);
        let (kind, body) = match self.request(kind, &mut fields) {
            Ok(reply) => reply,
            Err(error) => refusal(&error),
        };
        let mut answer = vec![kind];
        answer.extend_from_slice(&id.to_be_bytes());
        answer.extend_from_slice(&body);
        answer
    }

    fn request(&mut self, kind: u8, fields: &mut Fields<'_>) -> io::Result<Reply> {
        match kind {
            3 => self.open(fields),
            4 => {
                self.handles.remove(&fields.handle()?);
                Ok(status(0, "Success"))
            }
            5 => self.read(fields),
            6 => self.write(fields),
            7 => Ok(attributes_reply(&fs::symlink_metadata(fields.path()?)?)),
            8 => Ok(attributes_reply(&self.file(fields.handle()?)?.metadata()?)),
            9 => {
                let path = fields.path()?;
                fields.attributes()?.apply(path)?;
                Ok(status(0, "Success"))
            }
            10 => self.set_handle(fields),
            11 => self.open_folder(fields),
            12 => self.read_folder(fields),
            13 => done(fs::remove_file(fields.path()?)),
            14 => {
                let path = fields.path()?;
                fs::create_dir(path)?;
                let mode = fields.attributes().unwrap_or_default().mode;
                if let Some(mode) = mode {
                    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777 & !0o022))?;
                }
                Ok(status(0, "Success"))
            }
            15 => done(fs::remove_dir(fields.path()?)),
            16 => Ok(name_reply(&real_path(fields.path()?)?)),
            17 => Ok(attributes_reply(&fs::metadata(fields.path()?)?)),
            18 => {
                // Version 3 does not overwrite; a client that wants to uses the extension.
                let (from, to) = (fields.path()?, fields.path()?);
                if fs::symlink_metadata(to).is_ok() {
                    return Ok(status(4, "Failure"));
                }
                done(fs::rename(from, to))
            }
            19 => Ok(name_reply(&fs::read_link(fields.path()?)?)),
            // OpenSSH has the two paths the other way round than the draft, and all clients follow it.
            20 => {
                let (to, link) = (fields.path()?, fields.path()?);
                done(std::os::unix::fs::symlink(to, link))
            }
            200 => self.extended(fields),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn extended(&mut self, fields: &mut Fields<'_>) -> io::Result<Reply> {
        match fields.string()? {
            b"posix-rename@openssh.com" => done(fs::rename(fields.path()?, fields.path()?)),
            b"hardlink@openssh.com" => done(fs::hard_link(fields.path()?, fields.path()?)),
            b"fsync@openssh.com" => done(self.file(fields.handle()?)?.sync_all()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn keep(&mut self, handle: Handle) -> Reply {
        self.next = self.next.wrapping_add(1);
        self.handles.insert(self.next, handle);
        let mut body = Vec::new();
        put_string(&mut body, &self.next.to_be_bytes());
        (102, body)
    }

    fn file(&self, handle: u32) -> io::Result<&File> {
        match self.handles.get(&handle) {
            Some(Handle::File(file)) => Ok(file),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn open(&mut self, fields: &mut Fields<'_>) -> io::Result<Reply> {
        if self.handles.len() >= 256 {
            return Ok(status(4, "Too many open files"));
        }
        let path = fields.path()?;
        let flags = fields.u32()?;
        let attributes = fields.attributes()?;
        let has = |bit: u32| flags & bit != 0;
        let mut options = fs::OpenOptions::new();
        options.read(has(1)).write(has(2)).mode(attributes.mode.unwrap_or(0o666) & 0o7777);
        if has(4) {
            options.append(true);
        }
        match (has(8), has(0x20)) {
            (true, true) => options.create_new(true),
            (create, _) => options.create(create),
        };
        options.truncate(has(0x10) && has(2));
        // A pipe in the way must not stop the server.
        options.custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY);
        let file = options.open(path)?;
        Ok(self.keep(Handle::File(file)))
    }

    fn read(&mut self, fields: &mut Fields<'_>) -> io::Result<Reply> {
        let file = self.file(fields.handle()?)?;
        let (offset, length) = (fields.u64()?, fields.u32()? as usize);
        let mut body = vec![0; 4 + length.min(LONGEST)];
        let mut count = 0;
        while count < body.len() - 4 {
            match file.read_at(&mut body[4 + count..], offset + count as u64)? {
                0 => break,
                some => count += some,
            }
        }
        if count == 0 && length > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        body.truncate(4 + count);
        body[..4].copy_from_slice(&(count as u32).to_be_bytes());
        Ok((103, body))
    }

    fn write(&mut self, fields: &mut Fields<'_>) -> io::Result<Reply> {
        let handle = fields.handle()?;
        let offset = fields.u64()?;
        let data = fields.string()?;
        done(self.file(handle)?.write_all_at(data, offset))
    }

    fn set_handle(&mut self, fields: &mut Fields<'_>) -> io::Result<Reply> {
        let handle = fields.handle()?;
        let attributes = fields.attributes()?;
        let file = self.file(handle)?;
        if let Some(size) = attributes.size {
            file.set_len(size)?;
        }
        if let Some((owner, group)) = attributes.owner {
            std::os::unix::fs::fchown(file, Some(owner), Some(group))?;
        }
        if let Some(mode) = attributes.mode {
            file.set_permissions(fs::Permissions::from_mode(mode & 0o7777))?;
        }
        if let Some((accessed, modified)) = attributes.times {
            futimens(file, &TimeSpec::new(accessed.into(), 0), &TimeSpec::new(modified.into(), 0))?;
        }
        Ok(status(0, "Success"))
    }

    fn open_folder(&mut self, fields: &mut Fields<'_>) -> io::Result<Reply> {
        let path = fields.path()?;
        let mut entries = vec![path.join("."), path.join("..")];
        for entry in fs::read_dir(path)? {
            entries.push(entry?.path());
        }
        entries.reverse();
        Ok(self.keep(Handle::Folder(entries)))
    }

    fn read_folder(&mut self, fields: &mut Fields<'_>) -> io::Result<Reply> {
        let handle = fields.handle()?;
        let Some(Handle::Folder(entries)) = self.handles.get_mut(&handle) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut names = Vec::new();
        let mut count: u32 = 0;
        while count < 100
            && let Some(path) = entries.pop()
        {
            // `.` and `..` have no file name of their own.
            let name =
                path.as_os_str().as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
            if let Ok(facts) = fs::symlink_metadata(&path) {
                put_string(&mut names, &name);
                put_string(&mut names, &long_name(&name, &facts));
                put_attributes(&mut names, &facts);
                count += 1;
            }
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut body = count.to_be_bytes().to_vec();
        body.append(&mut names);
        Ok((104, body))
    }
}

fn done(result: io::Result<()>) -> io::Result<Reply> {
    result.map(|()| status(0, "Success"))
}

fn attributes_reply(facts: &Metadata) -> Reply {
    let mut body = Vec::new();
    put_attributes(&mut body, facts);
    (105, body)
}

fn name_reply(path: &Path) -> Reply {
    let mut body = 1_u32.to_be_bytes().to_vec();
    put_string(&mut body, path.as_os_str().as_bytes());
    put_string(&mut body, path.as_os_str().as_bytes());
    body.extend_from_slice(&0_u32.to_be_bytes());
    (104, body)
}

/// A path that does not exist yet is made absolute where it would be.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => fs::canonicalize(parent)?,
                _ => std::env::current_dir()?,
            };
            Ok(parent.join(path.file_name().ok_or(error)?))
        }
        other => other,
    }
}
