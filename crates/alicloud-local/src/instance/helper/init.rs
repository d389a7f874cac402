//! `init`: the keeper (outside the sandbox, holds its namespaces and its limited disk) and the
//! guest's first process (inside, reaps what is orphaned and ends the machine).
//!
//! The sandbox cannot outlive its server: the keeper ends when its standard input closes, which
//! the kernel does when the server dies in any way, and the first process dies with the keeper.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, getegid, geteuid, getpid, pipe};

use super::wire::{End, InitReport, InitRequest, read_framed};
use super::{Raw, mounts};
use crate::instance::sys;

/// What was being done, and the system's answer.
pub(super) struct Failure {
    pub step: String,
    pub errno: i32,
}

/// Adds what was being done to an error.
pub(super) trait Doing<T> {
    fn doing(self, step: impl Into<String>) -> Result<T, Failure>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, step: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure { step: step.into(), errno: error.raw_os_error().unwrap_or(0) })
    }
}

impl<T> Doing<T> for nix::Result<T> {
    fn doing(self, step: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|errno| Failure { step: step.into(), errno: errno as i32 })
    }
}

fn report(report: &InitReport) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        // One write of one line: keeper and first process share the pipe. If nobody listens any
        // more, the closed standard input ends us.
        let _ = Raw(1).write_all(&line);
    }
}

pub(super) fn run() -> i32 {
    let result = read_framed(Raw(0)).doing("read what to boot").and_then(|request| keep(&request));
    match result {
        Ok(()) => 0,
        Err(Failure { step, errno }) => {
            report(&InitReport::Failed { step, errno });
            1
        }
    }
}

fn keep(request: &InitRequest) -> Result<(), Failure> {
    let all_ids = enter_user_namespace()?;
    let parts = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    unshare(parts).doing("create mount, process, host name and IPC namespaces (unshare)")?;
    if !all_ids {
        // With one id there is no set-uid program to break, so none gets a chance.
        sys::no_new_privileges().doing("give up new privileges")?;
    }
    let disk = mounts::prepare_disk(request)?;
    let keeper = getpid().as_raw();
    let (life, alive) = pipe().doing("make a pipe")?;
    match sys::fork().doing("fork the guest's first process")? {
        ForkResult::Child => {
            drop(life);
            std::process::exit(match first_process(request, keeper, all_ids, disk.as_ref()) {
                Ok(End::Stopped) => 0,
                Ok(End::PoweredOff) => 10,
                Ok(End::Reboot) => 11,
                Err(Failure { step, errno }) => {
                    report(&InitReport::Failed { step, errno });
                    1
                }
            });
        }
        ForkResult::Parent { child } => {
            drop(alive);
            watch(child, life)
        }
    }
}

/// Waits for orders and for the first process to end; stays afterwards (it holds the disk) until
/// its standard input closes.
fn watch(first: Pid, life: OwnedFd) -> Result<(), Failure> {
    let mut life = Some(life);
    loop {
        let mut waiting = vec![PollFd::new(sys::borrow_fd(0), PollFlags::POLLIN)];
        if let Some(life) = &life {
            waiting.push(PollFd::new(life.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).doing("wait for orders"),
        }
        let happened = |index: usize| waiting.get(index).and_then(PollFd::any).unwrap_or(false);
        if happened(1) {
            let end = match waitpid(first, None) {
                Ok(WaitStatus::Exited(_, 10)) => End::PoweredOff,
                Ok(WaitStatus::Exited(_, 11)) => End::Reboot,
                _ => End::Stopped,
            };
            report(&InitReport::Ended(end));
            life = None;
            continue;
        }
        if happened(0) {
            let mut order = [0];
            match Raw(0).read(&mut order) {
                Ok(1) if life.is_some() => {
                    let signal = if order[0] == b'T' { Signal::SIGTERM } else { Signal::SIGKILL };
                    let _ = kill(first, signal);
                }
                Ok(1) => {}
                _ => {
                    if life.is_some() {
                        let _ = kill(first, Signal::SIGKILL);
                        let _ = waitpid(first, None);
                    }
                    return Ok(());
                }
            }
        }
    }
}

/// Enters a new user namespace; returns whether it has all user ids. A process may write only a
/// map of its own id, so root forks a child that stays outside and writes the whole map.
fn enter_user_namespace() -> Result<bool, Failure> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let writer = if user == 0 { Some(fork_map_writer()?) } else { None };
    unshare(CloneFlags::CLONE_NEWUSER).doing("create a user namespace (unshare)")?;
    let all_ids = match writer {
        Some(writer) => writer.write(),
        None => false,
    };
    if !all_ids {
        // `setgroups` may be gone already if a nested container wrote it; the map's write tells.
        let _ = fs::write("/proc/self/setgroups", "deny");
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))
            .doing("map the user id (/proc/self/uid_map)")?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))
            .doing("map the group id (/proc/self/gid_map)")?;
    }
    sys::show_to_owner().doing("open /proc to the owner")?;
    Ok(all_ids)
}

struct MapWriter {
    child: Pid,
    start: OwnedFd,
}

