//! The scp protocol's two remote ends: `-t` receives files, `-f` sends them. Built in, since a
//! host may have no `scp`; it runs inside the sandbox as the user, so it can reach what he can.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Raw;

#[derive(Default)]
struct Options {
    recursive: bool,
    keep_times: bool,
    into_folder: bool,
    sink: bool,
    source: bool,
    paths: Vec<PathBuf>,
}

/// Serves one transfer; `words` is what the client wrote after `scp`.
pub(super) fn serve(words: &[u8], shell: &Path) -> i32 {
    let options = match parse(words, shell) {
        Ok(options) => options,
        Err(error) => {
            let _ = writeln!(Raw(2), "scp: {error}");
            return 1;
        }
    };
    let mut wire = Wire { from: BufReader::with_capacity(256 * 1024, Raw(0)), to: Raw(1), failed: false };
    let done = if options.sink { wire.sink(&options) } else { wire.source(&options) };
    i32::from(done.is_err() || wire.failed)
}

/// Lets the user's shell split the words: quotes, `~` and patterns mean there what they always do.
fn parse(words: &[u8], shell: &Path) -> io::Result<Options> {
    let line = [b"printf '%s\\0' ".as_slice(), words].concat();
    let output = Command::new(shell)
        .arg("-c")
        .arg(std::ffi::OsStr::from_bytes(&line))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let mut options = Options::default();
    let mut only_paths = false;
    for word in output.stdout.split(|&byte| byte == 0).filter(|word| !word.is_empty()) {
        if only_paths || !word.starts_with(b"-") {
            options.paths.push(PathBuf::from(std::ffi::OsStr::from_bytes(word)));
            continue;
        }
        only_paths = word == b"--";
        for letter in &word[1..] {
            match letter {
                b'r' => options.recursive = true,
                b'p' => options.keep_times = true,
                b'd' => options.into_folder = true,
                b't' => options.sink = true,
                b'f' => options.source = true,
                b'v' | b'q' | b'-' => {}
                other => return Err(io::Error::other(format!("unknown option -{}", *other as char))),
            }
        }
    }
    let right = options.sink != options.source
        && !options.paths.is_empty()
        && !(options.sink && options.paths.len() > 1);
    if right { Ok(options) } else { Err(io::Error::other("one of -t and -f and a path are wanted")) }
}

struct Wire {
    from: BufReader<Raw>,
    to: Raw,
    failed: bool,
}

/// What stands in front of a file or folder.
struct Header {
    mode: u32,
    size: u64,
    name: Vec<u8>,
}

fn header(line: &[u8]) -> io::Result<Header> {
    let bad = || io::Error::other("protocol error: a malformed line");
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let number = |part: Option<&[u8]>, radix| {
        part.and_then(|part| std::str::from_utf8(part).ok())
            .and_then(|part| u64::from_str_radix(part, radix).ok())
    };
    let mode = number(parts.next(), 8).ok_or_else(bad)? as u32 & 0o7777;
    let size = number(parts.next(), 10).ok_or_else(bad)?;
    let name = parts.next().ok_or_else(bad)?;
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') {
        return Err(io::Error::other(format!(
            "error: unexpected filename: {}",
            String::from_utf8_lossy(name)
        )));
    }
    Ok(Header { mode, size, name: name.to_vec() })
}

impl Wire {
    fn acknowledge(&mut self) -> io::Result<()> {
        self.to.write_all(&[0])
    }

    /// A fault of one file: told to the client, and the transfer goes on.
    fn fault(&mut self, path: &Path, error: &io::Error) -> io::Result<()> {
        self.failed = true;
        let text = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc();
        let text = if error.raw_os_error().is_some() { text.to_owned() } else { error.to_string() };
        self.to.write_all(format!("\x01scp: {}: {text}\n", path.display()).as_bytes())
    }

    /// Reads the other side's answer: whether it goes on with this file.
    fn answer(&mut self) -> io::Result<bool> {
        let mut kind = [0];
        self.from.read_exact(&mut kind)?;
        match kind[0] {
            0 => Ok(true),
            1 | 2 => {
                let mut line = Vec::new();
                self.from.read_until(b'\n', &mut line)?;
                self.failed = true;
                if kind[0] == 2 { Err(io::Error::other("the client gave up")) } else { Ok(false) }
            }
            _ => Err(io::Error::other("protocol error: an unexpected answer")),
        }
    }

