//! Copies file trees as they are: modes, times, owners (where permitted), links, hard links,
//! whiteouts of overlays, extended attributes. Used for capturing images and for limited disks,
//! on either side of the sandbox's wall.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;

use super::sys;

/// In front of the name of a file that stands for a whiteout where there can be none: on a file
/// system that is an overlay itself, as the root of most containers is. (The name is OCI's.)
const WHITEOUT_FILE: &str = ".wh.";

/// What a copy was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Of all files.
    pub bytes: u64,
    /// Whether files stand for whiteouts in it.
    pub whiteout_files: bool,
}

/// Copies what is at `from` to `to` (folders are merged into).
pub fn copy(from: &Path, to: &Path) -> io::Result<Copied> {
    copy_if(from, to, &|_, _| true)
}

/// Copies what `wanted` says yes to; it is asked with the path below `from`, parents first.
pub fn copy_if(from: &Path, to: &Path, wanted: &dyn Fn(&Path, &Metadata) -> bool) -> io::Result<Copied> {
    let mut copier =
        Copier { links: HashMap::new(), copied: Copied::default(), wanted, restore_whiteouts: false };
    copier.entry(from, to, Path::new(""))?;
    Ok(copier.copied)
}

/// Copies a tree in which files stand for whiteouts to a place where there can be real ones.
pub fn copy_restoring_whiteouts(from: &Path, to: &Path) -> io::Result<Copied> {
    let mut copier = Copier {
        links: HashMap::new(),
        copied: Copied::default(),
        wanted: &|_, _| true,
        restore_whiteouts: true,
    };
    copier.entry(from, to, Path::new(""))?;
    Ok(copier.copied)
}

/// Makes a whiteout: what a lower layer has at this path is gone.
pub fn whiteout(path: &Path) -> io::Result<()> {
    match mknod(path, SFlag::S_IFCHR, Mode::empty(), 0) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes a tree even where a guest took the owner's own rights away.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_folders(path);
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_folders(path: &Path) {
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_folders(&entry.path());
        }
    }
}

struct Copier<'a> {
    links: HashMap<(u64, u64), PathBuf>,
    copied: Copied,
    restore_whiteouts: bool,
    wanted: &'a dyn Fn(&Path, &Metadata) -> bool,
}

impl Copier<'_> {
    fn entry(&mut self, from: &Path, to: &Path, below: &Path) -> io::Result<()> {
        let facts = fs::symlink_metadata(from)?;
        let kind = facts.file_type();
        if kind.is_dir() {
            if !to.is_dir() {
                fs::create_dir(to)?;
            }
            self.children(from, to, below, &facts)?;
        } else if kind.is_symlink() {
            replace(to)?;
            symlink(fs::read_link(from)?, to)?;
        } else if kind.is_file() {
            replace(to)?;
            if facts.nlink() > 1 {
                if let Some(first) = self.links.get(&(facts.dev(), facts.ino())) {
                    return fs::hard_link(first, to);
                }
                self.links.insert((facts.dev(), facts.ino()), to.to_owned());
            }
            self.copied.bytes += with_access(from, &facts, 0o400, || fs::copy(from, to))?;
        } else if kind.is_char_device() && facts.rdev() == 0 {
            replace(to)?;
            return self.whiteout(to);
        } else if kind.is_fifo() {
            replace(to)?;
            nix::unistd::mkfifo(to, Mode::from_bits_truncate(0o600))?;
        } else {
            // Sockets mean nothing without the process behind them; a guest cannot make devices.
            return Ok(());
        }
        keep_facts(from, to, &facts)
    }

    fn whiteout(&mut self, to: &Path) -> io::Result<()> {
        match whiteout(to) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !self.restore_whiteouts => {
                self.copied.whiteout_files = true;
                let mut name = OsString::from(WHITEOUT_FILE);
                name.push(to.file_name().unwrap_or_default());
                fs::write(to.with_file_name(name), "")
            }
            other => other,
        }
    }

    fn children(&mut self, from: &Path, to: &Path, below: &Path, facts: &Metadata) -> io::Result<()> {
        with_access(from, facts, 0o700, || {
            for entry in fs::read_dir(from)? {
                let name = entry?.file_name();
                if self.restore_whiteouts
                    && let Some(gone) = name.as_bytes().strip_prefix(WHITEOUT_FILE.as_bytes())
                {
                    whiteout(&to.join(OsStr::from_bytes(gone)))?;
                    continue;
                }
                let (child, below) = (from.join(&name), below.join(&name));
                let facts = match fs::symlink_metadata(&child) {
                    // What goes while we look was never there.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => other?,
                };
                if (self.wanted)(&below, &facts) {
                    match self.entry(&child, &to.join(&name), &below) {
                        Err(error)
                            if error.kind() == io::ErrorKind::NotFound
                                && fs::symlink_metadata(&child).is_err() => {}
                        other => other?,
                    }
                }
            }
            Ok(())
        })
    }
}

