//! A sample of the campaign, played by Debian's packer 1.6.6 and by us in the same cloud: what each of them leaves.
//!
//! Packer looks again after five seconds whatever the speed of the cloud, so a build takes it half a minute; a dozen
//! run side by side, each in a cloud of its own.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tempfile::TempDir;

use super::program::{Desk, End};
use super::scenario::{SCENARIO_OF_SAMPLE, Scenario};
use super::stock::Stock;
use super::trouble::Trouble;
use crate::peer::{PeerCloud, WRAPPER};

/// So fast that most states have passed at the first look.
const SPEED: f64 = 20_000.0;
/// Packer takes half a minute where nothing happens, and some minutes where it waits for what never comes.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many clouds run side by side.
const AT_ONCE: usize = 6;

/// Where the trouble comes: what is being done, and the call that does it, ours first.
type Place = (&'static str, &'static str, &'static str);

/// The sample: of each kind of trouble some, at making, waiting and deleting.
const SAMPLE: [(Trouble, Place); 14] = [
    (Trouble::Lost, ("the VPC is made", "CreateVpc", "CreateVpc")),
    (Trouble::Lost, ("the instance is made", "RunInstances", "CreateInstance")),
    (Trouble::Lost, ("the EIP is allocated", "AllocateEipAddress", "AllocateEipAddress")),
    (Trouble::Lost, ("the image is made", "CreateImage", "CreateImage")),
    (Trouble::Unavailable, ("the vSwitch is made", "CreateVSwitch", "CreateVSwitch")),
    (Trouble::Throttled, ("the instance is waited for", "DescribeInstances", "DescribeInstances")),
    (Trouble::Refused, ("the VPC is waited for", "DescribeVpcs", "DescribeVpcs")),
    (Trouble::Refused, ("the instance is waited for", "DescribeInstances", "DescribeInstances")),
    (Trouble::Refused, ("the image is made", "CreateImage", "CreateImage")),
    (Trouble::Throttled, ("the instance is deleted", "DeleteInstance", "DeleteInstance")),
    (Trouble::Refused, ("the security group is deleted", "DeleteSecurityGroup", "DeleteSecurityGroup")),
    (Trouble::Refused, ("the VPC is deleted", "DeleteVpc", "DeleteVpc")),
    (Trouble::Interrupted, (PROVISIONED, "", "")),
    (Trouble::Killed, (PROVISIONED, "", "")),
];

const PROVISIONED: &str = "it is provisioned";
/// What both programs say then.
const PROVISIONING: &str = "Provisioning with shell script";

/// What both left.
#[derive(Debug, Default)]
pub struct Comparison {
    rows: Vec<(usize, Played, Played)>,
}

/// What came of one build.
#[derive(Debug, Default)]
struct Played {
    end: String,
    left: Vec<String>,
    /// Nothing where nobody can delete it but by hand.
    left_after_gc: Option<usize>,
    wall: Duration,
}

/// Plays the sample.
///
/// # Errors
///
/// When packer is not installed, or a cloud cannot be served: that takes root.
pub fn compare(kiln: &Path) -> Result<Comparison> {
    let next = Mutex::new(0..SAMPLE.len());
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let index = next.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
                        let Some(index) = index else { return Ok(()) };
                        let row = (index, play(kiln, index, Who::Kiln)?, play(kiln, index, Who::Packer)?);
                        rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(row);
                    }
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let mut rows = rows.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    rows.sort_by_key(|(index, ..)| *index);
    Ok(Comparison { rows })
}

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Kiln,
    Packer,
}

