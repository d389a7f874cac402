//! `cargo xtask campaign`: the fault campaign of `xtask::campaign`, all of it, with its table.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use xtask::campaign::{Campaign, SCENARIOS, TROUBLES, compare};
use xtask::machine::{cargo, check, install, root};

/// A build waits about four fifths of its time.
const BUILDS_A_CORE: usize = 4;

/// Runs the campaign: all of it, or the builds and troubles named; with `--peer` a sample of it, beside the peer.
pub fn run(names: &[String]) -> Result<ExitCode> {
    if names.iter().any(|name| name == "--peer") {
        let missing = install(&[("packer", "packer"), ("unshare", "util-linux")])?;
        ensure!(
            missing.is_empty(),
            "without the peer there is nothing to compare with: {missing:?} is not installed"
        );
        print!("{}", compare(&program()?)?);
        return Ok(ExitCode::SUCCESS);
    }
    let known = |name: &str| {
        SCENARIOS.iter().any(|it| it.name == name) || TROUBLES.iter().any(|it| it.name() == name)
    };
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let builds: Vec<_> = SCENARIOS.iter().map(|it| it.name).collect();
        let troubles: Vec<_> = TROUBLES.iter().map(|it| it.name()).collect();
        bail!(
            "there is neither a build nor a trouble `{unknown}`; builds: {builds:?}; troubles: {troubles:?}"
        );
    }
    let named = |name: &str| names.iter().any(|wanted| wanted == name);
    let kiln = program()?;
    let mut campaign = Campaign {
        kiln,
        scenarios: SCENARIOS.iter().filter(|it| named(it.name)).cloned().collect(),
        troubles: TROUBLES.iter().copied().filter(|it| named(it.name())).collect(),
        at_once: BUILDS_A_CORE * std::thread::available_parallelism()?.get(),
    };
    if campaign.scenarios.is_empty() {
        campaign.scenarios = SCENARIOS.to_vec();
    }
    if campaign.troubles.is_empty() {
        campaign.troubles = TROUBLES.to_vec();
    }
    let begun = Instant::now();
    let terminal = std::io::stderr().is_terminal();
    let report = campaign.run(&|done, of| {
        if terminal {
            eprint!("\r{done} of {of} builds");
            // Only a show.
            let _ = std::io::stderr().flush();
        }
    })?;
    if terminal {
        eprintln!();
    }
    print!("{report}");
    println!("{} builds in {:.0} s", report.cells(), begun.elapsed().as_secs_f64());
    for story in &report.wrong {
        println!("{story}");
    }
    Ok(if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the program: built as the tests build it, or the one that `KILN_BENCH_PROGRAM` names.
fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("KILN_BENCH_PROGRAM") {
        return Ok(path.into());
    }
    check(cargo().args(["build", "--package", "kiln"]))?;
    Ok(root().join("target").join("debug").join("kiln"))
}
