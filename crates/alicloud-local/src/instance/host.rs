//! What this host can do: finds out once whether sandboxes work and where their disks can lie,
//! and then makes machines.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::base::Base;
use super::helper::wire::{Folder, InitRequest};
use super::machine::{Machine, WHITEOUT_FILES};
use super::sandbox::Sandbox;
use super::spec::{HelperProgram, MachineError, MachineSpec, NoSandbox, Platform};
use super::{simulated, tree};

/// A host on which sandboxes were seen to work. Machines are made by [`MachineHost::boot`].
#[derive(Clone, Debug)]
pub struct MachineHost(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    helper: HelperProgram,
    /// Whether the guests have all user ids (the server runs as root) or one.
    all_ids: bool,
    /// Holds the lowest layers; goes with this process.
    bases: tempfile::TempDir,
    made: Mutex<HashMap<PathBuf, Base>>,
    /// Copies of image layers that cannot be used where they lie, by path and time.
    copies: Mutex<HashMap<(PathBuf, SystemTime), PathBuf>>,
    /// Where disks lie if a machine's own folder is on a file system that cannot hold them.
    disks: Option<tempfile::TempDir>,
}

impl MachineHost {
    /// Boots a minimal sandbox below `work_dir` and throws it away.
    pub async fn probe(helper: HelperProgram, work_dir: &Path) -> Result<MachineHost, NoSandbox> {
        let folder = |dir: &Path| tempfile::Builder::new().prefix("instances-").tempdir_in(dir);
        let plain = |error: io::Error| NoSandbox {
            reason: format!("create a folder in `{}`: {error}", work_dir.display()),
            hints: Vec::new(),
        };
        fs::create_dir_all(work_dir).map_err(plain)?;
        let mut bases = folder(work_dir).map_err(plain)?;
        let elsewhere = [
            std::env::var_os("TMPDIR").map(PathBuf::from),
            Some(PathBuf::from("/dev/shm")),
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
        ];
        let first = match try_boot(&helper, bases.path(), bases.path()).await {
            Ok(all_ids) => return Ok(MachineHost::new(helper, all_ids, bases, None)),
            Err(error) => error,
        };
        // Only an overlay that was refused gets better elsewhere (it cannot lie on another one,
        // which is what the root of most containers is).
        if matches!(&first, MachineError::Boot { step, .. } if step.contains("overlay")) {
            for place in elsewhere.into_iter().flatten() {
                if let Ok(disks) = folder(&place)
                    && let Ok(all_ids) = try_boot(&helper, bases.path(), disks.path()).await
                    && let Ok(other_bases) = folder(&place)
                {
                    // Whiteouts need such a place too.
                    bases = other_bases;
                    return Ok(MachineHost::new(helper, all_ids, bases, Some(disks)));
                }
            }
        }
        Err(explain(&first))
    }

    fn new(
        helper: HelperProgram,
        all_ids: bool,
        bases: tempfile::TempDir,
        disks: Option<tempfile::TempDir>,
    ) -> Self {
        MachineHost(Arc::new(Inner {
            helper,
            all_ids,
            bases,
            made: Mutex::default(),
            copies: Mutex::default(),
            disks,
        }))
    }

    /// Returns whether guests have all user ids. If not (the server is not root), nothing in a
    /// guest can be owned by anyone but its root, and packages are simulated.
    pub fn has_all_user_ids(&self) -> bool {
        self.0.all_ids
    }

    /// Starts a machine, or starts it again if its folder holds one. Returns when its SSH server
    /// listens. What is simulated in it is told to `notes`.
    pub async fn boot(
        &self,
        spec: MachineSpec,
        notes: mpsc::Sender<String>,
    ) -> Result<Machine, MachineError> {
        Machine::boot(self.clone(), spec, notes).await
    }

    pub(crate) fn helper(&self) -> &HelperProgram {
        &self.0.helper
    }

