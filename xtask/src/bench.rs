//! `cargo xtask bench`: our figures beside the peer's (Debian's packer 1.6.6), measured in one run, with ratios.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::machine::{cargo, check, find, install, root};
use crate::measure::{Sample, in_turn, logged, median, once};
use crate::peer::{PeerCloud, WRAPPER};

/// Runs of each side where a run takes milliseconds.
const RUNS: usize = 15;
/// The dependent chain of state times in a build of `examples/redis.json`, in seconds of the cloud's clock: VPC 2,
/// vSwitch 2, instance pending 4, starting 16, boot 8, the script's own sleep 30, stopping 10, image 60, deleting the
/// instance 5, deleting the vSwitch 1 (the table is `alicloud-local`'s `timings`).
const CHAIN_SECONDS: f64 = 138.0;

/// Runs the benchmarks named, or all, of the release build, or of the program that `KILN_BENCH_PROGRAM` names.
pub fn run(names: &[String]) -> Result<ExitCode> {
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let missing = install(&[("packer", "packer"), ("unshare", "util-linux")])?;
    let kiln = match std::env::var_os("KILN_BENCH_PROGRAM") {
        Some(path) => PathBuf::from(path),
        None => {
            check(cargo().args(["build", "--release", "--package", "kiln"]))?;
            root().join("target").join("release").join("kiln")
        }
    };
    let packer = find("packer");
    if names.first().is_some_and(|name| name == "scale") {
        return crate::scale::run(&kiln, packer.is_some(), names.get(1..).unwrap_or_default());
    }
    if !missing.is_empty() {
        println!("without the peer: {missing:?} is not installed; only our own figures follow");
    }
    let dir = root().join("target").join("bench");
    fs::create_dir_all(&dir)?;
    let template = template(&dir)?;
    let template = template.to_str().context("a path is not text")?;
    if wanted("version") {
        process("version", &["version"], &kiln, packer.as_deref())?;
    }
    if wanted("validate") {
        process("validate", &["validate", template], &kiln, packer.as_deref())?;
    }
    if wanted("build") {
        build(&kiln, &dir, template, packer.is_some())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `examples/redis.json` as both sides understand it: the older packer needs the address asked for.
fn template(dir: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(root().join("examples").join("redis.json"))?;
    let mut template: serde_json::Value = serde_json::from_str(&text)?;
    template["builders"][0]["associate_public_ip_address"] = true.into();
    let path = dir.join("redis.json");
    fs::write(&path, serde_json::to_string_pretty(&template)?)?;
    Ok(path)
}

/// A command that ends by itself: wall time and peak memory, in turn with the peer.
fn process(name: &str, args: &[&str], kiln: &Path, packer: Option<&Path>) -> Result<()> {
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.args(args).env("CHECKPOINT_DISABLE", "1");
        command.env("ALICLOUD_ACCESS_KEY", "LTAI5tBench").env("ALICLOUD_SECRET_KEY", "secret");
        command
    };
    let mut ours = command(kiln);
    let Some(packer) = packer else {
        let sample = once(&mut ours)?;
        println!("{name}: {:.1} ms, {:.1} MiB", millis(&sample), mib(&sample));
        return Ok(());
    };
    let (ours, peer) = in_turn(RUNS, &mut ours, &mut command(packer))?;
    report(name, "wall", "ms", &ours, &peer, millis);
    report(name, "peak memory", "MiB", &ours, &peer, mib);
    Ok(())
}

fn report(name: &str, figure: &str, unit: &str, ours: &[Sample], peer: &[Sample], value: fn(&Sample) -> f64) {
    let ratios = ours.iter().zip(peer).map(|(ours, peer)| value(ours) / value(peer)).collect();
    let (a, b) = (median(ours.iter().map(value).collect()), median(peer.iter().map(value).collect()));
    let ratio = median(ratios);
    println!(
        "{name}, {figure}: kiln {a:.1} {unit}, packer 1.6.6 {b:.1} {unit}, ratio {ratio:.3} (1/{:.1})",
        1.0 / ratio
    );
}

/// A redis-like build on realistic state times: wall ÷ the longest dependent chain of state times.
fn build(kiln: &Path, dir: &Path, template: &str, with_peer: bool) -> Result<()> {
    let mut local = Command::new(kiln);
    local.args(["build", "-color=false", "-local", "-local-speed=1", template]);
    local.env_remove("ALICLOUD_ACCESS_KEY").env_remove("ALICLOUD_SECRET_KEY");
    chain("kiln -local", &logged(&mut local, &dir.join("kiln-local.log"))?);
    if !with_peer {
        return Ok(());
    }
    let cloud = PeerCloud::start(kiln, dir, 1, 1.0, serde_json::json!({}))?;
    let arguments = ["build", "-color=false", template];
    let mut packer = Command::new(WRAPPER);
    cloud.packer(&mut packer, &arguments)?;
    let theirs = logged(&mut packer, &dir.join("packer.log"))?;
    chain("packer 1.6.6", &theirs);
    let mut ours = Command::new(kiln);
    let ours = logged(cloud.served.lead(ours.args(arguments)), &dir.join("kiln.log"))?;
    chain("kiln in the same cloud", &ours);
    println!("build, ratio of wall times: {:.3}", ours.wall.as_secs_f64() / theirs.wall.as_secs_f64());
    println!("where the time went: {}", dir.join("*.log").display());
    Ok(())
}

fn chain(who: &str, sample: &Sample) {
    let wall = sample.wall.as_secs_f64();
    println!("build, {who}: {wall:.1} s = {:.3} × the chain of {CHAIN_SECONDS} s", wall / CHAIN_SECONDS);
}

fn millis(sample: &Sample) -> f64 {
    sample.wall.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a process of 2^52 KiB is not to be had")]
fn mib(sample: &Sample) -> f64 {
    sample.peak_kib as f64 / 1024.0
}
