//! The file system a guest sees: overlays for what is kept, memory for what is not, a small
//! `/dev`, a fresh `/proc` with the host's switches out of reach, and nothing else of the host.
//!
//! Root of the host keeps its id in the guest (so that packages can be installed), and the kernel
//! lets that id write `/proc/sys` whatever its capabilities. So `/proc/sys` and the like are
//! mounted read-only, and the guest gets no CAP_SYS_ADMIN to change mounts (see `enter`).

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, mkfifo, pivot_root, sethostname};

use super::init::{Doing, Failure};
use super::wire::{Folder, InitRequest};
use crate::instance::tree;

const NOTHING: Option<&str> = None;

fn folder(path: impl AsRef<Path>, mode: u32) -> std::io::Result<()> {
    let path = path.as_ref();
    fs::DirBuilder::new().recursive(true).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn memory(target: impl AsRef<Path>, options: &str, flags: MsFlags) -> nix::Result<()> {
    mount(Some("tmpfs"), target.as_ref(), Some("tmpfs"), flags, Some(options))
}

/// Makes the mounts private and lays out the disk: a folder, or memory of the size asked for,
/// filled with what the machine had when it was stopped. Returns the handle of the latter.
pub(super) fn prepare_disk(request: &InitRequest) -> Result<Option<OwnedFd>, Failure> {
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)
        .doing("make the mounts private")?;
    chdir(&request.dir).doing(format!("enter `{}`", request.dir.display()))?;
    let mut handle = None;
    if let Some(limit) = request.disk_limit_bytes {
        let saved = request.dir.join("disk/upper");
        let keep = fs::File::open(&saved).ok();
        memory("disk", &format!("size={limit},mode=755"), MsFlags::empty())
            .doing("mount a disk of limited size")?;
        if let Some(saved) = keep {
            use std::os::fd::AsRawFd;
            let saved = PathBuf::from(format!("/proc/self/fd/{}/.", saved.as_raw_fd()));
            tree::copy(&saved, Path::new("disk/upper"))
                .map_err(|error| Failure { step: format!("fill the disk ({error})"), errno: libc::ENOSPC })?;
        }
        let open = fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open("disk");
        handle = Some(OwnedFd::from(open.doing("open the disk")?));
    }
    for part in &request.folders {
        folder(Path::new("disk/upper").join(&part.slug), 0o755).doing("lay out the disk")?;
        folder(Path::new("disk/work").join(&part.slug), 0o755).doing("lay out the disk")?;
    }
    Ok(handle)
}

/// Builds the guest's file system and makes it the root of this mount namespace. Returns what is
/// not as it should be.
pub(super) fn build(request: &InitRequest) -> Result<Vec<String>, Failure> {
    let mut remarks = Vec::new();
    folder("root", 0o755).doing("create the root folder")?;
    let _ = fs::remove_dir_all("l");
    folder("l", 0o755).doing("create the folder of layers")?;
    for part in &request.folders {
        overlay(part)?;
    }
    chdir("root").doing("enter the root folder")?;
    for name in ["proc", "dev", "run", "tmp"] {
        if !Path::new(name).is_dir() {
            let _ = folder(name, 0o755);
        }
    }
    devices(&mut remarks)?;
    run_time(request)?;
    processes(&mut remarks)?;
    // Stacks the old root below the new one and then lets go of it with everything in it.
    pivot_root(".", ".").doing("change the root (pivot_root)")?;
    umount2(".", MntFlags::MNT_DETACH).doing("let go of the host's root")?;
    chdir("/").doing("enter the root")?;
    sethostname(&request.hostname).doing("set the host name")?;
    Ok(remarks)
}

