//! The helper: this program executed again to do what a process with threads cannot (enter user
//! namespaces) and must not (be root in a sandbox). It starts no thread and no runtime.
//!
//! `init` makes a sandbox and stays as its keeper; `enter` runs one thing in it. Both get a record
//! on standard input (see [`wire`]) and take no other word.

mod configure;
mod enter;
mod init;
mod mounts;
mod scp;
mod sftp;
pub(crate) mod wire;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::RawFd;

use super::sys;

/// Runs the helper's subcommand and returns the exit status. To be called first thing by the
/// program named in [`super::HelperProgram`], before any thread or runtime exists.
pub fn helper_main(args: &[OsString]) -> i32 {
    // A terminal's Ctrl-C goes to its whole foreground group; it must not reach the sandboxes,
    // whose end is the server's decision.
    let _ = nix::unistd::setsid();
    sys::leave_everything_behind();
    match args.first().and_then(|word| word.to_str()) {
        Some("init") => init::run(),
        Some("enter") => enter::run(),
        _ => 64,
    }
}

/// A descriptor read and written without a buffer, since what follows belongs to somebody else.
pub(crate) struct Raw(pub RawFd);

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match nix::unistd::read(sys::borrow_fd(self.0), buffer) {
                Err(nix::errno::Errno::EINTR) => {}
                other => return Ok(other?),
            }
        }
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match nix::unistd::write(sys::borrow_fd(self.0), bytes) {
                Err(nix::errno::Errno::EINTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