    fn sink(&mut self, options: &Options) -> io::Result<()> {
        let target = &options.paths[0];
        if options.into_folder && !target.is_dir() {
            self.fault(target, &io::Error::from_raw_os_error(nix::libc::ENOTDIR))?;
            return Err(io::Error::other("the target is no folder"));
        }
        self.acknowledge()?;
        self.receive_into(target, options)
    }

    /// Receives until the folder (or the transfer) ends.
    fn receive_into(&mut self, target: &Path, options: &Options) -> io::Result<()> {
        let mut times = None;
        loop {
            let mut line = Vec::new();
            if self.from.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            match line.split_first() {
                Some((b'T', rest)) => {
                    times = parse_times(rest);
                    self.acknowledge()?;
                }
                Some((b'E', _)) => return self.acknowledge(),
                Some((b'C', rest)) => {
                    let header = header(rest).inspect_err(|error| self.give_up(error))?;
                    let path = place(target, &header.name);
                    self.receive_file(&path, &header, times.take())?;
                }
                Some((b'D', rest)) => {
                    let header = header(rest).inspect_err(|error| self.give_up(error))?;
                    if !options.recursive {
                        let error = io::Error::other("received directory without -r");
                        self.give_up(&error);
                        return Err(error);
                    }
                    let path = place(target, &header.name);
                    let times = times.take();
                    if !path.is_dir()
                        && let Err(error) = fs::create_dir(&path)
                    {
                        // The client skips the folder's content on a fault.
                        self.fault(&path, &error)?;
                        continue;
                    }
                    let _ = fs::set_permissions(&path, fs::Permissions::from_mode(header.mode | 0o700));
                    self.acknowledge()?;
                    self.receive_into(&path, options)?;
                    let _ =
                        fs::set_permissions(&path, fs::Permissions::from_mode(header.mode & !0o022 | 0o100));
                    set_times(&path, times);
                }
                Some((1 | 2, _)) => self.failed = true,
                _ => {
                    let error = io::Error::other("protocol error: an unexpected line");
                    self.give_up(&error);
                    return Err(error);
                }
            }
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        let _ = self.to.write_all(format!("\x02scp: {error}\n").as_bytes());
    }

    fn receive_file(&mut self, path: &Path, header: &Header, times: Option<[i64; 2]>) -> io::Result<()> {
        let opened =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(header.mode).open(path);
        let mut file = match opened {
            Ok(file) => file,
            // The client does not send the data of a file that was refused here.
            Err(error) => return self.fault(path, &error),
        };
        self.acknowledge()?;
        let mut left = header.size;
        let mut fault = None;
        while left > 0 {
            let chunk = self.from.fill_buf()?;
            if chunk.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            // After a fault (a full disk) the rest still has to be read.
            if fault.is_none()
                && let Err(error) = file.write_all(&chunk[..count])
            {
                fault = Some(error);
            }
            self.from.consume(count);
            left -= count as u64;
        }
        let _ = file.set_permissions(fs::Permissions::from_mode(header.mode & !0o022));
        set_times(path, times);
        self.answer()?;
        match fault {
            None => self.acknowledge(),
            Some(error) => self.fault(path, &error),
        }
    }

    fn source(&mut self, options: &Options) -> io::Result<()> {
        self.answer()?;
        for path in &options.paths {
            self.send(path, options)?;
        }
        Ok(())
    }

    fn send(&mut self, path: &Path, options: &Options) -> io::Result<()> {
        let facts = match fs::metadata(path) {
            Ok(facts) => facts,
            Err(error) => return self.fault(path, &error),
        };
        // `dir/` and `.` have a name only once resolved.
        let name = match path.file_name() {
            Some(name) => name.to_owned(),
            None => fs::canonicalize(path)?.file_name().map_or_else(|| "/".into(), ToOwned::to_owned),
        };
        if facts.is_file() {
            self.send_file(path, name.as_bytes(), &facts, options)
        } else if facts.is_dir() && options.recursive {
            self.send_folder(path, name.as_bytes(), &facts, options)
        } else {
            self.fault(path, &io::Error::other("not a regular file"))
        }
    }

    fn send_header(
        &mut self,
        kind: u8,
        name: &[u8],
        facts: &fs::Metadata,
        options: &Options,
    ) -> io::Result<bool> {
        if options.keep_times {
            self.to.write_all(format!("T{} 0 {} 0\n", facts.mtime(), facts.atime()).as_bytes())?;
            if !self.answer()? {
                return Ok(false);
            }
        }
        let size = if kind == b'C' { facts.len() } else { 0 };
        let mut line = format!("{}{:04o} {size} ", kind as char, facts.mode() & 0o7777).into_bytes();
        line.extend(name.iter().map(|&byte| if byte == b'\n' { b'?' } else { byte }));
        line.push(b'\n');
        self.to.write_all(&line)?;
        self.answer()
    }

    fn send_file(
        &mut self,
        path: &Path,
        name: &[u8],
        facts: &fs::Metadata,
        options: &Options,
    ) -> io::Result<()> {
        let mut file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) => return self.fault(path, &error),
        };
        if !self.send_header(b'C', name, facts, options)? {
            return Ok(());
        }
        let mut buffer = vec![0; 256 * 1024];
        let mut left = facts.len();
        let mut fault = None;
        while left > 0 {
            let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = match file.read(&mut buffer[..wanted]) {
                Ok(count @ 1..) => count,
                // The size is promised: what is missing is sent as zeros, and then the fault.
                ended => {
                    fault.get_or_insert_with(|| match ended {
                        Err(error) => error,
                        _ => io::Error::other("file shrank during transfer"),
                    });
                    buffer[..wanted].fill(0);
                    wanted
                }
            };
            self.to.write_all(&buffer[..count])?;
            left -= count as u64;
        }
        match fault {
            None => self.acknowledge()?,
            Some(error) => self.fault(path, &error)?,
        }
        self.answer().map(drop)
    }

    fn send_folder(
        &mut self,
        path: &Path,
        name: &[u8],
        facts: &fs::Metadata,
        options: &Options,
    ) -> io::Result<()> {
        let mut names = match fs::read_dir(path) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect::<Vec<_>>(),
            Err(error) => return self.fault(path, &error),
        };
        names.sort();
        if !self.send_header(b'D', name, facts, options)? {
            return Ok(());
        }
        for path in names {
            self.send(&path, options)?;
        }
        self.to.write_all(b"E\n")?;
        self.answer().map(drop)
    }
}