fn replace(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Does something that needs rights the owner may have taken from himself, and puts them back.
fn with_access<T>(
    path: &Path,
    facts: &Metadata,
    needed: u32,
    act: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let mode = facts.permissions().mode();
    if mode & needed == needed || nix::unistd::geteuid().is_root() {
        return act();
    }
    let widened = fs::set_permissions(path, fs::Permissions::from_mode((mode & 0o7777) | needed)).is_ok();
    let result = act();
    if widened {
        fs::set_permissions(path, facts.permissions())?;
    }
    result
}

fn keep_facts(from: &Path, to: &Path, facts: &Metadata) -> io::Result<()> {
    for (name, value) in with_access(from, facts, 0o400, || sys::attributes(from)).unwrap_or_default() {
        let overlay =
            name.as_bytes().starts_with(b"user.overlay.") || name.as_bytes().starts_with(b"trusted.overlay.");
        // `opaque` is part of the tree's meaning; the others speak of the machine it came from.
        // The rest is kept where this process may (security attributes need root).
        if !overlay || name.as_bytes() == b"user.overlay.opaque" {
            let done = sys::set_attribute(to, &name, &value);
            if overlay {
                done?;
            }
        }
    }
    let (owner, group) = (Some(facts.uid()), Some(facts.gid()));
    if let Err(error) = std::os::unix::fs::lchown(to, owner, group)
        && nix::unistd::geteuid().is_root()
        && error.raw_os_error() != Some(nix::libc::EINVAL)
        && error.raw_os_error() != Some(nix::libc::EPERM)
    {
        return Err(error);
    }
    if !facts.file_type().is_symlink() {
        // After the owner: changing that takes set-uid bits away.
        fs::set_permissions(to, fs::Permissions::from_mode(facts.permissions().mode() & 0o7777))?;
    }
    let (accessed, modified) =
        (TimeSpec::new(facts.atime(), facts.atime_nsec()), TimeSpec::new(facts.mtime(), facts.mtime_nsec()));
    utimensat(nix::fcntl::AT_FDCWD, to, &accessed, &modified, UtimensatFlags::NoFollowSymlink)?;
    Ok(())
}

/// Returns whether everyone may read this (and list it, if it is a folder).
pub fn is_public(facts: &Metadata) -> bool {
    let mode = facts.permissions().mode();
    facts.file_type().is_symlink() || if facts.is_dir() { mode & 0o005 == 0o005 } else { mode & 0o004 != 0 }
}

/// Returns a path as one plain name, for folders named after it.
pub fn slug(path: &Path) -> String {
    let text: Vec<u8> =
        path.as_os_str().as_bytes().iter().map(|&byte| if byte == b'/' { b'-' } else { byte }).collect();
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_modes_links_and_whiteouts() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir_all(from.join("locked")).unwrap();
        fs::write(from.join("locked/file"), "text").unwrap();
        fs::hard_link(from.join("locked/file"), from.join("twin")).unwrap();
        symlink("nowhere", from.join("link")).unwrap();
        whiteout(&from.join("gone")).unwrap();
        fs::set_permissions(from.join("locked"), fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(copy(&from, &to).unwrap(), Copied { bytes: 4, whiteout_files: false });
        assert_eq!(fs::metadata(to.join("locked")).unwrap().mode() & 0o7777, 0);
        assert_eq!(fs::metadata(from.join("locked")).unwrap().mode() & 0o7777, 0);
        assert_eq!(fs::metadata(to.join("twin")).unwrap().nlink(), 2);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("nowhere"));
        assert_eq!(fs::symlink_metadata(to.join("gone")).unwrap().rdev(), 0);
        remove(&from).unwrap();
        assert!(!from.exists());
    }
}
