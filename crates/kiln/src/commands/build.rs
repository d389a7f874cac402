//! `kiln build`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kiln_core::event::{EventKind, Outcome as Ended};
use kiln_core::scope::{OnError, World};
use kiln_engine::{CrashAfter, Engine, Options};
use kiln_template::selection::no_builds_to_run;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::help::documented;
use super::template::Request;
use super::{Command, Invocation, PACKER_VERSION, meta};
use crate::env_vars::{Environment, KILN_CRASH_AFTER_RECORDS, KILN_INTERRUPT_AFTER_RECORDS};
use crate::failure::{DONE, FAILED, Failure, Outcome};
use crate::flags::{Flag, Kind};
use crate::local::{self, Local};
use crate::render::Format;
use crate::render::diagnostics::addition_to;
use crate::stage::{Look, Stage};
use crate::ui;
use crate::world::RealWorld;

documented! {
    /// Runs the builds of a template side by side and lists what they made. `-` reads the template from standard
    /// input.
    ///
    /// Whatever happens, temporary resources are deleted again: Ctrl-C stops and cleans up, a second one cleans up
    /// only what is quick, a third leaves at once; `kiln gc` deletes what is left.
    ///
    /// With -local the build runs against an embedded cloud, with no account: instances are sandboxes on this
    /// machine, reached by SSH.
    const HELP;
}

const FLAGS: &[Flag] = &[
    Flag { name: "color", kind: Kind::Bool(true), help: "No colours. (Default: colours)" },
    Flag {
        name: "debug",
        kind: Kind::Bool(false),
        help: "One build at a time, with a pause after each step.",
    },
    Flag {
        name: "force",
        kind: Kind::Bool(false),
        help: "Deletes what an earlier build made, where it is in the way.",
    },
    Flag {
        name: "machine-readable",
        kind: Kind::Bool(false),
        help: "Output for programs, in Packer's form (with one dash).",
    },
    Flag { name: "json", kind: Kind::Bool(false), help: "Output for programs: every event as a JSON line." },
    Flag {
        name: "on-error",
        kind: Kind::Choice(&["cleanup", "abort", "ask", "run-cleanup-provisioner"]),
        help: "What to do when a build fails. (Default: cleanup)",
    },
    Flag {
        name: "parallel-builds",
        kind: Kind::Number("N"),
        help: "At most so many builds at once; 0: all. (Default: 0)",
    },
    Flag {
        name: "timestamp-ui",
        kind: Kind::Bool(false),
        help: "Puts the time before each line of a build.",
    },
    Flag {
        name: "warn-on-undeclared-var",
        kind: Kind::Bool(false),
        help: "HCL2 templates: warns of variables of files that no block declares.",
    },
    Flag {
        name: "skip-enforcement",
        kind: Kind::Bool(false),
        help: "Leaves out provisioners that HCP Packer enforces; Kiln never adds any.",
    },
    Flag { name: "local", kind: Kind::Bool(false), help: "Builds against the embedded cloud." },
];

/// The row of the table.
pub const COMMAND: Command = Command {
    name: "build",
    synopsis: "build image(s) from template",
    usage: "[options] TEMPLATE",
    help: HELP,
    flags: &[FLAGS, meta::TEMPLATE, meta::LOCAL_CLOUD, meta::STATE, meta::PLUGINS, meta::EVALUATION],
    run,
};

/// How long tasks that nobody waits for may still take when everything has been said.
const LAST_MOMENTS: Duration = Duration::from_secs(2);

/// A build is one deep future: where nothing is optimised, the usual 2 MiB do not hold it. What is not used is only
/// reserved.
const STACK_BYTES: usize = 8 << 20;

fn run(cx: &Invocation) -> Outcome {
    let request = cx.template()?;
    let options = options(cx)?;
    crate::tls::provide();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| Failure::told(format!("start the runtime: {error}")))?;
    let code = runtime.block_on(on_stage(cx, request, options));
    runtime.shutdown_timeout(LAST_MOMENTS);
    code
}

fn options(cx: &Invocation) -> Result<Options, Failure> {
    Ok(Options {
        // Anything below one means no limit.
        parallel_builds: cx
            .flags
            .number("parallel-builds")
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(0),
        debug: cx.flags.is_on("debug", false),
        force: cx.flags.is_on("force", false),
        on_error: match cx.flags.text("on-error") {
            Some("abort") => OnError::Abort,
            Some("ask") => OnError::Ask,
            Some("run-cleanup-provisioner") => OnError::RunCleanupProvisioner,
            _ => OnError::Cleanup,
        },
        core_version: PACKER_VERSION.to_owned(),
        run_id: cx.run.clone(),
        state_dir: state_dir(cx)?,
        crash_after_records: crash_after(&cx.environment),
    })
}