fn place(target: &Path, name: &[u8]) -> PathBuf {
    if target.is_dir() { target.join(std::ffi::OsStr::from_bytes(name)) } else { target.to_owned() }
}

fn parse_times(text: &[u8]) -> Option<[i64; 2]> {
    let mut numbers = std::str::from_utf8(text).ok()?.split(' ').map(|word| word.parse::<i64>().ok());
    let (modified, _, accessed) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some([accessed, modified])
}

fn set_times(path: &Path, times: Option<[i64; 2]>) {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;
    if let Some([accessed, modified]) = times {
        let (accessed, modified) = (TimeSpec::new(accessed, 0), TimeSpec::new(modified, 0));
        let _ = utimensat(nix::fcntl::AT_FDCWD, path, &accessed, &modified, UtimensatFlags::FollowSymlink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_the_shell_does() {
        let options = parse(b"-vt '/tmp/a b'", Path::new("/bin/sh")).unwrap();
        assert!(options.sink && !options.recursive);
        assert_eq!(options.paths, [Path::new("/tmp/a b")]);
        let options = parse(b"-vrf /tmp/a\\ b", Path::new("/bin/sh")).unwrap();
        assert!(options.source && options.recursive);
        assert!(parse(b"/a /b", Path::new("/bin/sh")).is_err());
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        assert!(header(b"0644 3 ../x").is_err());
        assert!(header(b"0644 3 ..").is_err());
        assert_eq!(header(b"0644 3 a b").unwrap().name, b"a b");
    }
}
