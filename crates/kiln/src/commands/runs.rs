//! `kiln runs`.

use kiln_engine::runs::{self, RunSummary};

use super::build::state_dir;
use super::help::documented;
use super::{Command, Invocation, meta};
use crate::failure::{DONE, Failure, Outcome};

documented! {
    /// Lists the runs of the past and those under way: when they began, how they ended, and what they left behind.
    /// `kiln gc` deletes what is left.
    const HELP;
}

/// The row of the table.
pub const COMMAND: Command = Command {
    name: "runs",
    synopsis: "lists runs, how they ended and what is left of them",
    usage: "[options]",
    help: HELP,
    flags: &[meta::STATE],
    run,
};

fn run(cx: &Invocation) -> Outcome {
    if !cx.flags.arguments.is_empty() {
        return Err(cx.usage());
    }
    let state_dir = state_dir(cx)?;
    let (runs, unreadable) = runs::list(&state_dir)
        .map_err(|error| Failure::told(format!("read the journals in `{}`: {error}", state_dir.display())))?;
    if runs.is_empty() && unreadable.is_empty() {
        cx.ui.say("No runs yet.")?;
    }
    for run in &runs {
        cx.ui
            .machine("run", &[&run.id, &run.time, &run.template, ended(run), &run.left.len().to_string()])?;
        cx.ui.say(&text(run))?;
    }
    for broken in unreadable {
        cx.ui.aside(&format!("unreadable: {}: {}", broken.dir.display(), broken.reason));
    }
    Ok(DONE)
}

fn ended(run: &RunSummary) -> &str {
    match (&run.outcome, run.alive) {
        (_, true) => "under way",
        (Some(outcome), false) => outcome,
        (None, false) => "broken off",
    }
}

/// One line a run, then one for each build and one for each thing left.
fn text(run: &RunSummary) -> String {
    let mut text = format!("{}  {}  {:<10}  {}", run.id, run.time, ended(run), run.template);
    for build in &run.builds {
        let outcome = build.outcome.as_deref().unwrap_or("not ended");
        let artifacts = match build.artifacts.is_empty() {
            true => String::new(),
            false => format!(": {}", build.artifacts.join(", ")),
        };
        text.push_str(&format!("\n    {} {outcome}{artifacts}", build.name));
    }
    for (build, resource) in &run.left {
        let id = resource.id.as_deref().unwrap_or("not known to exist");
        text.push_str(&format!("\n    left by {build}: {} {id}", resource.intent.kind));
    }
    text
}
