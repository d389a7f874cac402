//! What this machine has, and what may be installed on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Returns the workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Returns cargo, as it called us.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Returns where `program` is, looking where system daemons are as well.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether nothing may be skipped.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Runs `command` and fails if it does.
pub fn check(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("run {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

/// Installs Debian packages whose programs are missing, where that may be done: as root, with apt-get. Says what is
/// still missing then.
pub fn install(wanted: &[(&str, &str)]) -> Result<Vec<String>> {
    let missing = |wanted: &[(&str, &str)]| -> Vec<String> {
        let absent = wanted.iter().filter(|(program, _)| find(program).is_none());
        absent.map(|(_, package)| (*package).to_owned()).collect()
    };
    let packages = missing(wanted);
    if packages.is_empty() {
        return Ok(packages);
    }
    if !is_root() || find("apt-get").is_none() {
        eprintln!(
            "xtask: not installed, and not installable here (that takes root and apt-get): {packages:?}"
        );
        return Ok(packages);
    }
    eprintln!("xtask: installing {packages:?}");
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        apt
    };
    check(apt().args(["update", "-qq"]))?;
    check(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(&packages))?;
    Ok(missing(wanted))
}