    /// Lays out what a machine's next boot needs. Touches files: call it off the runtime.
    pub(crate) fn prepare(&self, spec: &MachineSpec) -> Result<InitRequest, MachineError> {
        let base = self.base(&spec.platform)?;
        create_private(&spec.dir).map_err(MachineError::file("create", &spec.dir))?;
        let own = spec.dir.join("own");
        write_own_files(&own, spec).map_err(MachineError::file("write the machine's own files in", &own))?;
        let disk = spec.dir.join("disk");
        match &self.0.disks {
            Some(disks) if !disk.is_dir() => {
                // The link of a machine that an earlier program left leads nowhere.
                let _ = fs::remove_file(&disk);
                let place = tempfile::Builder::new().tempdir_in(disks.path());
                let place = place.map_err(MachineError::file("create a folder in", disks.path()))?.keep();
                std::os::unix::fs::symlink(&place, &disk).map_err(MachineError::file("link", &disk))?;
            }
            _ => fs::create_dir_all(&disk).map_err(MachineError::file("create", &disk))?,
        }
        let images =
            spec.image_layers.iter().rev().map(|layer| self.usable(layer)).collect::<Result<Vec<_>, _>>()?;
        let folders = base
            .parts()
            .into_iter()
            .map(|(target, below)| {
                let slug =
                    if target.as_os_str().is_empty() { "root".to_owned() } else { tree::slug(&target) };
                let images = images.iter().map(|layer| layer.join(&slug)).filter(|layer| layer.is_dir());
                let own = target.as_os_str().is_empty().then(|| own.clone());
                Folder { lowers: own.into_iter().chain(images).chain(below).collect(), target, slug }
            })
            .collect();
        let mut runtime = simulated::runtime_files(&spec.platform, self.0.all_ids, spec.speed);
        for (name, text) in &spec.metadata {
            // A fact's name is a file name; anything else would leave the folder.
            if !name.is_empty() && name != "." && name != ".." && !name.contains('/') {
                let path = Path::new("metadata").join(name);
                runtime.push(super::helper::wire::RuntimeFile { path, text: text.clone(), program: false });
            }
        }
        if let Some(url) = &spec.metadata_url {
            runtime.extend(simulated::metadata_files(url));
        }
        // A real machine gives its services 90 s; on its own clock.
        let grace_ms = (90_000.0 / spec.speed.max(1.0)).clamp(200.0, 5_000.0) as u64;
        Ok(InitRequest {
            dir: spec.dir.clone(),
            hostname: spec.hostname.clone(),
            folders,
            disk_limit_bytes: spec.disk_limit_bytes,
            runtime,
            grace_ms,
        })
    }

    /// Returns a layer that an overlay can be made of.
    fn usable(&self, layer: &Path) -> Result<PathBuf, MachineError> {
        let Ok(mark) = fs::symlink_metadata(layer.join(WHITEOUT_FILES)) else { return Ok(layer.to_owned()) };
        let key = (layer.to_owned(), mark.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        let mut copies = self.0.copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(copy) = copies.get(&key) {
            return Ok(copy.clone());
        }
        let copy = self.0.bases.path().join(format!("image-{}", copies.len()));
        tree::copy_restoring_whiteouts(layer, &copy)
            .map_err(MachineError::file("copy the image layer", layer))?;
        copies.insert(key, copy.clone());
        Ok(copy)
    }

    fn base(&self, platform: &Platform) -> Result<Base, MachineError> {
        let place = Base::place(self.0.bases.path(), platform, self.0.all_ids);
        // Held while it's made: two machines of one platform want one base.
        let mut made = self.0.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(base) = made.get(&place) {
            return Ok(base.clone());
        }
        let base = Base::make(&place, platform, self.0.all_ids)?;
        made.insert(place, base.clone());
        Ok(base)
    }
}

fn create_private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The layer above the image's: what is this machine's and never part of an image.
fn write_own_files(own: &Path, spec: &MachineSpec) -> io::Result<()> {
    let etc = own.join("etc");
    tree::remove(own)?;
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&etc)?;
    fs::write(etc.join("hostname"), format!("{}\n", spec.hostname))?;
    // An image's own table of hosts stays.
    let has_hosts = spec.image_layers.iter().any(|layer| layer.join("root/etc/hosts").exists());
    if !has_hosts {
        let name = &spec.hostname;
        fs::write(etc.join("hosts"), format!("127.0.0.1\tlocalhost {name}\n::1\tlocalhost {name}\n"))?;
    }
    // The network is the host's, so its name servers are too; a link there may lead out of the guest.
    fs::write(etc.join("resolv.conf"), fs::read("/etc/resolv.conf").unwrap_or_default())?;
    fs::write(
        etc.join("machine-id"),
        format!("{}\n", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, spec.id.as_bytes()).simple()),
    )
}

