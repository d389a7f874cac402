//! A cloud, and one build after the other in it. What a build leaves is what was not there before; a cloud in which
//! something was left is given up for a new one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use super::program::{Desk, End};
use super::scenario::Scenario;
use super::stock::Stock;
use super::trouble::{Trouble, When};
use super::{Cell, Verdict, calls};
use crate::served::{How, Served};

/// States pass this many times as fast as in the real cloud: an image, the longest of them, in 12 ms.
const SPEED: f64 = 5000.0;
/// A build takes about a second, and may be slowed by its own pauses before it asks again; one that hangs ends here.
const PATIENCE: Duration = Duration::from_secs(90);
/// After so many builds the cloud is replaced: asked for its calls, it tells all it remembers.
const BUILDS_MAX: usize = 25;
/// What `gc` says when there is nothing for it to do.
const NOTHING: &str = "Nothing is left behind.";

/// A worker's place.
pub(super) struct Site<'a> {
    kiln: &'a Path,
    scenario: &'a Scenario,
    dir: TempDir,
    served: Served,
    /// What was there before the next build.
    before: Stock,
    calls_before: usize,
    builds: usize,
}

/// What a build without trouble does.
pub(super) struct Rehearsal {
    /// The calls that can be made to fail, as action and how manyeth.
    pub calls: Vec<(String, u64)>,
    /// How many records its journal gets.
    pub records: u64,
}

