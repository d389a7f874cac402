//! `cargo xtask bench scale`: many builds in one process, and what each costs; the peer beside the small numbers.
//!
//! The cloud is served by a process of its own, so that the memory measured is the program's; a second column is the
//! program with the cloud inside it. All of it shares one machine: sandboxes, the cloud and the program.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::measure::{Sample, logged};
use crate::peer::{PeerCloud, WRAPPER};
use xtask::machine::root;
use xtask::served::{How, Served};

/// How many builds, if nobody says.
const COUNTS: [usize; 5] = [1, 16, 64, 256, 1000];
/// The peer's memory grows by a process for each provisioner, and its network by a VPC a build: the small ones will do.
const PEER_MAX: usize = 16;
/// As `kiln build --local` has it.
const SPEED: f64 = 60.0;

/// One way to run so many builds.
struct Run {
    sample: Sample,
    /// Calls of the API.
    calls: usize,
    images: usize,
}

/// Measures each of `counts`, or the usual numbers.
pub fn run(kiln: &Path, with_peer: bool, counts: &[String]) -> Result<ExitCode> {
    let counts = match counts {
        [] => COUNTS.to_vec(),
        given => given
            .iter()
            .map(|count| count.parse().with_context(|| format!("`{count}` is no number")))
            .collect::<Result<_>>()?,
    };
    fs::create_dir_all(root().join("target").join("bench"))?;
    println!(
        "{SPEED}x as fast as the real cloud, a shell provisioner a build; the program: {}",
        kiln.display()
    );
    println!(
        "{:>6} {:<13} {:>9} {:>12} {:>10} {:>10} {:>14} {:>11}",
        "builds", "program", "wall", "wall/build", "CPU/build", "peak", "peak with cloud", "calls/build"
    );
    for count in counts {
        let ours = served(kiln, count)?;
        let inside = local(kiln, count)?;
        print(count, "kiln", &ours, Some(&inside));
        if with_peer && count <= PEER_MAX {
            let theirs = peer(kiln, count)?;
            print(count, "packer 1.6.6", &theirs, None);
            let ratio = |value: fn(&Run) -> f64| value(&ours) / value(&theirs);
            println!(
                "{count:>6} ratio: wall 1/{:.1}, CPU 1/{:.1}, peak of the largest process 1/{:.1}, calls 1/{:.1}",
                1.0 / ratio(|run| run.sample.wall.as_secs_f64()),
                1.0 / ratio(|run| run.sample.cpu.as_secs_f64()),
                1.0 / ratio(|run| mib(run.sample.peak_kib)),
                1.0 / ratio(|run| of(run.calls))
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Our program in a cloud of another process.
fn served(kiln: &Path, count: usize) -> Result<Run> {
    let dir = TempDir::new()?;
    let served = Served::start(kiln, dir.path(), &How { speed: SPEED, owns: owns(), ..How::default() })?;
    let template = template(dir.path(), count, Some(served.ssh_port()))?;
    let mut command = program(kiln, dir.path());
    let sample = logged(served.lead(command.arg(&template)), &log(count, "kiln"))?;
    tell(&served, sample)
}

/// Our program with the cloud inside.
fn local(kiln: &Path, count: usize) -> Result<Run> {
    let dir = TempDir::new()?;
    let template = template(dir.path(), count, None)?;
    let with = dir.path().join("owns.json");
    fs::write(&with, owns().to_string())?;
    let mut command = program(kiln, dir.path());
    command.arg("-local").arg(format!("-local-speed={SPEED}")).arg(format!("-local-with={}", with.display()));
    command.arg(&template);
    let sample = logged(&mut command, &log(count, "kiln-local"))?;
    Ok(Run { sample, calls: 0, images: count })
}

/// Debian's packer.
fn peer(kiln: &Path, count: usize) -> Result<Run> {
    let dir = TempDir::new()?;
    let cloud = PeerCloud::start(kiln, dir.path(), 1, SPEED, owns())?;
    let template = template(dir.path(), count, Some(22))?;
    let mut command = Command::new(WRAPPER);
    cloud.packer(&mut command, &["build", "-color=false", &template.display().to_string()])?;
    let sample = logged(&mut command, &log(count, "packer"))?;
    tell(&cloud.served, sample)
}

fn tell(served: &Served, sample: Sample) -> Result<Run> {
    let inventory = served.inventory()?;
    let images = inventory["images"].as_array().map_or(0, Vec::len);
    Ok(Run { sample, calls: served.calls()?.len(), images })
}

/// Our program, about to build; its journals go to `dir`.
fn program(kiln: &Path, dir: &Path) -> Command {
    let mut command = Command::new(kiln);
    command.args(["build", "-color=false"]).arg(format!("-state-dir={}", dir.join("state").display()));
    for name in ["ACCESS_KEY", "SECRET_KEY", "REGION", "PROFILE"] {
        command.env_remove(format!("ALICLOUD_{name}"));
    }
    command
}

/// An account that may have thousands of everything: the peer needs a network for each build.
fn owns() -> Value {
    let kinds = ["vpc", "vswitch", "eip", "security_group", "key_pair", "image", "snapshot", "instance"];
    json!({ "quotas": kinds.iter().map(|kind| ((*kind).to_owned(), 10_000.into())).collect::<serde_json::Map<_, _>>() })
}

/// `count` builders that both programs understand, each with its script.
fn template(dir: &Path, count: usize, ssh_port: Option<u16>) -> Result<std::path::PathBuf> {
    let builder = |number: usize| {
        let mut builder = json!({
            "type": "alicloud-ecs",
            "name": format!("b{number:04}"),
            "region": "cn-beijing",
            "image_name": format!("scale-{number:04}"),
            "source_image": "centos_7_03_64_20G_alibase_20170818.vhd",
            "instance_type": "ecs.t5-lc1m1.small",
            "internet_charge_type": "PayByTraffic",
            "io_optimized": "true",
            "associate_public_ip_address": true,
            "ssh_username": "root",
            // A thousand sandboxes on a few cores come up one after the other.
            "ssh_timeout": "30m",
        });
        if let Some(port) = ssh_port {
            builder["ssh_port"] = port.into();
        }
        builder
    };
    let builders: Vec<Value> = (0..count).map(builder).collect();
    let provisioners = json!([{"type": "shell", "inline": ["echo hello > /etc/hello"]}]);
    let path = dir.join("scale.json");
    fs::write(&path, json!({ "builders": builders, "provisioners": provisioners }).to_string())?;
    Ok(path)
}

fn log(count: usize, who: &str) -> std::path::PathBuf {
    root().join("target").join("bench").join(format!("scale-{count}-{who}.log"))
}

fn print(count: usize, who: &str, run: &Run, with_cloud: Option<&Run>) {
    let builds = of(count);
    let (wall, cpu) = (run.sample.wall.as_secs_f64(), run.sample.cpu.as_secs_f64());
    let with_cloud = with_cloud.map(|run| format!("{:.0} MiB", mib(run.sample.peak_kib))).unwrap_or_default();
    println!(
        "{count:>6} {who:<13} {wall:>7.1} s {:>9.0} ms {:>7.0} ms {:>6.0} MiB {with_cloud:>15} {:>11.1}",
        1000.0 * wall / builds,
        1000.0 * cpu / builds,
        mib(run.sample.peak_kib),
        of(run.calls) / builds
    );
    if run.images != count {
        println!("{count:>6} {who}: only {} images", run.images);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a process of 2^52 KiB is not to be had")]
fn mib(kib: i64) -> f64 {
    kib as f64 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
fn of(count: usize) -> f64 {
    count as f64
}
