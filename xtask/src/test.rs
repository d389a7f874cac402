//! `cargo xtask test`: everything that is tested, against real peers.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, bail};

use crate::machine::{cargo, check, find, install, is_ci, root};

/// Program and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 5] = [
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("packer", "packer"),
    ("python3", "python3"),
    ("unshare", "util-linux"),
];

/// The official SDKs: independent clients and signature oracles.
const PYTHON: [&str; 9] = [
    "alibabacloud_ecs20140526==7.11.8",
    "alibabacloud_vpc20160428==7.2.2",
    "alibabacloud_sts20150401==1.2.0",
    "alibabacloud_ram20150501==1.3.0",
    "alibabacloud_credentials==1.0.12",
    "alibabacloud_tea_openapi==0.4.6",
    "aliyun-python-sdk-core==2.16.1",
    "aliyun-python-sdk-ecs==4.24.83",
    "aliyun-python-sdk-vpc==3.0.48",
];

/// Installs what may be installed and runs all tests; `args` go to the test runner.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let mut skipped = install(&PROGRAMS)?;
    let python = python();
    if let Err(error) = &python {
        skipped.push(format!("the Python SDKs ({error:#})"));
    }
    if !skipped.is_empty() {
        let list = skipped.join(", ");
        if is_ci() {
            bail!("CI=true, and nothing may be skipped; missing: {list}");
        }
        eprintln!("xtask: SKIPPING the tests that need {list}");
    }
    // Tests of one room start the program of another.
    check(cargo().args(["build", "--workspace", "--bins"]))?;
    let mut runner = cargo();
    match find("cargo-nextest") {
        Some(_) => runner.args(["nextest", "run", "--workspace", "--no-fail-fast"]),
        None => runner.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]),
    };
    if let Ok(python) = python {
        runner.env("KILN_TEST_PYTHON", python);
    }
    let tests = runner.args(args).status()?;
    let examples =
        if args.is_empty() { cargo().args(["test", "--workspace", "--doc"]).status()? } else { tests };
    Ok(if tests.success() && examples.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes a virtual environment with the SDKs below `target`, once per list of packages.
fn python() -> Result<PathBuf> {
    let dir = root().join("target").join("test-python");
    let (python, stamp) = (dir.join("bin").join("python"), dir.join("packages"));
    let wanted = PYTHON.join("\n");
    if python.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    // Debian keeps the module that makes environments in a package of its own.
    let can_make =
        Command::new("python3").args(["-c", "import ensurepip, venv"]).stderr(Stdio::null()).status();
    if !can_make.is_ok_and(|status| status.success()) {
        install(&[("python3 -m venv", "python3-venv")])?;
    }
    check(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir))?;
    let mut pip = Command::new(&python);
    check(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PYTHON))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}
