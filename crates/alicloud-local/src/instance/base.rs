//! The lowest layer of every guest: an empty system with generated accounts and names, a filtered
//! copy of the host's `/etc`, and the list of host folders that shine through below it.
//!
//! It is an allow-list: what is not named here does not exist in a guest.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::simulated::{self, Manager};
use super::spec::{MachineError, Platform};
use super::tree;

/// Host folders that hold programs. Where the host has links (`/bin → usr/bin`), so has the guest.
const PROGRAMS: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Host folders that package managers need to know what is installed. What in them is not
/// everyone's to read is hidden.
const PACKAGES: [&str; 10] = [
    "var/lib/dpkg",
    "var/lib/apt",
    "var/lib/rpm",
    "var/lib/dnf",
    "var/lib/yum",
    "var/lib/zypp",
    "var/lib/ucf",
    "var/lib/pam",
    "var/cache/apt",
    "var/cache/debconf",
];

/// What of the host's `/etc` is its own business even where everyone may read it; paths below it.
const PRIVATE: [&str; 34] = [
    "passwd",
    "passwd-",
    "group",
    "group-",
    "shadow",
    "shadow-",
    "gshadow",
    "gshadow-",
    "subuid",
    "subgid",
    "sudoers",
    "sudoers.d",
    "ssh",
    "ssl/private",
    "krb5.keytab",
    "machine-id",
    "hostname",
    "hosts",
    "resolv.conf",
    "mtab",
    "fstab",
    "os-release",
    "redhat-release",
    "centos-release",
    "system-release",
    "lsb-release",
    "debian_version",
    "issue",
    "issue.net",
    "motd",
    "crontab",
    "cron.d",
    "docker",
    "kubernetes",
];

/// A lowest layer, made once per platform and program start.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// Holds `root` and one folder per host folder that needs something laid over it.
    dir: PathBuf,
    /// The host folders that exist, as paths below `/`.
    folders: Vec<&'static str>,
}

