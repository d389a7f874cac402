//! The system calls that neither std nor nix wraps safely, each behind a safe function that
//! states why its use here is sound. Everything else in this room is safe code.
#![expect(unsafe_code, reason = "fork, ioctls, prctl and xattrs have no safe wrapper in our dependencies")]

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;
use nix::unistd::ForkResult;

/// Forks. Only the helper process calls it: that process has one thread, so the child may go on
/// with ordinary code (no lock can be held by a thread that does not exist there).
pub fn fork() -> nix::Result<ForkResult> {
    // SAFETY: see above; the helper starts no thread before it forks.
    unsafe { nix::unistd::fork() }
}

/// Takes a descriptor that this process was started with.
pub fn borrow_fd(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: only used for 0, 1 and 2, which the helper never closes while it borrows them.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: these options take plain integers and touch no memory of ours.
    let answer = unsafe { libc::prctl(option, value, 0, 0, 0) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks for SIGKILL when the parent ends.
pub fn die_with_parent() -> io::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
}

/// Closes this process to ptrace and /proc by anyone in the guest: its memory belongs to the
/// user namespace it was executed in, the host's, where the guest has no capability.
pub fn hide_from_guest() -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0)
}

/// Opens /proc of this process to its owner again (a change of ids closes it).
pub fn show_to_owner() -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 1)
}

/// No set-uid program gives this process or its children more rights.
pub fn no_new_privileges() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// Takes a capability out of the bounding set; a capability the kernel does not know is gone already.
pub fn drop_capability(number: u32) {
    let _ = prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number));
}

/// Empties the permitted, effective and inheritable sets but for those in `keep` (a bit mask).
pub fn limit_capabilities(keep: u64) -> io::Result<()> {
    set_capabilities(keep, false)
}

fn set_capabilities(keep: u64, inheritable: bool) -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let mut header = Header { version: 0x2008_0522, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 of the interface reads and writes exactly one header and two data records.
    unsafe {
        if libc::syscall(libc::SYS_capget, &mut header, data.as_mut_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        for (index, part) in data.iter_mut().enumerate() {
            let mask = (keep >> (32 * index)) as u32;
            part.permitted &= mask;
            part.effective = if inheritable { part.permitted } else { part.effective & mask };
            part.inheritable = if inheritable { part.permitted } else { 0 };
        }
        if libc::syscall(libc::SYS_capset, &mut header, data.as_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Lets the permitted capabilities survive the next change from root to a user.
pub fn keep_capabilities() -> io::Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, 1)
}

/// Hands the capabilities in `mask`, which must be permitted, on to every program started from here.
pub fn hand_on_capabilities(mask: u64) -> io::Result<()> {
    set_capabilities(mask, true)?;
    for number in (0..64).filter(|number| mask & (1 << number) != 0) {
        // SAFETY: takes plain integers.
        let answer = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, number, 0, 0) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Closes every descriptor but the standard three, and leaves the session's keys behind: a guest
/// must get no folder or key of the host that whoever started us left open.
pub fn leave_everything_behind() {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: called first thing in the helper, where nothing else owns a descriptor yet; the
    // second call takes no memory. Both may be missing from an old kernel or a strict filter.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) < 0 {
            for descriptor in 3..1024 {
                libc::close(descriptor);
            }
        }
        libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0_usize);
    }
}

/// Makes the terminal the controlling one of this session.
pub fn set_controlling_terminal(fd: RawFd) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes an integer.
    if unsafe { libc::ioctl(fd, libc::TIOCSCTTY, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sets the size of a terminal.
pub fn set_window_size(terminal: &OwnedFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize.
    if unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Returns the extended attributes of a file itself (links are not followed).
pub fn attributes(path: &Path) -> io::Result<Vec<(CString, Vec<u8>)>> {
    let path = c_path(path)?;
    let mut names = vec![0_u8; 64 * 1024];
    // SAFETY: the buffer is writable for its whole length.
    let length = unsafe { libc::llistxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) };
    if length < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ENOTSUP) => Ok(Vec::new()),
            _ => Err(error),
        };
    }
    let mut found = Vec::new();
    for name in names[..length as usize].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = CString::new(name)?;
        let mut value = vec![0_u8; 64 * 1024];
        // SAFETY: as above.
        let length =
            unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
        // An attribute this process may not read is one it could not write back either.
        if length >= 0 {
            value.truncate(length as usize);
            found.push((name, value));
        }
    }
    Ok(found)
}

/// Sets one extended attribute of a file itself.
pub fn set_attribute(path: &Path, name: &CString, value: &[u8]) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: pointer and length describe `value`.
    let answer =
        unsafe { libc::lsetxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Replaces this process by a program; returns only if that fails.
pub fn execute(program: &Path, arguments: &[&OsStr], environment: &[(String, String)]) -> io::Error {
    let build = || -> io::Result<(CString, Vec<CString>, Vec<CString>)> {
        let arguments = arguments
            .iter()
            .map(|argument| CString::new(argument.as_bytes()))
            .collect::<Result<Vec<_>, _>>()?;
        let environment = environment
            .iter()
            .map(|(name, value)| CString::new(format!("{name}={value}")))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((c_path(program)?, arguments, environment))
    };
    match build() {
        Ok((program, arguments, environment)) => {
            match nix::unistd::execve(&program, &arguments, &environment) {
                Ok(never) => match never {},
                Err(errno) => errno.into(),
            }
        }
        Err(error) => error,
    }
}

/// Gives a signal its default action again and lets it through.
pub fn default_signals() {
    use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, sigprocmask};
    for signal in Signal::iterator() {
        if signal != Signal::SIGKILL && signal != Signal::SIGSTOP {
            // SAFETY: the default action is no handler of ours.
            let _ = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
        }
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Registers a terminal with the runtime.
pub fn watch(terminal: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` gives the same descriptor each time and keeps it open as long as it lives.
    unsafe { Ok(tokio::io::unix::AsyncFd::register(terminal)?) }
}
