//! `enter`: joins a running sandbox, becomes the user, and runs one thing there.
//!
//! The outer half stays on the host's side of the process namespace, passes signals on and ends
//! the way the inner half ended. The inner half is a process of the guest like any other.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, getpid, setgid, setgroups, setsid, setuid};

use super::init::{Doing, Failure};
use super::wire::{CANNOT_ENTER, EnterRequest, NO_SUCH_USER, Task, read_framed};
use super::{Raw, configure, scp, sftp};
use crate::instance::sys;

/// Where the simulated programs come first.
const PATH: &str = "/run/alicloud-local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What no process of a guest may have, by number: CAP_SYS_MODULE, _RAWIO, _PACCT, _ADMIN, _BOOT,
/// _TIME, MAC_OVERRIDE, MAC_ADMIN, SYSLOG, WAKE_ALARM, BLOCK_SUSPEND, PERFMON, BPF,
/// CHECKPOINT_RESTORE. Of these SYS_ADMIN matters: with it root of the guest could uncover what
/// `mounts` covers.
const NEVER: [u32; 14] = [16, 17, 20, 21, 22, 25, 32, 33, 34, 35, 36, 38, 39, 40];

/// Those that reach beyond the guest's own files in the file servers built in.
const FILE_SERVER: u64 = 0b1111_1111 | (1 << 27);

/// How many files a process may have open, as usual and at most.
const USUAL_FILES: (u64, u64) = (1024, 4096);

/// CAP_SETGID and CAP_SETUID.
const BECOME_ROOT: u64 = (1 << 6) | (1 << 7);

pub(super) fn run() -> i32 {
    let request: EnterRequest = match read_framed(Raw(0)) {
        Ok(request) => request,
        Err(error) => return refuse(&format!("read what to run: {error}")),
    };
    let signals = SigSet::all();
    let entered = join(&request).and_then(|()| {
        signals.thread_block().doing("block signals")?;
        sys::fork().doing("fork into the sandbox")
    });
    match entered {
        Ok(ForkResult::Child) => {
            sys::default_signals();
            match inside(&request) {
                Ok(status) => status,
                Err(Failure { step, errno }) => {
                    refuse(&format!("{step}: {}", std::io::Error::from_raw_os_error(errno)))
                }
            }
        }
        Ok(ForkResult::Parent { child }) => {
            // The pipes belong to the inner half alone, so that its end is their end.
            if let Ok(nothing) = fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
                let _ = nix::unistd::dup2_stdin(&nothing);
                let _ = nix::unistd::dup2_stdout(&nothing);
                let _ = nix::unistd::dup2_stderr(&nothing);
            }
            outlive(child, &signals)
        }
        Err(Failure { step, errno }) => {
            refuse(&format!("{step}: {}", std::io::Error::from_raw_os_error(errno)))
        }
    }
}

fn refuse(message: &str) -> i32 {
    let _ = writeln!(Raw(2), "cannot enter the instance: {message}");
    CANNOT_ENTER
}

/// The user namespace comes first: it is what gives the right to join the others.
fn join(request: &EnterRequest) -> Result<(), Failure> {
    let names = ["user", "ipc", "uts", "pid_for_children", "mnt"];
    let open = |name: &str| fs::File::open(format!("/proc/{}/ns/{name}", request.keeper));
    let spaces = names
        .iter()
        .map(|&name| open(name).doing(format!("open the sandbox's `{name}` namespace")))
        .collect::<Result<Vec<_>, _>>()?;
    for (space, name) in spaces.iter().zip(names) {
        setns(space.as_fd(), CloneFlags::empty()).doing(format!("join the sandbox's `{name}` namespace"))?;
    }
    sys::hide_from_guest().doing("hide from the guest")
}

/// Passes on every signal until the inner half has ended, then ends like it.
fn outlive(child: Pid, signals: &SigSet) -> i32 {
    loop {
        let signal = signals.wait();
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, status)) => return status,
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                sys::default_signals();
                let _ = kill(getpid(), signal);
                return 128 + signal as i32;
            }
            Err(_) => return CANNOT_ENTER,
            Ok(_) => {}
        }
        if let Ok(signal) = signal
            && signal != Signal::SIGCHLD
        {
            // The child leads its own group; before it does, there is only itself.
            if kill(Pid::from_raw(-child.as_raw()), signal).is_err() {
                let _ = kill(child, signal);
            }
        }
    }
}

/// A line of `/etc/passwd`.
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
    pub shell: PathBuf,
}

pub(super) fn account(name: &str) -> Option<Account> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [user, _, uid, gid, _, home, shell] = fields[..] else { return None };
        (user == name).then(|| Account {
            name: user.to_owned(),
            uid: uid.parse().ok().unwrap_or(65534),
            gid: gid.parse().ok().unwrap_or(65534),
            home: PathBuf::from(home),
            shell: PathBuf::from(if shell.is_empty() { "/bin/sh" } else { shell }),
        })
    })
}

fn groups_of(account: &Account) -> Vec<Gid> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let extra = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, gid, members] = fields[..] else { return None };
        members
            .split(',')
            .any(|member| member == account.name)
            .then(|| gid.parse().ok().map(Gid::from_raw))?
    });
    std::iter::once(Gid::from_raw(account.gid)).chain(extra).collect()
}