impl<'a> Site<'a> {
    pub(super) fn open(kiln: &'a Path, scenario: &'a Scenario) -> Result<Site<'a>> {
        let dir = TempDir::new()?;
        let served = serve(kiln, scenario, dir.path())?;
        let before = Stock::of(&served.inventory()?);
        Ok(Site { kiln, scenario, dir, served, before, calls_before: 0, builds: 0 })
    }

    fn replace(&mut self) -> Result<()> {
        *self = Site::open(self.kiln, self.scenario)?;
        Ok(())
    }

    /// Builds without trouble.
    pub(super) fn rehearse(&mut self) -> Result<Rehearsal> {
        let desk = self.desk()?;
        let end = self.build(&desk, None)?;
        let made = Stock::of(&self.served.inventory()?).since(&self.before);
        if end.code != Some(0) || made.images.len() != self.scenario.images || !made.things.is_empty() {
            bail!("`{}` does not build undisturbed: {made:?}\n{}", self.scenario.name, end.said);
        }
        let calls = calls::worth_failing(&self.served.calls()?);
        let records = desk.records()?;
        self.replace()?;
        Ok(Rehearsal { calls, records })
    }

    /// Builds in trouble and looks what came of it.
    pub(super) fn play(&mut self, cell: &Cell) -> Result<Verdict> {
        let mut when = cell.when.clone();
        loop {
            let desk = self.desk()?;
            let verdict = self.play_once(&desk, cell.trouble, &when)?;
            if !verdict.left.is_empty() || self.builds >= BUILDS_MAX {
                self.replace()?;
            }
            match &mut when {
                // There were fewer looks this time: the last of them it is, then.
                When::Call { nth, .. } if !verdict.befell && verdict.wrong.is_none() && *nth > 1 => *nth -= 1,
                _ => return Ok(verdict),
            }
        }
    }

    fn play_once(&mut self, desk: &Desk, trouble: Trouble, when: &When) -> Result<Verdict> {
        if let (When::Call { action, nth }, Some(effect)) = (when, trouble.effect()) {
            self.served.add_fault(&json!({"action": action, "nth": nth, "effect": effect}))?;
        }
        let end = self.build(desk, trouble.variable().zip(record(when)))?;
        self.served.clear_faults()?;
        let calls = self.served.calls()?;
        let fresh = calls.get(self.calls_before..).unwrap_or_default();
        self.calls_before = calls.len();
        let struck = fresh.iter().position(|call| call["outcome"] == trouble.outcome());
        let befell = match when {
            When::Call { .. } => struck.is_some(),
            When::Record(_) if trouble == Trouble::Killed => end.code.is_none(),
            When::Record(_) => end.said.contains("after receiving interrupt"),
        };
        let now = Stock::of(&self.served.inventory()?);
        let made = now.since(&self.before);
        let left = made.things.iter().cloned().collect::<Vec<_>>();
        let mut verdict = Verdict { befell, wall: end.wall, left, ..Verdict::default() };
        let mut wrong = Vec::new();
        if end.hung {
            wrong.push(format!("it hung: ended after {PATIENCE:?}"));
        }
        self.clean(desk, trouble, &mut verdict, &mut wrong)?;
        let images = Stock::of(&self.served.inventory()?).since(&self.before).images;
        let whole = images.iter().all(|image| image.ends_with(" Available"));
        verdict.finished = end.code == Some(0) && whole && images.len() == self.scenario.images;
        verdict.failed = end.code == Some(1) && images.is_empty();
        // An image that was handed over before is the user's, whatever came then. Whoever still can has to say so.
        let told = |image: &String| end.said.contains(&format!("{}` was made all the same", id(image)));
        verdict.kept = !verdict.finished && !images.is_empty() && whole;
        let right = match when {
            _ if !befell => verdict.finished,
            When::Call { action, .. } if trouble.passes(action) => verdict.finished,
            When::Call { .. } if calls::prepares_deletion(fresh, struck) => {
                verdict.finished || verdict.failed
            }
            // Clean-up looks as well, and looks again; what is no longer needed goes while the rest goes on.
            When::Call { action, .. } if calls::is_look(action) && calls::is_cleaning(fresh, struck) => {
                verdict.finished || verdict.failed
            }
            When::Call { .. } => verdict.failed,
            When::Record(_) if trouble == Trouble::Killed => whole && images.len() <= self.scenario.images,
            When::Record(_) if verdict.kept => end.code == Some(1) && images.iter().any(told),
            When::Record(_) => verdict.failed || verdict.finished,
        };
        if !right {
            wrong.push(format!("it ended with {:?} and the images {images:?}", end.code));
        }
        if !wrong.is_empty() {
            verdict.wrong = Some(format!("{}\n{}", wrong.join("; "), end.said));
        }
        self.before = Stock::of(&self.served.inventory()?);
        Ok(verdict)
    }

    /// `gc` after a kill deletes, after everything else it must have nothing to do.
    fn clean(
        &self,
        desk: &Desk,
        trouble: Trouble,
        verdict: &mut Verdict,
        wrong: &mut Vec<String>,
    ) -> Result<()> {
        let gc = |arguments: &[&str]| -> Result<End> {
            let mut command = desk.command(self.kiln);
            desk.run(self.served.lead(command.args(arguments)), PATIENCE)
        };
        if trouble == Trouble::Killed || !verdict.left.is_empty() {
            let end = gc(&["gc"])?;
            if end.code != Some(0) {
                wrong.push(format!("gc ended with {:?}: {}", end.code, end.said));
            }
        } else {
            let end = gc(&["gc", "-dry-run"])?;
            if end.code != Some(0) || !end.said.contains(NOTHING) {
                wrong.push(format!("gc has something to do: {}", end.said));
            }
        }
        let now = Stock::of(&self.served.inventory()?);
        verdict.left_after_gc = now.since(&self.before).things.into_iter().collect();
        let missing = now.missing(&self.before);
        if !verdict.left_after_gc.is_empty() {
            wrong.push(format!("gc left {:?}", verdict.left_after_gc));
        }
        if trouble != Trouble::Killed && !verdict.left.is_empty() {
            wrong.push(format!("it left {:?}", verdict.left));
        }
        if !missing.is_empty() {
            wrong.push(format!("what was the user's is gone: {missing:?}"));
        }
        Ok(())
    }

    fn desk(&mut self) -> Result<Desk> {
        self.builds += 1;
        Desk::set(self.dir.path().join(format!("build-{}", self.builds)))
    }

    fn build(&self, desk: &Desk, strike: Option<(&str, u64)>) -> Result<End> {
        let name = format!("campaign-{}", self.builds);
        let template = self.scenario.template(&name, self.served.ssh_port());
        std::fs::write(desk.path("t.json"), template.to_string())?;
        let mut command = desk.command(self.kiln);
        command.args(["build", "-color=false", "t.json"]);
        if let Some((variable, records)) = strike {
            command.env(variable, records.to_string());
        }
        desk.run(self.served.lead(&mut command), PATIENCE)
    }
}

/// Returns the id of an image of a [`Stock`].
fn id(image: &str) -> &str {
    image.split_once(' ').map_or(image, |(id, _)| id)
}

fn record(when: &When) -> Option<u64> {
    match when {
        When::Record(records) => Some(*records),
        When::Call { .. } => None,
    }
}

fn serve(kiln: &Path, scenario: &Scenario, dir: &Path) -> Result<Served> {
    let ssh_port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let how = How { speed: SPEED, ssh_port: Some(ssh_port), owns: scenario.owns(ssh_port), ..How::default() };
    let cloud = PathBuf::from(dir);
    Served::start(kiln, &cloud, &how).with_context(|| format!("serve a cloud for `{}`", scenario.name))
}