/// Returns what tests of crash safety want done to this process.
fn crash_after(environment: &Environment) -> Option<CrashAfter> {
    let wish = |name: &str, act: fn()| {
        let records = environment.filled(name).and_then(|count| count.parse().ok())?;
        Some(CrashAfter { records, act })
    };
    wish(KILN_CRASH_AFTER_RECORDS, || send_myself(Signal::SIGKILL))
        .or_else(|| wish(KILN_INTERRUPT_AFTER_RECORDS, || send_myself(Signal::SIGINT)))
}

fn send_myself(signal: Signal) {
    // A process may always signal itself.
    let _ = kill(Pid::this(), signal);
}

/// Returns where journals are kept.
pub fn state_dir(cx: &Invocation) -> Result<PathBuf, Failure> {
    let dir = cx.flags.text("state-dir").map(PathBuf::from).or_else(|| cx.environment.state_dir());
    let dir = dir.ok_or_else(|| {
        Failure::told("there is no folder for the journals of runs: HOME is not set")
            .hint("name one with -state-dir or KILN_STATE_DIR")
    })?;
    // Relative folders mean the same after a component has changed nothing but its own idea of where it is.
    Ok(std::path::absolute(&dir).unwrap_or(dir))
}

async fn on_stage(cx: &Invocation, request: Request, options: Options) -> Outcome {
    let format = match (cx.ui.format, cx.flags.is_on("json", false)) {
        (Format::Human, true) => Format::Json,
        (format, _) => format,
    };
    let look = Look {
        format,
        colours: cx.flags.is_on("color", true),
        timestamps: cx.flags.is_on("timestamp-ui", false),
        stopping: "Cancelling build",
    };
    let stage = Stage::open(look, &cx.environment, cx.ui.secrets.clone(), &cx.run)?;
    let outcome = with_cloud(cx, &stage, request, options).await;
    stage.close(outcome).await
}

/// The embedded cloud, if it is wanted, stands before the template is read and goes after everything else.
async fn with_cloud(cx: &Invocation, stage: &Stage, request: Request, options: Options) -> Outcome {
    if !cx.flags.is_on("local", false) {
        if let Some(flag) = ["local-speed", "local-state", "local-with"]
            .into_iter()
            .find(|flag| cx.flags.text(flag).is_some())
        {
            return Err(Failure::told(format!("-{flag} says how -local works, and -local is not given")));
        }
        return story(
            stage,
            request,
            options,
            local::direct(&cx.environment, stage.events.secrets(), &cx.run),
        )
        .await;
    }
    let local = Local::start(&cx.flags, &cx.environment, &stage.events).await?;
    let outcome = story(stage, request, options, local.surroundings()).await;
    local.shutdown(&stage.events).await;
    outcome
}

async fn story(stage: &Stage, request: Request, options: Options, place: local::Surroundings) -> Outcome {
    let world: Arc<dyn World> = Arc::new(RealWorld::new(place.environment.clone()));
    let registry = local::registry(&place);

    // Evaluation may ask a secret store, which takes its time.
    let (asked, environment) = (Arc::clone(&world), place.environment.clone());
    let evaluated = tokio::task::spawn_blocking(move || {
        let template = request.load()?;
        request.plan(&template, &asked, &environment)
    });
    let planned = tokio::select! {
        planned = evaluated => planned.map_err(|error| Failure::told(format!("internal error: {error}")))??,
        // Nothing has been made yet, so there is nothing to wait for.
        () = stage.interrupt.stop.cancelled() => return Err(Failure::Silent),
    };
    for secret in &planned.plan.secrets {
        stage.events.secrets().register(secret);
    }
    if let Some(text) = addition_to("", &planned.notes) {
        stage.events.emit(EventKind::Hint { text }).await;
    }
    let mut diagnostics = planned.faulty;
    if planned.plan.builds.is_empty() && !diagnostics.has_errors() {
        diagnostics.push(no_builds_to_run());
    }
    let (builds, found) = kiln_engine::prepare(&planned.plan, &registry, &world, &options);
    diagnostics.extend(found);
    ui::emit(&diagnostics, &stage.events).await;
    if builds.is_empty() {
        return Ok(FAILED);
    }
    let engine = Engine {
        registry,
        world,
        events: stage.events.clone(),
        prompt: Arc::clone(&stage.prompt),
        interrupt: stage.interrupt.clone(),
        options,
    };
    let report = kiln_engine::run(&planned.plan, builds, engine).await?;
    // Builds that could not be prepared fail the command even if all others succeed.
    match (report.outcome, diagnostics.has_errors()) {
        (Ended::Done | Ended::Skipped, false) => Ok(DONE),
        (Ended::Done | Ended::Skipped | Ended::Failed | Ended::Cancelled, _) => Ok(FAILED),
    }
}
