//! A world of its own for each test: nothing of the environment gets in, everything that comes out is looked at.

pub mod terminal;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A folder with a home, a place for temporary files and a working directory.
pub struct World {
    root: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// Everything a run left. Must be looked at.
#[must_use]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    pub fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home", "tmp", "cwd"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        World { root, environment: Vec::new() }
    }

    /// Returns a world with one file in its working directory.
    pub fn with(name: &str, text: &str) -> World {
        World::new().file(name, text)
    }

    pub fn file(self, name: &str, text: &str) -> World {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> World {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the path of something in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("cwd").join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Returns the files of the state folder, for tests about journals.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("home/.local/state/kiln")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("TZ", "UTC")
            .envs(self.environment.iter().cloned())
            .current_dir(self.root.path().join("cwd"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `kiln` to its end.
    pub fn kiln(&self, arguments: &[&str]) -> Output {
        self.kiln_with_input(arguments, "")
    }

    /// Runs `kiln` to its end with something on standard input.
    pub fn kiln_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A program that does not read its input closes it: that is for the test to notice elsewhere.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        self.output(output.status.code(), &output.stdout, &output.stderr)
    }

    /// Starts `kiln`, in a process group of its own, to be watched.
    pub fn start(&self, arguments: &[&str]) -> Running<'_> {
        use std::os::unix::process::CommandExt;
        let mut child = self.command(arguments).process_group(0).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running { world: self, child, out, seen: String::new() }
    }

    fn output(&self, code: Option<i32>, stdout: &[u8], stderr: &[u8]) -> Output {
        let text = |bytes: &[u8]| self.placeholders(&String::from_utf8_lossy(bytes));
        Output { code: code.unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Puts names where every run has something else.
    fn placeholders(&self, text: &str) -> String {
        let path = |name: &str| self.root.path().join(name).display().to_string();
        let text = text
            .replace(&path("cwd"), "[CWD]")
            .replace(&path("tmp"), "[TMP]")
            .replace(&path("home"), "[HOME]");
        text.split_inclusive('\n').map(line).collect()
    }
}

fn line(line: &str) -> String {
    let mut line = numbered(line, "packer-shell");
    for (start, end) in [
        ("finished after ", Some(".")),
        ("errored after ", Some(":")),
        ("Wait completed after ", None),
        ("\"elapsed\":", Some(",")),
        ("\"time\":\"", Some("\"")),
        ("\"run\":\"", Some("\"")),
    ] {
        if let Some(at) = line.find(start).map(|at| at + start.len()) {
            let rest = &line[at..];
            let until = end.and_then(|end| rest.find(end)).unwrap_or_else(|| rest.trim_end().len());
            line = format!("{}[…]{}", &line[..at], &rest[until..]);
        }
    }
    match line.split_once(',') {
        Some((time, rest)) if time.len() == 10 && time.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("[TIME],{rest}")
        }
        _ => line,
    }
}

fn numbered(line: &str, word: &str) -> String {
    let Some(at) = line.find(word).map(|at| at + word.len()) else {
        return line.to_owned();
    };
    let digits = line[at..].bytes().take_while(u8::is_ascii_alphanumeric).count();
    format!("{}[N]{}", &line[..at], &line[at + digits..])
}

/// A run under way.
pub struct Running<'a> {
    world: &'a World,
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    seen: String,
}

/// Nothing in these tests takes longer; a test that hangs ends here instead.
const PATIENCE: Duration = Duration::from_secs(30);

impl Running<'_> {
    /// Reads on until a line contains `text`.
    pub fn wait_for(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let count = self.out.read_line(&mut line).unwrap();
            self.seen.push_str(&line);
            if line.contains(text) {
                return;
            }
            assert!(count > 0, "`{text}` never came; what came:\n{}", self.seen);
        }
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let process = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(process, signal).unwrap();
    }

    /// Closes our end of its output, as `head` does.
    pub fn stop_reading(mut self) -> i32 {
        drop(self.out);
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Output {
        let id = self.child.id();
        let (done, finished) = std::sync::mpsc::channel::<()>();
        let watchdog = std::thread::spawn(move || {
            if finished.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let process = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
                let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
            }
        });
        let mut stderr = String::new();
        self.out.read_to_string(&mut self.seen).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = self.child.wait().unwrap().code();
        drop(done);
        watchdog.join().unwrap();
        self.world.output(code, self.seen.as_bytes(), stderr.as_bytes())
    }
}

impl Output {
    /// Returns standard output of a run that ended with `code`.
    pub fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Returns a template with one builder `null` that needs no machine, and these provisioners.
pub fn null_template(provisioners: &str) -> String {
    format!(
        r#"{{"builders": [{{"type": "null", "communicator": "none"}}], "provisioners": [{provisioners}]}}"#
    )
}

/// Returns a shell-local provisioner.
pub fn shell_local(command: &str) -> String {
    format!(r#"{{"type": "shell-local", "inline": [{command:?}]}}"#)
}
