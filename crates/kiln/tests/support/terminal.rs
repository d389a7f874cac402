//! A person at a terminal: what is drawn is read, what is typed comes from a keyboard.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use super::{Output, PATIENCE, World};

/// What is connected to the terminal besides the keyboard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Both output streams.
    All,
    /// Standard error; standard output goes into a pipe.
    ErrorsOnly,
    /// Nothing: both go into pipes.
    Nothing,
}

/// A run whose controlling terminal is ours.
pub struct AtTerminal<'a> {
    world: &'a World,
    child: Child,
    keyboard: File,
    drawn: Receiver<Vec<u8>>,
    seen: String,
    /// What has been waited for stands before this.
    read: usize,
}

impl World {
    /// Starts `kiln` in a session of its own, at a terminal.
    pub fn at_terminal(&self, arguments: &[&str], screen: Screen) -> AtTerminal<'_> {
        let pty = nix::pty::openpty(None, None).unwrap();
        let name = nix::unistd::ttyname(&pty.slave).unwrap();
        let name = CString::new(name.into_os_string().into_encoded_bytes()).unwrap();
        let mut command = self.command(arguments);
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        if screen == Screen::All {
            command.stdout(slave());
        }
        if screen != Screen::Nothing {
            command.stderr(slave());
        }
        let take_terminal = move || {
            nix::unistd::setsid()?;
            // The first terminal a session's leader opens becomes its own.
            let flags = nix::fcntl::OFlag::O_RDWR;
            nix::fcntl::open(name.as_c_str(), flags, nix::sys::stat::Mode::empty())?;
            Ok(())
        };
        #[expect(
            unsafe_code,
            reason = "between fork and exec only two system calls are made, on memory made before"
        )]
        // SAFETY: the closure allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(take_terminal);
        }
        let child = command.spawn().unwrap();
        drop(command);
        drop(pty.slave);
        let (drawing, drawn) = channel();
        let mut master = File::from(pty.master.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The last end of the terminal that closes is an error to read from, not an end of file.
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                if drawing.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keyboard = File::from(pty.master);
        AtTerminal { world: self, child, keyboard, drawn, seen: String::new(), read: 0 }
    }
}

impl AtTerminal<'_> {
    /// Reads on until `text` stands on the terminal, behind what was waited for before.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.drawn.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(end) => panic!("`{text}` never came ({end}); what came:\n{}", self.seen),
            }
        }
    }

    /// Types on the keyboard.
    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for its end. Returns what stood on the terminal, and what went into pipes.
    pub fn finish(mut self) -> (String, Output) {
        let id = self.child.id();
        let (done, finished) = channel::<()>();
        // A test that hangs ends here instead.
        let watchdog = std::thread::spawn(move || {
            if finished.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let process = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
                let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
            }
        });
        let mut piped = [String::new(), String::new()];
        if let Some(mut out) = self.child.stdout.take() {
            out.read_to_string(&mut piped[0]).unwrap();
        }
        if let Some(mut err) = self.child.stderr.take() {
            err.read_to_string(&mut piped[1]).unwrap();
        }
        while let Ok(bytes) = self.drawn.recv() {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        let code = self.child.wait().unwrap().code();
        drop(done);
        watchdog.join().unwrap();
        let screen = self.world.placeholders(&self.seen.replace("\r\n", "\n"));
        (screen, self.world.output(code, piped[0].as_bytes(), piped[1].as_bytes()))
    }
}