impl Base {
    /// Returns where the base of a platform lives, and whether it is there already. Host and
    /// rights are part of its name: what is hidden and simulated depends on them.
    pub fn place(work_dir: &Path, platform: &Platform, all_ids: bool) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        (&platform.name, &platform.version, &platform.os_release, &platform.package_managers, all_ids)
            .hash(&mut hasher);
        work_dir.join(format!("base-{:016x}", hasher.finish()))
    }

    /// Makes the layer. It's written beside its place and renamed, so that two programs that share
    /// a folder do not meet halfway.
    pub fn make(dir: &Path, platform: &Platform, all_ids: bool) -> Result<Base, MachineError> {
        let folders = PROGRAMS
            .into_iter()
            .chain(PACKAGES)
            .filter(|folder| {
                fs::symlink_metadata(Path::new("/").join(folder)).is_ok_and(|facts| facts.is_dir())
            })
            .collect();
        let base = Base { dir: dir.to_owned(), folders };
        if dir.is_dir() {
            return Ok(base);
        }
        let parent = dir.parent().unwrap_or(Path::new("."));
        let unfinished = tempfile::Builder::new()
            .prefix("unfinished-")
            .tempdir_in(parent)
            .map_err(MachineError::file("create a folder in", parent))?;
        let build = Base { dir: unfinished.path().to_owned(), folders: base.folders.clone() };
        build
            .write(platform, all_ids)
            .map_err(MachineError::file("write the base layer in", unfinished.path()))?;
        let unfinished = unfinished.keep();
        if let Err(error) = fs::rename(&unfinished, dir) {
            let _ = fs::remove_dir_all(&unfinished);
            if !dir.is_dir() {
                return Err(MachineError::file("create", dir)(error));
            }
        }
        Ok(base)
    }

    /// Returns the layers of a guest: for the root and each host folder, its target and what it
    /// shows below the image's own layers.
    pub fn parts(&self) -> Vec<(PathBuf, Vec<PathBuf>)> {
        let mut parts = vec![(PathBuf::new(), vec![self.dir.join("root")])];
        for folder in &self.folders {
            let patch = self.dir.join(tree::slug(Path::new(folder)));
            let host = Path::new("/").join(folder);
            let lowers = if patch.is_dir() { vec![patch, host] } else { vec![host] };
            parts.push((PathBuf::from(folder), lowers));
        }
        parts
    }

    fn write(&self, platform: &Platform, all_ids: bool) -> io::Result<()> {
        let root = self.dir.join("root");
        fs::create_dir(&root)?;
        mode(&root, 0o755)?;
        folders(&root)?;
        for name in PROGRAMS {
            let host = Path::new("/").join(name);
            match fs::read_link(&host) {
                Ok(link) => symlink(link, root.join(name))?,
                Err(_) if host.is_dir() => fs::create_dir(root.join(name))?,
                Err(_) => {}
            }
        }
        for name in &self.folders {
            fs::create_dir_all(root.join(name))?;
        }
        copy_etc(&root.join("etc"))?;
        accounts(&root, platform, all_ids)?;
        names(&root.join("etc"), platform)?;
        self.patch_programs(platform, all_ids)?;
        for folder in PACKAGES.into_iter().filter(|folder| self.folders.contains(folder)) {
            hide(&Path::new("/").join(folder), &self.dir.join(tree::slug(Path::new(folder))))?;
        }
        Ok(())
    }

    /// Lays over `/usr`: links to the simulated programs, whiteouts of package managers that the
    /// platform does not have, its os-release.
    fn patch_programs(&self, platform: &Platform, all_ids: bool) -> io::Result<()> {
        let usr = self.dir.join("usr");
        if all_ids {
            fs::create_dir(&usr)?;
            mode(&usr, 0o755)?;
        } else {
            // The host's folders belong to an id that does not exist in the guest, so nothing could
            // be created in them; where a layer above has the folder too, its owner counts. Deep
            // down is where packages put data, and those cannot be installed with one id anyway.
            folders_only(Path::new("/usr"), &usr, 3)?;
        }
        for folder in ["bin", "sbin", "lib"] {
            fs::create_dir_all(usr.join(folder))?;
            mode(&usr.join(folder), 0o755)?;
        }
        for program in simulated::programs(platform, all_ids) {
            if program.everywhere {
                for folder in ["bin", "sbin"] {
                    let link = usr.join(folder).join(program.name);
                    if folder == "bin"
                        || fs::symlink_metadata(Path::new("/usr/sbin").join(program.name)).is_ok()
                    {
                        symlink(format!("/run/alicloud-local/bin/{}", program.name), link)?;
                    }
                }
            }
        }
        for Manager { name, programs, .. } in simulated::MANAGERS {
            if !simulated::belongs(platform, name) {
                for program in *programs {
                    for folder in ["bin", "sbin"] {
                        if fs::symlink_metadata(Path::new("/usr").join(folder).join(program)).is_ok() {
                            tree::whiteout(&usr.join(folder).join(program))?;
                        }
                    }
                }
            }
        }
        fs::write(usr.join("lib/os-release"), &platform.os_release)
    }
}

fn mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn folders(root: &Path) -> io::Result<()> {
    for name in [
        "boot",
        "dev",
        "etc",
        "home",
        "media",
        "mnt",
        "opt",
        "proc",
        "run",
        "srv",
        "sys",
        "var",
        "var/cache",
        "var/lib",
        "var/lib/alicloud-local",
        "var/lib/misc",
        "var/log",
        "var/mail",
        "var/spool",
    ] {
        fs::create_dir(root.join(name))?;
        mode(&root.join(name), 0o755)?;
    }
    for (name, bits) in [("root", 0o700), ("tmp", 0o1777), ("var/tmp", 0o1777)] {
        fs::create_dir(root.join(name))?;
        mode(&root.join(name), bits)?;
    }
    symlink("/run", root.join("var/run"))?;
    symlink("/run/lock", root.join("var/lock"))
}

fn copy_etc(etc: &Path) -> io::Result<()> {
    let wanted = |below: &Path, facts: &fs::Metadata| {
        !PRIVATE.iter().any(|private| below == Path::new(private)) && tree::is_public(facts)
    };
    tree::copy_if(Path::new("/etc"), etc, &wanted)?;
    mode(etc, 0o755)
}

