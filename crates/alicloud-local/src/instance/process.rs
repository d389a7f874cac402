//! One process in a sandbox, seen from the server: started through `enter`, its standard streams
//! or its terminal, its end.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use nix::libc;
use nix::sys::termios::{self, InputFlags, LocalFlags, OutputFlags, SetArg, Termios};
use russh::Pty;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use super::helper::wire::{EnterRequest, framed};
use super::spec::HelperProgram;
use super::sys;

/// A terminal as the client asks for it.
#[derive(Clone, Debug)]
pub(crate) struct TerminalRequest {
    pub name: String,
    pub columns: u16,
    pub rows: u16,
    pub modes: Vec<(Pty, u32)>,
}

/// The server's end of a terminal.
#[derive(Clone)]
pub(crate) struct Terminal(Arc<AsyncFd<OwnedFd>>);

/// What goes in and comes out.
pub(crate) enum Streams {
    Pipes { input: ChildStdin, output: ChildStdout, errors: ChildStderr },
    Terminal(Terminal),
}

/// Starts what is requested. The record goes ahead on standard input.
pub(crate) async fn start(
    helper: &HelperProgram,
    request: &EnterRequest,
    terminal: Option<&TerminalRequest>,
) -> io::Result<(Child, Streams)> {
    let record = framed(request)?;
    let mut command = helper.command("enter");
    let master = match terminal {
        Some(wanted) => {
            let pair = nix::pty::openpty(None, None)?;
            apply_modes(&pair.slave, &wanted.modes)?;
            sys::set_window_size(&pair.master, wanted.columns, wanted.rows)?;
            // Neither end may leak into a helper started at the same moment by another task.
            for end in [&pair.master, &pair.slave] {
                nix::fcntl::fcntl(end, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
            }
            let flags = nix::fcntl::OFlag::O_NONBLOCK;
            nix::fcntl::fcntl(&pair.master, nix::fcntl::FcntlArg::F_SETFL(flags))?;
            command.stdout(pair.slave.try_clone()?).stderr(pair.slave);
            Some(pair.master)
        }
        None => {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            None
        }
    };
    let mut child = command.spawn()?;
    // The command holds the other end of the terminal open, whose closing tells us of the end.
    drop(command);
    let mut input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    input.write_all(&record).await?;
    let streams = match (master, child.stdout.take(), child.stderr.take()) {
        (Some(master), _, _) => Streams::Terminal(Terminal(Arc::new(sys::watch(master)?))),
        (None, Some(output), Some(errors)) => Streams::Pipes { input, output, errors },
        _ => return Err(io::ErrorKind::BrokenPipe.into()),
    };
    Ok((child, streams))
}

/// Runs something to its end, hands on what it prints, and returns its status.
pub(crate) async fn run_to_console(
    helper: &HelperProgram,
    request: &EnterRequest,
    print: impl Fn(&[u8]),
) -> io::Result<ExitStatus> {
    let (mut child, streams) = start(helper, request, None).await?;
    if let Streams::Pipes { input, output, errors } = streams {
        drop(input);
        tokio::join!(pass(output, &print), pass(errors, &print));
    }
    child.wait().await
}

async fn pass(mut from: impl AsyncRead + Unpin, print: &impl Fn(&[u8])) {
    let mut buffer = vec![0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        print(&buffer[..count]);
    }
}

impl Terminal {
    /// Reads what the programs print; nothing means that the last of them has gone.
    pub async fn read(&self) -> Bytes {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let Ok(mut ready) = self.0.readable().await else { return Bytes::new() };
            match ready.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), &mut buffer)?)) {
                Ok(Ok(count)) => {
                    buffer.truncate(count);
                    return buffer.into();
                }
                // EIO is how a terminal says that its other end is closed.
                Ok(Err(_)) => return Bytes::new(),
                Err(_would_block) => {}
            }
        }
    }

    /// Types.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|fd| Ok(nix::unistd::write(fd.get_ref(), bytes)?)) {
                Ok(Ok(count)) => bytes = &bytes[count..],
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }

    /// Changes the size of the window.
    pub fn resize(&self, columns: u16, rows: u16) {
        let _ = sys::set_window_size(self.0.get_ref(), columns, rows);
    }
}

/// Sets what programs care about; a mode that has no switch here keeps its usual value.
fn apply_modes(terminal: &OwnedFd, modes: &[(Pty, u32)]) -> io::Result<()> {
    let mut settings: Termios = termios::tcgetattr(terminal)?;
    for &(mode, value) in modes {
        let on = value != 0;
        match mode {
            Pty::ECHO => settings.local_flags.set(LocalFlags::ECHO, on),
            Pty::ECHOE => settings.local_flags.set(LocalFlags::ECHOE, on),
            Pty::ECHOK => settings.local_flags.set(LocalFlags::ECHOK, on),
            Pty::ECHONL => settings.local_flags.set(LocalFlags::ECHONL, on),
            Pty::ICANON => settings.local_flags.set(LocalFlags::ICANON, on),
            Pty::ISIG => settings.local_flags.set(LocalFlags::ISIG, on),
            Pty::ICRNL => settings.input_flags.set(InputFlags::ICRNL, on),
            Pty::INLCR => settings.input_flags.set(InputFlags::INLCR, on),
            Pty::OPOST => settings.output_flags.set(OutputFlags::OPOST, on),
            Pty::ONLCR => settings.output_flags.set(OutputFlags::ONLCR, on),
            _ => {}
        }
    }
    termios::tcsetattr(terminal, SetArg::TCSANOW, &settings)?;
    Ok(())
}

/// Sends a signal to a process started here. The outer half passes it on to the guest's.
pub(crate) fn signal(child: u32, name: &russh::Sig) {
    use nix::sys::signal::Signal;
    let signal = match name {
        russh::Sig::ABRT => Signal::SIGABRT,
        russh::Sig::ALRM => Signal::SIGALRM,
        russh::Sig::HUP => Signal::SIGHUP,
        russh::Sig::INT => Signal::SIGINT,
        russh::Sig::QUIT => Signal::SIGQUIT,
        russh::Sig::TERM => Signal::SIGTERM,
        russh::Sig::USR1 => Signal::SIGUSR1,
        // KILL would end the outer half and leave the guest's process without a witness.
        russh::Sig::KILL => Signal::SIGTERM,
        _ => return,
    };
    if let Ok(pid) = libc::pid_t::try_from(child) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
    }
}

/// Returns SSH's name of a signal.
pub(crate) fn signal_name(number: i32) -> russh::Sig {
    match number {
        libc::SIGABRT => russh::Sig::ABRT,
        libc::SIGALRM => russh::Sig::ALRM,
        libc::SIGFPE => russh::Sig::FPE,
        libc::SIGHUP => russh::Sig::HUP,
        libc::SIGILL => russh::Sig::ILL,
        libc::SIGINT => russh::Sig::INT,
        libc::SIGKILL => russh::Sig::KILL,
        libc::SIGPIPE => russh::Sig::PIPE,
        libc::SIGQUIT => russh::Sig::QUIT,
        libc::SIGSEGV => russh::Sig::SEGV,
        libc::SIGTERM => russh::Sig::TERM,
        libc::SIGUSR1 => russh::Sig::USR1,
        other => {
            let name = nix::sys::signal::Signal::try_from(other)
                .map(|signal| signal.as_str().trim_start_matches("SIG"));
            russh::Sig::Custom(format!("{}@linux", name.unwrap_or("UNKNOWN")))
        }
    }
}
