//! `kiln validate`.

use std::sync::Arc;

use kiln_core::scope::{OnError, World};
use kiln_engine::Options;

use super::help::documented;
use super::{Command, Invocation, PACKER_VERSION, meta};
use crate::failure::{DONE, Outcome};
use crate::flags::{Flag, Kind};
use crate::local;
use crate::render::diagnostics::addition_to;
use crate::ui::verdict;
use crate::world::RealWorld;

documented! {
    /// Checks a template: its syntax, and the configuration of everything in it. Nothing is created, and nothing
    /// is asked of a cloud. All faults are reported at once; exit code 1 if there is any.
    const HELP;
}

const FLAGS: &[Flag] = &[
    Flag { name: "syntax-only", kind: Kind::Bool(false), help: "Checks the syntax only." },
    Flag {
        name: "no-warn-undeclared-var",
        kind: Kind::Bool(false),
        help: "HCL2 templates: no warning for variables of files that no block declares.",
    },
    Flag {
        name: "evaluate-datasources",
        kind: Kind::Bool(false),
        help: "HCL2 templates: reads data sources. JSON templates have none.",
    },
];

/// The row of the table.
pub const COMMAND: Command = Command {
    name: "validate",
    synopsis: "check that a template is valid",
    usage: "[options] TEMPLATE",
    help: HELP,
    flags: &[FLAGS, meta::TEMPLATE, meta::PLUGINS, meta::EVALUATION],
    run,
};

fn run(cx: &Invocation) -> Outcome {
    let request = cx.template()?;
    let template = request.load()?;
    if cx.flags.is_on("syntax-only", false) {
        cx.ui.say("Syntax-only check passed. Everything looks okay.")?;
        return Ok(DONE);
    }
    let world: Arc<dyn World> = Arc::new(RealWorld::new(cx.environment.clone()));
    let planned = request.plan(&template, &world, &cx.environment)?;
    for secret in &planned.plan.secrets {
        cx.ui.secrets.register(secret);
    }
    let registry = local::registry(&local::direct(&cx.environment, &cx.ui.secrets, &cx.run));
    let options = Options {
        parallel_builds: 0,
        debug: false,
        force: false,
        on_error: OnError::Cleanup,
        core_version: PACKER_VERSION.to_owned(),
        run_id: cx.run.clone(),
        state_dir: std::path::PathBuf::new(),
        crash_after_records: None,
    };
    let mut diagnostics = planned.faulty;
    diagnostics.extend(kiln_engine::prepare(&planned.plan, &registry, &world, &options).1);
    cx.ui.diagnostics(&diagnostics)?;
    if let Some(notes) = addition_to("", &planned.notes) {
        cx.ui.aside(&notes);
    }
    if !diagnostics.has_errors() {
        cx.ui.say("The configuration is valid.")?;
    }
    Ok(verdict(&diagnostics))
}