/// System accounts are the host's (services of its packages run as them), people are not.
fn accounts(root: &Path, platform: &Platform, all_ids: bool) -> io::Result<()> {
    let etc = root.join("etc");
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let system = |file: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(file).unwrap_or_default();
        let lines = text.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines
            .filter(|fields| {
                let id = fields.get(2).and_then(|id| id.parse::<u32>().ok());
                id.is_some_and(|id| (1..1000).contains(&id) || id == 65534)
            })
            .collect()
    };
    let users: Vec<&str> = std::iter::once("ecs-user").chain(platform.default_user()).collect();
    let mut passwd = format!("root:x:0:0:root:/root:{shell}\n");
    let mut group = "root:x:0:\n".to_owned();
    let mut shadow = "root:*:19000:0:99999:7:::\n".to_owned();
    for fields in system("/etc/passwd").iter().filter(|fields| fields.len() == 7) {
        passwd.push_str(&format!("{}:x:{}\n", fields[0], fields[2..].join(":")));
        shadow.push_str(&format!("{}:*:19000:0:99999:7:::\n", fields[0]));
    }
    for fields in system("/etc/group").iter().filter(|fields| fields.len() == 4) {
        group.push_str(&format!("{}:x:{}:\n", fields[0], fields[2]));
    }
    for (id, user) in (1000..).zip(users) {
        passwd.push_str(&format!("{user}:x:{id}:{id}:Cloud user:/home/{user}:{shell}\n"));
        group.push_str(&format!("{user}:x:{id}:\n"));
        shadow.push_str(&format!("{user}:*:19000:0:99999:7:::\n"));
        let home = root.join("home").join(user);
        fs::create_dir(&home)?;
        mode(&home, 0o755)?;
        if all_ids {
            chown(&home, Some(id), Some(id))?;
        }
    }
    for (name, text, bits) in [
        ("passwd", passwd, 0o644),
        ("group", group, 0o644),
        ("shadow", shadow, 0o600),
        ("gshadow", String::new(), 0o600),
    ] {
        fs::write(etc.join(name), text)?;
        mode(&etc.join(name), bits)?;
    }
    if all_ids && Path::new("/usr/bin/sudo").exists() {
        fs::write(etc.join("sudoers"), "root ALL=(ALL) ALL\nALL ALL=(ALL) NOPASSWD: ALL\n")?;
        mode(&etc.join("sudoers"), 0o440)?;
    }
    Ok(())
}

/// The files by which scripts find out where they are.
fn names(etc: &Path, platform: &Platform) -> io::Result<()> {
    let Platform { name, version, os_release, .. } = platform;
    fs::write(etc.join("os-release"), os_release)?;
    fs::write(etc.join("issue"), format!("{name} {version}\n"))?;
    fs::write(etc.join("fstab"), "")?;
    symlink("/proc/self/mounts", etc.join("mtab"))?;
    if simulated::belongs(platform, "rpm") {
        let release = if name == "CentOS" {
            format!("CentOS Linux release {version} (Core)\n")
        } else {
            format!("{name} release {version}\n")
        };
        fs::write(etc.join("system-release"), &release)?;
        fs::write(etc.join("redhat-release"), &release)?;
        if name == "CentOS" {
            fs::write(etc.join("centos-release"), &release)?;
        }
    }
    if simulated::belongs(platform, "dpkg") {
        fs::write(etc.join("debian_version"), format!("{version}\n"))?;
        fs::write(
            etc.join("lsb-release"),
            format!(
                "DISTRIB_ID={name}\nDISTRIB_RELEASE={version}\nDISTRIB_DESCRIPTION=\"{name} {version}\"\n"
            ),
        )?;
    }
    Ok(())
}

/// Writes whiteouts of everything below `host` that is not everyone's to read.
fn hide(host: &Path, patch: &Path) -> io::Result<()> {
    fs::create_dir_all(patch)?;
    let facts = fs::symlink_metadata(host)?;
    mode(patch, facts.mode() & 0o7777)?;
    for entry in fs::read_dir(host)? {
        let entry = entry?;
        let Ok(facts) = entry.metadata() else { continue };
        let below = patch.join(entry.file_name());
        if !tree::is_public(&facts) {
            tree::whiteout(&below)?;
        } else if facts.is_dir() {
            hide(&entry.path(), &below)?;
        }
    }
    Ok(())
}

fn folders_only(from: &Path, to: &Path, depth: u32) -> io::Result<()> {
    fs::create_dir(to)?;
    mode(to, 0o755)?;
    if depth > 0
        && let Ok(entries) = fs::read_dir(from)
    {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders_only(&entry.path(), &to.join(entry.file_name()), depth - 1)?;
            }
        }
    }
    Ok(())
}
