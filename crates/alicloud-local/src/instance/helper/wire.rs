//! The words between the server and its helper processes: one JSON record, its length in front,
//! on the helper's standard input (never its command line, which every process of the host can
//! read), and one JSON line per fact on `init`'s standard output.

use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A folder of the guest that is backed by one of the host, with what lies in between.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Folder {
    /// Where it appears in the guest, without the leading slash; empty for the root.
    pub target: PathBuf,
    /// Its name in the disk and in captured layers.
    pub slug: String,
    /// What it shows, topmost first.
    pub lowers: Vec<PathBuf>,
}

/// A file that exists only while the machine runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuntimeFile {
    /// Below `/run/alicloud-local`.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Whether it is a program.
    pub program: bool,
}

/// What `init` boots.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InitRequest {
    /// The machine's folder; holds `disk`.
    pub dir: PathBuf,
    /// The name the guest sees.
    pub hostname: String,
    /// The root first, then what is mounted below it.
    pub folders: Vec<Folder>,
    /// The size of the disk, if it has one.
    pub disk_limit_bytes: Option<u64>,
    /// What to put below `/run/alicloud-local`.
    pub runtime: Vec<RuntimeFile>,
    /// How long processes may take to end after SIGTERM, in milliseconds.
    pub grace_ms: u64,
}

/// What `init` reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitReport {
    /// The sandbox stands.
    Ready {
        /// The process outside the sandbox that holds its namespaces.
        keeper: i32,
        /// Whether all user ids exist in the guest (else only one does).
        all_ids: bool,
        /// A descriptor of the keeper that is the limited disk, if there is one.
        disk: Option<i32>,
        /// What could not be set up as wanted.
        remarks: Vec<String>,
    },
    /// It does not stand.
    Failed {
        /// What was being done.
        step: String,
        /// The system's error number.
        errno: i32,
    },
    /// A simulated program has something to say.
    Note(String),
    /// The guest begins to end by itself; its processes have a moment left.
    Ending,
    /// The guest's first process ended.
    Ended(End),
}

/// Why a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It was told to from outside, or something killed it.
    Stopped,
    /// It switched itself off.
    PoweredOff,
    /// It wants to be started again.
    Reboot,
}

/// What `enter` runs in the sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnterRequest {
    /// From [`InitReport::Ready`].
    pub keeper: i32,
    /// From [`InitReport::Ready`].
    pub all_ids: bool,
    /// Who runs it.
    pub user: String,
    /// Set on top of the usual environment.
    pub environment: Vec<(String, String)>,
    /// What to run.
    pub task: Task,
    /// Standard output is a terminal that becomes the controlling one and also standard input.
    pub terminal: bool,
}

/// The things that can be run in a sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The user's shell, as a login shell.
    Shell,
    /// A command line for the user's shell; bytes, since nothing says that it is UTF-8.
    Command(Vec<u8>),
    /// A script of our own for `/bin/sh`.
    Script(Vec<u8>),
    /// The SFTP server built into this program.
    Sftp,
    /// The scp sink or source built into this program; the words after `scp`, unparsed.
    Scp(Vec<u8>),
    /// Tells by its status whether the user exists, and prints his `authorized_keys`.
    LookUp,
    /// Writes what cloud-init writes at a boot.
    Configure(Box<Configuration>),
    /// Prints the private host keys that the guest holds, as a JSON list.
    HostKeys,
}

/// What cloud-init writes at a boot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// Whether host keys that an image brought along are deleted first.
    pub delete_host_keys: bool,
    /// Then users are added,
    pub users: Vec<UserToAdd>,
    /// files written,
    pub files: Vec<FileToWrite>,
    /// and keys.
    pub keys: Vec<KeysOf>,
}

/// A user of the guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserToAdd {
    /// The name.
    pub name: String,
    /// The home folder, if not `/home/<name>`.
    pub home: Option<String>,
    /// The shell, if not `/bin/sh`.
    pub shell: Option<String>,
}

/// A file of the guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileToWrite {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Vec<u8>,
    /// Its mode.
    pub mode: u32,
    /// Its owner, if not root.
    pub owner: Option<String>,
    /// Whether what is there stays.
    pub append: bool,
}

/// Changes to a user's `authorized_keys`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeysOf {
    /// Whose.
    pub user: String,
    /// Lines that are to be there.
    pub add: Vec<String>,
    /// Lines that are to be gone.
    pub remove: Vec<String>,
}

/// The status of `enter` when the user does not exist.
pub const NO_SUCH_USER: i32 = 67;
/// The status of `enter` when the sandbox could not be entered.
pub const CANNOT_ENTER: i32 = 254;

/// Returns a record with its length in front.
pub fn framed<T: Serialize>(record: &T) -> serde_json::Result<Vec<u8>> {
    let text = serde_json::to_vec(record)?;
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    Ok([length.to_be_bytes().as_slice(), &text].concat())
}

/// Reads exactly one record, and not a byte of what follows.
pub fn read_framed<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > 16 * 1024 * 1024 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the record is too long"));
    }
    let mut text = vec![0; length];
    from.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}
