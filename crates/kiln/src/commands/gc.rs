//! `kiln gc`.

use kiln_core::event::EventKind;
use kiln_core::ledger::Resource;
use kiln_engine::{GcOptions, GcReport};

use super::build::state_dir;
use super::help::documented;
use super::{Command, Invocation, meta};
use crate::failure::{DONE, FAILED, Failure, Outcome};
use crate::flags::{Flag, Kind};
use crate::local::{self, Local, Surroundings};
use crate::stage::{Look, Stage};

documented! {
    /// Deletes what runs that died left behind: first what their journals name, then what carries the tags of Kiln's
    /// temporary resources in the regions asked for. RUN (or the beginning of its id) restricts it to one run. Runs
    /// under way are left alone.
    const HELP;
}

const FLAGS: &[Flag] = &[
    Flag { name: "dry-run", kind: Kind::Bool(false), help: "Only says what would be deleted." },
    Flag {
        name: "region",
        kind: Kind::List("a,b"),
        help: "Regions to search by tags. (Default: $ALICLOUD_REGION)",
    },
];

/// The row of the table.
pub const COMMAND: Command = Command {
    name: "gc",
    synopsis: "deletes what dead runs left behind",
    usage: "[options] [RUN]",
    help: HELP,
    flags: &[FLAGS, meta::LOCAL_CLOUD, meta::STATE],
    run,
};

fn run(cx: &Invocation) -> Outcome {
    if cx.flags.arguments.len() > 1 {
        return Err(cx.usage());
    }
    let state_dir = state_dir(cx)?;
    crate::tls::provide();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::told(format!("start the runtime: {error}")))?;
    runtime.block_on(on_stage(cx, state_dir))
}

async fn on_stage(cx: &Invocation, state_dir: std::path::PathBuf) -> Outcome {
    let look = Look { format: cx.ui.format, colours: false, timestamps: false, stopping: "Stopping" };
    let stage = Stage::open(look, &cx.environment, cx.ui.secrets.clone(), &cx.run)?;
    let outcome = match cx.flags.text("local-state") {
        None => {
            story(cx, &stage, state_dir, local::direct(&cx.environment, stage.events.secrets(), &cx.run))
                .await
        }
        Some(_) => match Local::start(&cx.flags, &cx.environment, &stage.events).await {
            Ok(local) => {
                let outcome = story(cx, &stage, state_dir, local.surroundings()).await;
                local.shutdown(&stage.events).await;
                outcome
            }
            Err(failure) => Err(failure),
        },
    };
    stage.close(outcome).await
}

async fn story(
    cx: &Invocation,
    stage: &Stage,
    state_dir: std::path::PathBuf,
    place: Surroundings,
) -> Outcome {
    let dry_run = cx.flags.is_on("dry-run", false);
    let mut reclaim = kiln_components::registry::reclaim_table();
    let mut sweeps = Vec::new();
    let (table, nobody) = kiln_alicloud::reclaim_table(&place.setup);
    reclaim.extend(&table);
    match nobody {
        None => {
            let mut regions = cx.flags.list("region");
            if regions.is_empty() {
                regions.extend(place.environment.filled("ALICLOUD_REGION"));
            }
            for region in regions {
                sweeps.extend(kiln_alicloud::sweeps(&place.setup, &region)?);
            }
        }
        // Journals may still name things that need no account, or an account that they name.
        Some(error) => {
            let text = format!("what is in Alibaba Cloud cannot be deleted: {}", error.chain());
            stage.events.emit(EventKind::Hint { text }).await;
        }
    }
    let run = cx.flags.arguments.first().cloned();
    let options = GcOptions { state_dir, run, dry_run, cloud: place.cloud(), reclaim, sweeps };
    let report = kiln_engine::collect(options, &stage.events, &stage.interrupt.stop).await?;
    tell(&report, dry_run, stage).await;
    match report.left.is_empty() && report.unhandled == 0 && !stage.interrupt.stop.is_cancelled() {
        true => Ok(DONE),
        false => Ok(FAILED),
    }
}

async fn tell(report: &GcReport, dry_run: bool, stage: &Stage) {
    let GcReport { collected, left, passed_over, unhandled } = report;
    let name = |run: &str, resource: &Resource| {
        let id = resource.id.as_deref().unwrap_or("(what its creation may have made)");
        format!("{} {id} of run {run}", resource.intent.kind)
    };
    let done = if dry_run { "would delete" } else { "deleted" };
    for (run, resource) in collected {
        stage.events.say(format!("{done} {}", name(run, resource))).await;
    }
    for (run, resource, reason) in left {
        stage.events.error(format!("left behind: {}: {reason}", name(run, resource))).await;
    }
    for reason in passed_over {
        stage.events.say(format!("passed over: {reason}")).await;
    }
    if collected.is_empty() && left.is_empty() && *unhandled == 0 {
        let else_ = if passed_over.is_empty() { "" } else { " else" };
        stage.events.say(format!("Nothing{else_} is left behind.")).await;
    }
}