async fn try_boot(helper: &HelperProgram, work_dir: &Path, disks: &Path) -> Result<bool, MachineError> {
    let lay_out = |dir: &Path, disk: &Path| -> io::Result<()> {
        for name in ["root", "proc", "dev", "run"] {
            fs::create_dir_all(dir.join("lower").join(name))?;
        }
        fs::create_dir_all(disk)?;
        std::os::unix::fs::symlink(disk, dir.join("disk"))
    };
    let dir = tempfile::tempdir_in(work_dir).map_err(MachineError::file("create a folder in", work_dir))?;
    let disk = tempfile::tempdir_in(disks).map_err(MachineError::file("create a folder in", disks))?;
    lay_out(dir.path(), disk.path()).map_err(MachineError::file("lay out", dir.path()))?;
    let request = InitRequest {
        dir: dir.path().to_owned(),
        hostname: "probe".to_owned(),
        folders: vec![Folder {
            target: PathBuf::new(),
            slug: "root".to_owned(),
            lowers: vec![dir.path().join("lower")],
        }],
        disk_limit_bytes: None,
        runtime: Vec::new(),
        grace_ms: 0,
    };
    let started = Sandbox::start(helper, &request).await;
    let all_ids = match started {
        Ok(mut sandbox) => {
            sandbox.end(true).await;
            let all_ids = sandbox.live.all_ids;
            sandbox.release().await;
            Ok(all_ids)
        }
        Err(error) => Err(error),
    };
    // An overlay leaves a folder that its owner may not open, which a plain removal stops at.
    let _ = tree::remove(disk.path());
    all_ids
}

/// Turns a refusal into what to enable.
fn explain(error: &MachineError) -> NoSandbox {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let number = |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i64>().ok());
    let mut hints = Vec::new();
    let none_left = matches!(error, MachineError::Boot { step, source }
        if step.contains("user namespace") && source.raw_os_error() == Some(nix::libc::ENOSPC));
    if none_left || number("/proc/sys/user/max_user_namespaces") == Some(0) {
        hints.push(
            "user namespaces are switched off or used up: `sysctl user.max_user_namespaces=15000` enables them"
                .to_owned(),
        );
    }
    if number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        hints.push("user namespaces are root's only: `sysctl kernel.unprivileged_userns_clone=1` enables them, or run as root".to_owned());
    }
    if number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        hints.push("AppArmor restricts user namespaces: `sysctl kernel.apparmor_restrict_unprivileged_userns=0` lifts that, or run as root".to_owned());
    }
    if reason.contains("overlay") {
        hints.push("an overlay file system is needed: Linux 5.11 or newer, and a folder on ext4, xfs, btrfs or tmpfs that is no overlay itself (in a container: a volume or `--tmpfs`; set TMPDIR to it)".to_owned());
    }
    if reason.contains("unshare") || reason.contains("map the") {
        hints.push("in a container, namespaces must be allowed by its seccomp and AppArmor profiles (docker: `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`), or run as root on the host".to_owned());
    }
    NoSandbox { reason, hints }
}