/// Layers are named by short links, so that a mount's options (4 KiB at most, `:` and `,` have a
/// meaning) hold any number of them at any path.
fn overlay(part: &Folder) -> Result<(), Failure> {
    let mut lowers = Vec::new();
    for (index, lower) in part.lowers.iter().enumerate() {
        let link = format!("l/{}.{index}", part.slug);
        symlink(lower, &link).doing("name a layer")?;
        lowers.push(link);
    }
    let slug = &part.slug;
    let options = format!(
        "lowerdir={},upperdir=disk/upper/{slug},workdir=disk/work/{slug},userxattr",
        lowers.join(":")
    );
    let target = Path::new("root").join(&part.target);
    if !target.is_dir() {
        folder(&target, 0o755).doing(format!("create `/{}`", part.target.display()))?;
    }
    mount(Some("overlay"), &target, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .doing(format!("mount the overlay of `/{}`", part.target.display()))
}

fn devices(remarks: &mut Vec<String>) -> Result<(), Failure> {
    memory("dev", "mode=755,size=64k", MsFlags::MS_NOSUID).doing("mount /dev")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let (host, guest) = (Path::new("/dev").join(name), Path::new("dev").join(name));
        fs::File::create(&guest).doing(format!("create /dev/{name}"))?;
        mount(Some(&host), &guest, NOTHING, MsFlags::MS_BIND, NOTHING).doing(format!("bind /dev/{name}"))?;
        // A read-only mount lets a device be written to, but not have its mode changed: the node
        // is the host's.
        if let Err(errno) = remount(&guest, MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC) {
            remarks.push(format!("/dev/{name} could not be protected: {errno}"));
        }
    }
    for (link, to) in [
        ("dev/fd", "/proc/self/fd"),
        ("dev/stdin", "/proc/self/fd/0"),
        ("dev/stdout", "/proc/self/fd/1"),
        ("dev/stderr", "/proc/self/fd/2"),
        ("dev/ptmx", "pts/ptmx"),
    ] {
        symlink(to, link).doing(format!("link /{link}"))?;
    }
    folder("dev/pts", 0o755).doing("create /dev/pts")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    if let Err(errno) =
        mount(Some("devpts"), "dev/pts", Some("devpts"), flags, Some("newinstance,ptmxmode=0666,mode=620"))
    {
        remarks.push(format!("/dev/pts is empty: {errno}"));
    }
    folder("dev/shm", 0o1777).doing("create /dev/shm")?;
    memory("dev/shm", "mode=1777", MsFlags::MS_NOSUID | MsFlags::MS_NODEV).doing("mount /dev/shm")
}

fn remount(target: &Path, flags: MsFlags) -> nix::Result<()> {
    // What the host set on the mount it came from is locked and has to be repeated.
    let present = nix::sys::statvfs::statvfs(target)?.flags().bits();
    let present = MsFlags::from_bits_truncate(present as libc::c_ulong & 0xf)
        | if present & libc::ST_NOATIME != 0 { MsFlags::MS_NOATIME } else { MsFlags::empty() }
        | if present & libc::ST_NODIRATIME != 0 { MsFlags::MS_NODIRATIME } else { MsFlags::empty() }
        | if present & libc::ST_RELATIME != 0 { MsFlags::MS_RELATIME } else { MsFlags::empty() };
    mount(NOTHING, target, NOTHING, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | present | flags, NOTHING)
}

fn run_time(request: &InitRequest) -> Result<(), Failure> {
    memory("run", "mode=755,size=64m", MsFlags::MS_NOSUID | MsFlags::MS_NODEV).doing("mount /run")?;
    folder("run/lock", 0o1777).doing("create /run/lock")?;
    let base = Path::new("run/alicloud-local");
    folder(base, 0o755).doing("create /run/alicloud-local")?;
    for file in &request.runtime {
        let path = base.join(&file.path);
        let write = || -> std::io::Result<()> {
            if let Some(parent) = path.parent() {
                folder(parent, 0o755)?;
            }
            fs::write(&path, &file.text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(if file.program { 0o755 } else { 0o644 }))
        };
        write().doing(format!("write `/run/alicloud-local/{}`", file.path.display()))?;
    }
    // `notes` carries announcements to the server; reading `never` waits for ever.
    for (name, mode) in [("notes", 0o622), ("never", 0o644)] {
        let path = base.join(name);
        mkfifo(&path, Mode::from_bits_truncate(0o600))
            .doing(format!("create `/run/alicloud-local/{name}`"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).doing("open the notes to everyone")?;
    }
    Ok(())
}

fn processes(remarks: &mut Vec<String>) -> Result<(), Failure> {
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if let Err(errno) = mount(Some("proc"), "proc", Some("proc"), quiet, NOTHING) {
        remarks.push(format!("/proc is empty: this host does not let a sandbox mount it ({errno})"));
        return Ok(());
    }
    for name in ["sys", "irq", "bus", "fs"] {
        let path = Path::new("proc").join(name);
        if path.is_dir() {
            mount(Some(&path), &path, NOTHING, MsFlags::MS_BIND, NOTHING)
                .doing(format!("bind /proc/{name}"))?;
            remount(&path, quiet | MsFlags::MS_RDONLY).doing(format!("protect /proc/{name}"))?;
        }
    }
    for name in ["acpi", "scsi"] {
        let path = Path::new("proc").join(name);
        if path.is_dir() {
            memory(&path, "size=4k,mode=555", quiet | MsFlags::MS_RDONLY)
                .doing(format!("hide /proc/{name}"))?;
        }
    }
    for name in [
        "sysrq-trigger",
        "kcore",
        "kmsg",
        "keys",
        "timer_list",
        "latency_stats",
        "sched_debug",
        "kpagecount",
        "kpageflags",
        "kpagecgroup",
    ] {
        let path = Path::new("proc").join(name);
        if path.exists() {
            mount(Some("dev/null"), &path, NOTHING, MsFlags::MS_BIND, NOTHING)
                .doing(format!("hide /proc/{name}"))?;
        }
    }
    Ok(())
}