fn play(kiln: &Path, index: usize, who: Who) -> Result<Played> {
    let (trouble, (_, ours, theirs)) = SAMPLE[index];
    let scenario: &Scenario = &SCENARIO_OF_SAMPLE;
    let dir = TempDir::new()?;
    let number = u8::try_from(index + 1)?;
    let cloud = PeerCloud::start(kiln, dir.path(), number, SPEED, scenario.owns(22))?;
    let served = &cloud.served;
    let before = Stock::of(&served.inventory()?);
    if let Some(effect) = trouble.effect() {
        let action = if who == Who::Kiln { ours } else { theirs };
        served.add_fault(&json!({"action": action, "effect": effect}))?;
    }
    let desk = Desk::set(dir.path().join("build"))?;
    std::fs::write(desk.path("t.json"), scenario.template("sampled", 22).to_string())?;
    let args = ["build", "-color=false", "t.json"];
    let mut command = match who {
        Who::Kiln => {
            let mut command = desk.command(kiln);
            served.lead(command.args(args));
            command
        }
        Who::Packer => {
            let mut command = desk.command(Path::new(WRAPPER));
            cloud.packer(&mut command, &args)?;
            command
        }
    };
    let strike = match trouble {
        Trouble::Interrupted => Some((PROVISIONING, "INT")),
        Trouble::Killed => Some((PROVISIONING, "KILL")),
        _ => None,
    };
    let end = desk.run_struck(&mut command, PATIENCE, strike)?;
    let made = Stock::of(&served.inventory()?).since(&before);
    let images = made.images.len();
    let mut played = Played {
        end: told(&end, images),
        left: made.things.into_iter().collect(),
        left_after_gc: None,
        wall: end.wall,
    };
    // An image that no exit code tells of is as left as anything else.
    if end.code != Some(0) {
        played.left.extend(made.images.iter().map(|image| format!("image {image}")));
    }
    if who == Who::Kiln && !played.left.is_empty() {
        let mut gc: Command = desk.command(kiln);
        let end = desk.run(served.lead(gc.arg("gc")), PATIENCE)?;
        anyhow::ensure!(end.code == Some(0), "gc: {}", end.said);
        played.left_after_gc = Some(Stock::of(&served.inventory()?).since(&before).things.len());
    }
    keep(index, who, &end)?;
    Ok(played)
}

/// What a program said is worth a look where it left something.
fn keep(index: usize, who: Who, end: &End) -> Result<()> {
    let name = if who == Who::Kiln { "kiln" } else { "packer" };
    let dir = crate::machine::root().join("target").join("campaign");
    let path = dir.join(format!("sample-{}-{name}.log", index + 1));
    std::fs::create_dir_all(&dir)?;
    std::fs::write(&path, &end.said).with_context(|| format!("write {}", path.display()))
}

fn told(end: &End, images: usize) -> String {
    match end.code {
        _ if end.hung => "hung".to_owned(),
        None => "killed".to_owned(),
        Some(0) if images > 0 => "finished".to_owned(),
        Some(0) => "0, no image".to_owned(),
        Some(code) => format!("failed ({code})"),
    }
}

impl Display for Comparison {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let columns = ["trouble", "while", "kiln", "left", "packer 1.6.6", "left"];
        let [trouble, place, kiln, left, packer, left_too] = columns;
        writeln!(
            out,
            "{trouble:<12} {place:<29} {kiln:<11} {left:>4} {:>7} {packer:<13} {left_too:>4} {:>7}",
            "", ""
        )?;
        for (index, ours, theirs) in &self.rows {
            let (trouble, (place, ..)) = &SAMPLE[*index];
            let seconds = |played: &Played| format!("{:.0} s", played.wall.as_secs_f64());
            writeln!(
                out,
                "{:<12} {place:<29} {:<11} {:>4} {:>7} {:<13} {:>4} {:>7}  {}",
                trouble.name(),
                ours.end,
                ours.left_after_gc.unwrap_or(ours.left.len()),
                seconds(ours),
                theirs.end,
                theirs.left.len(),
                seconds(theirs),
                kinds(&theirs.left)
            )?;
        }
        let sum =
            |count: &dyn Fn(&(usize, Played, Played)) -> usize| self.rows.iter().map(count).sum::<usize>();
        let ours = sum(&|(_, ours, _)| ours.left_after_gc.unwrap_or(ours.left.len()));
        let theirs = sum(&|(_, _, theirs)| theirs.left.len());
        writeln!(
            out,
            "left in {} builds: kiln {ours} (after a kill: when gc has run), packer {theirs}",
            self.rows.len()
        )
    }
}

/// Returns what is left without its ids.
fn kinds(left: &[String]) -> String {
    let kinds: Vec<&str> = left.iter().filter_map(|thing| thing.split(' ').next()).collect();
    kinds.join(", ")
}