fn inside(request: &EnterRequest) -> Result<i32, Failure> {
    let _ = setsid();
    if request.terminal {
        nix::unistd::dup2_stdin(sys::borrow_fd(1)).doing("attach the terminal")?;
        nix::unistd::dup2_stderr(sys::borrow_fd(1)).doing("attach the terminal")?;
        sys::set_controlling_terminal(0).doing("take the terminal")?;
    }
    let Some(account) = account(&request.user) else {
        return Ok(NO_SUCH_USER);
    };
    match &request.task {
        Task::LookUp => {
            let keys = fs::File::open(configure::authorized_keys(&account));
            let read = keys.and_then(|keys| std::io::copy(&mut keys.take(KEYS_MAX), &mut Raw(1)));
            // A user without such a file has no keys.
            return Ok(read.map_or(0, |_| 0));
        }
        Task::Configure(wanted) => {
            sys::limit_capabilities(FILE_SERVER).doing("limit the configuration")?;
            return Ok(configure::run(wanted, request.all_ids));
        }
        Task::HostKeys => return Ok(host_keys()),
        Task::Shell | Task::Command(_) | Task::Script(_) | Task::Sftp | Task::Scp(_) => {}
    }
    // The script is written while this is still root: the folder is root's.
    if let Task::Script(text) = &request.task {
        write_script(text).doing("write the script")?;
    }
    become_user(&account, request.all_ids)?;
    umask(Mode::from_bits_truncate(0o022));
    if std::env::set_current_dir(&account.home).is_err() {
        let _ = std::env::set_current_dir("/");
    }
    match &request.task {
        Task::Sftp => {
            sys::limit_capabilities(FILE_SERVER).doing("limit the file server")?;
            Ok(sftp::serve(Raw(0), Raw(1)))
        }
        Task::Scp(words) => {
            sys::limit_capabilities(FILE_SERVER).doing("limit the file server")?;
            Ok(scp::serve(words, &account.shell))
        }
        Task::LookUp | Task::Configure(_) | Task::HostKeys => Ok(0),
        Task::Shell | Task::Command(_) | Task::Script(_) => Ok(execute(request, &account)),
    }
}

/// The most that is read of a user's `authorized_keys`, and of a host key, in bytes.
const KEYS_MAX: u64 = 64 * 1024;

fn host_keys() -> i32 {
    let read = |kind: &str| {
        let mut text = String::new();
        let file = fs::File::open(format!("/etc/ssh/ssh_host_{kind}_key")).ok()?;
        file.take(KEYS_MAX).read_to_string(&mut text).ok().map(|_| text)
    };
    let keys: Vec<String> = ["ed25519", "ecdsa", "rsa"].into_iter().filter_map(read).collect();
    match serde_json::to_writer(Raw(1), &keys) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

const SCRIPT: &str = "/run/alicloud-local/script";

fn write_script(text: &[u8]) -> std::io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o700)
        .open(SCRIPT)?
        .write_all(text)?;
    fs::set_permissions(SCRIPT, fs::Permissions::from_mode(0o700))
}

fn become_user(account: &Account, all_ids: bool) -> Result<(), Failure> {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    // The server has raised its own; old programs close every descriptor there may be, one by one.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, USUAL_FILES.0, USUAL_FILES.1)
        .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, USUAL_FILES.0, USUAL_FILES.0));
    for capability in NEVER {
        sys::drop_capability(capability);
    }
    if !all_ids {
        // Only one id exists: every user of the guest is that one.
        return sys::no_new_privileges().doing("give up new privileges");
    }
    // A cloud's users may become root without a password. Where the host has no sudo to do it, our
    // own (a script) does, by the two capabilities that this takes.
    let may_become_root = account.uid != 0 && Path::new("/run/alicloud-local/bin/sudo").exists();
    if may_become_root {
        sys::keep_capabilities().doing("keep capabilities")?;
    }
    setgroups(&groups_of(account)).doing("set the groups")?;
    setgid(Gid::from_raw(account.gid)).doing("set the group")?;
    setuid(Uid::from_raw(account.uid)).doing("set the user")?;
    if may_become_root {
        sys::hand_on_capabilities(BECOME_ROOT).doing("let the user become root")?;
    }
    // A change of ids lets the kernel forget it.
    sys::hide_from_guest().doing("hide from the guest")
}

fn execute(request: &EnterRequest, account: &Account) -> i32 {
    let mut environment: Vec<(String, String)> = [
        ("PATH", PATH.to_owned()),
        ("HOME", account.home.display().to_string()),
        ("USER", account.name.clone()),
        ("LOGNAME", account.name.clone()),
        ("SHELL", account.shell.display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    environment.extend(request.environment.iter().cloned());
    let shell_name = account.shell.file_name().unwrap_or(OsStr::new("sh"));
    let login = format!("-{}", shell_name.to_string_lossy());
    let (program, arguments): (&Path, Vec<&OsStr>) = match &request.task {
        Task::Command(command) => {
            (&account.shell, vec![shell_name, OsStr::new("-c"), OsStr::from_bytes(command)])
        }
        Task::Script(_) => (Path::new(SCRIPT), vec![OsStr::new(SCRIPT)]),
        _ => (&account.shell, vec![OsStr::new(&login)]),
    };
    let error = sys::execute(program, &arguments, &environment);
    let _ = writeln!(Raw(2), "{}: {error}", program.display());
    127
}