fn fork_map_writer() -> Result<MapWriter, Failure> {
    let (wait, start) = pipe().doing("make a pipe")?;
    let target = getpid();
    match sys::fork().doing("fork")? {
        ForkResult::Parent { child } => Ok(MapWriter { child, start }),
        ForkResult::Child => {
            drop(start);
            let mut go = [0];
            let told = nix::unistd::read(&wait, &mut go) == Ok(1);
            let write = |kind: &str| -> std::io::Result<()> {
                let own = fs::read_to_string(format!("/proc/self/{kind}"))?;
                fs::write(
                    format!("/proc/{target}/{kind}"),
                    identity_map(&own).ok_or(std::io::ErrorKind::Other)?,
                )
            };
            let done = told && write("gid_map").is_ok() && write("uid_map").is_ok();
            std::process::exit(i32::from(!done));
        }
    }
}

impl MapWriter {
    fn write(self) -> bool {
        let _ = nix::unistd::write(&self.start, b"g");
        matches!(waitpid(self.child, None), Ok(WaitStatus::Exited(_, 0)))
    }
}

/// Maps every id up to 65535 that exists here to itself; `None` if that is not worth the name.
fn identity_map(own: &str) -> Option<String> {
    let mut lines = String::new();
    let mut ids = 0;
    for line in own.lines() {
        let mut words = line.split_whitespace().map(|word| word.parse::<u64>().ok());
        let (first, _, count) = (words.next()??, words.next()??, words.next()??);
        let count = count.min(65536_u64.saturating_sub(first));
        if count > 0 {
            lines.push_str(&format!("{first} {first} {count}\n"));
            ids += count;
        }
    }
    (ids > 1000).then_some(lines)
}

fn first_process(
    request: &InitRequest,
    keeper: i32,
    all_ids: bool,
    disk: Option<&OwnedFd>,
) -> Result<End, Failure> {
    sys::die_with_parent().doing("bind to the keeper")?;
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2] {
        signals.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), None).doing("block signals")?;
    let remarks = mounts::build(request)?;
    sys::hide_from_guest().doing("hide from the guest")?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .doing("listen for signals")?;
    let mut notes = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/run/alicloud-local/notes")
        .doing("open the notes")?;
    // The orders belong to the keeper.
    let nothing = fs::File::open("/dev/null").doing("open /dev/null")?;
    nix::unistd::dup2_stdin(&nothing).doing("close standard input")?;
    report(&InitReport::Ready { keeper, all_ids, disk: disk.map(AsRawFd::as_raw_fd), remarks });

    let mut pending = Vec::new();
    let end = loop {
        let mut waiting =
            [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(notes.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).doing("wait for signals"),
        }
        pass_notes(&mut notes, &mut pending);
        let mut end = None;
        while let Ok(Some(signal)) = signals.read_signal() {
            match Signal::try_from(signal.ssi_signo as i32) {
                Ok(Signal::SIGTERM) => end = Some(End::Stopped),
                Ok(Signal::SIGUSR1) => end = Some(End::PoweredOff),
                Ok(Signal::SIGUSR2) => end = Some(End::Reboot),
                _ => {}
            }
        }
        reap();
        if let Some(end) = end {
            break end;
        }
    };
    report(&InitReport::Ending);
    if end != End::Stopped {
        // Lets the server cut the connections before a script's death could be told on one: on a
        // real machine the connection is lost, and that is what a client expects.
        #[expect(clippy::disallowed_methods, reason = "this process has one thread and no runtime")]
        std::thread::sleep(Duration::from_millis(20));
    }
    end_processes(Duration::from_millis(request.grace_ms));
    pass_notes(&mut notes, &mut pending);
    Ok(end)
}

fn reap() {
    while let Ok(status) = waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}

/// Asks everything to end and gives it time; what remains dies with this process.
fn end_processes(grace: Duration) {
    let everything = Pid::from_raw(-1);
    let _ = kill(everything, Signal::SIGTERM);
    let _ = kill(everything, Signal::SIGHUP);
    let deadline = Instant::now() + grace;
    while Instant::now() < deadline && kill(everything, None).is_ok() {
        reap();
        #[expect(clippy::disallowed_methods, reason = "this process has one thread and no runtime")]
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Forwards whole lines. A line is cut where it is longer than any honest stub's.
fn pass_notes(notes: &mut fs::File, pending: &mut Vec<u8>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = notes.read(&mut bytes) {
        pending.extend_from_slice(&bytes[..count]);
        while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..line.len() - 1]).into_owned();
            report(&InitReport::Note(line));
        }
        if pending.len() > 8192 {
            pending.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::identity_map;

    #[test]
    fn every_id_of_this_host_is_mapped_to_itself_up_to_65535() {
        assert_eq!(identity_map("0 0 4294967295\n").as_deref(), Some("0 0 65536\n"));
        assert_eq!(identity_map("0 1000 1\n1 100000 65536\n").as_deref(), Some("0 0 1\n1 1 65535\n"));
        assert_eq!(identity_map("0 1000 1\n"), None);
    }
}
