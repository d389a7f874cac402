//! Programs of a guest that are played rather than run: what belongs to the platform but the host
//! has not, and what would act on a real machine (services, power, the clock). One table and a few
//! small shell scripts; each announces itself on standard error and to the server.

use std::path::{Path, PathBuf};

use super::helper::wire::RuntimeFile;
use super::spec::Platform;

/// A package manager: its name in [`Platform::package_managers`], the programs that come with it,
/// and the one that shows whether the host has it.
pub(crate) struct Manager {
    pub name: &'static str,
    pub programs: &'static [&'static str],
}

/// Every package manager known.
pub(crate) const MANAGERS: &[Manager] = &[
    Manager { name: "yum", programs: &["yum"] },
    Manager { name: "dnf", programs: &["dnf"] },
    Manager { name: "rpm", programs: &["rpm"] },
    Manager { name: "zypper", programs: &["zypper"] },
    Manager { name: "apk", programs: &["apk"] },
    Manager { name: "apt-get", programs: &["apt-get", "apt-cache", "apt-mark"] },
    Manager { name: "apt", programs: &["apt"] },
    Manager { name: "dpkg", programs: &["dpkg", "dpkg-query", "dpkg-reconfigure"] },
];

/// Scripts by the programs they play. `everywhere`: also under `/usr/bin`, in place of the host's.
const SCRIPTS: &[(&[&str], &str, bool)] = &[
    (&["sleep"], include_str!("data/sleep.sh"), false),
    (&["systemctl", "service", "chkconfig"], include_str!("data/services.sh"), true),
    (&["reboot", "shutdown", "poweroff", "halt", "init", "telinit"], include_str!("data/power.sh"), true),
    (&["hostnamectl"], include_str!("data/hostnamectl.sh"), true),
];

const PACKAGE_MANAGER: &str = include_str!("data/package_manager.sh");
const SUDO: &str = include_str!("data/sudo.sh");
const METADATA: &str = include_str!("data/metadata.sh");
const LIBRARY: &str = include_str!("data/library.sh");

/// One simulated program.
pub(crate) struct Program {
    pub name: &'static str,
    pub script: &'static str,
    pub everywhere: bool,
}

/// Returns whether a package manager belongs to a platform. Asking packages comes with installing
/// them: `apt-get` brings `dpkg`, `yum` brings `rpm`.
pub(crate) fn belongs(platform: &Platform, manager: &str) -> bool {
    let has = |name: &str| platform.package_managers.iter().any(|own| own == name);
    match manager {
        "dpkg" | "apt-get" | "apt" => has("dpkg") || has("apt-get") || has("apt"),
        "rpm" => has("rpm") || has("yum") || has("dnf") || has("zypper"),
        other => has(other),
    }
}

/// Whether a package manager has to be played, and why.
fn reason(manager: &str, all_ids: bool) -> Option<&'static str> {
    let on_host = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .iter()
        .any(|folder| Path::new(folder).join(manager).exists());
    match (on_host, all_ids) {
        (false, _) => Some("this host has none"),
        (true, false) => {
            Some("packages need more user ids than this sandbox has (it was not started by root)")
        }
        (true, true) => None,
    }
}

/// Returns the programs to play on a platform.
pub(crate) fn programs(platform: &Platform, all_ids: bool) -> Vec<Program> {
    let mut programs = Vec::new();
    for (names, script, everywhere) in SCRIPTS {
        for &name in *names {
            programs.push(Program { name, script, everywhere: *everywhere });
        }
    }
    for manager in MANAGERS {
        if belongs(platform, manager.name) && reason(manager.name, all_ids).is_some() {
            for &name in manager.programs {
                // Reading the host's own package list needs no second id.
                if matches!(name, "apt-cache" | "dpkg-query") && reason(manager.name, true).is_none() {
                    continue;
                }
                programs.push(Program { name, script: PACKAGE_MANAGER, everywhere: true });
            }
        }
    }
    // The host's own sudo wants an audit system and PAM modules that a guest may not use; ours
    // comes first where it can work.
    if !all_ids || Path::new("/usr/bin/setpriv").exists() || !Path::new("/usr/bin/sudo").exists() {
        programs.push(Program { name: "sudo", script: SUDO, everywhere: true });
    }
    programs
}

/// Returns the files below `/run/alicloud-local` that make these programs, for a clock that is
/// `speed` times as fast as real time.
pub(crate) fn runtime_files(platform: &Platform, all_ids: bool, speed: f64) -> Vec<RuntimeFile> {
    let why = MANAGERS
        .iter()
        .find(|manager| belongs(platform, manager.name) && reason(manager.name, all_ids).is_some())
        .and_then(|manager| reason(manager.name, all_ids))
        .unwrap_or_default();
    // Thousandths, since the shell counts in whole numbers; at least 1, so that it can divide.
    let speed = if speed.is_finite() { (speed * 1000.0).round().clamp(1.0, 1e9) as u64 } else { 1000 };
    let settings =
        format!("SPEED_THOUSANDTHS={speed}\nWHY_SIMULATED='{why}'\nALL_IDS={}\n", u8::from(all_ids));
    let text = |path: &str, text: String| RuntimeFile { path: PathBuf::from(path), text, program: false };
    let mut files = vec![text("settings.sh", settings), text("library.sh", LIBRARY.to_owned())];
    for program in programs(platform, all_ids) {
        if program.name == "sleep" && speed == 1000 {
            continue; // Real time needs no actor.
        }
        files.push(RuntimeFile {
            path: Path::new("bin").join(program.name),
            text: program.script.to_owned(),
            program: true,
        });
    }
    files
}

/// Returns the files that lead to a machine's own part of the metadata service: its address, and programs in front of
/// the host's own that know it.
pub(crate) fn metadata_files(url: &str) -> Vec<RuntimeFile> {
    let file = |path: &str, text: String, program| RuntimeFile { path: PathBuf::from(path), text, program };
    let programs = ["curl", "wget"].into_iter().filter(|name| Path::new("/usr/bin").join(name).exists());
    let mut files: Vec<RuntimeFile> =
        programs.map(|name| file(&format!("bin/{name}"), METADATA.to_owned(), true)).collect();
    files.push(file("metadata/url", format!("{url}\n"), false));
    files
}
