//! `kiln whoami`.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, Unit};
use kiln_alicloud::{Identity, SignIn};
use kiln_core::diagnostic::Fault;
use kiln_core::error::Error;
use kiln_core::event::EventKind;
use kiln_core::plan::{Plan, PlannedBuild};
use kiln_core::scope::{BuildValues, OnError, Scope, World};

use super::help::documented;
use super::template::Request;
use super::{Command, Invocation, PACKER_VERSION, meta};
use crate::failure::{DONE, Failure, Outcome};
use crate::flags::{Flag, Kind};
use crate::local::{self, Local, Surroundings};
use crate::stage::{Look, Stage};
use crate::world::RealWorld;

documented! {
    /// Tells as whom builds sign in to Alibaba Cloud: which source of credentials wins, the account and the user or role
    /// the cloud takes them for, the region, when they expire, and why no other source is used. Never a secret.
    ///
    /// With a TEMPLATE: as its builds do. Without one: as the environment says, which is what `kiln gc` does.
    ///
    /// Exit code 1 if there are no credentials, or the cloud refuses them.
    const HELP;
}

const FLAGS: &[Flag] = &[Flag {
    name: "local",
    kind: Kind::Bool(false),
    help: "Asks the embedded cloud, as `build -local` does.",
}];

/// The row of the table.
pub const COMMAND: Command = Command {
    name: "whoami",
    synopsis: "tells as whom builds sign in",
    usage: "[options] [TEMPLATE]",
    help: HELP,
    flags: &[FLAGS, meta::TEMPLATE, meta::LOCAL_CLOUD],
    run,
};

fn run(cx: &Invocation) -> Outcome {
    let request = match cx.flags.arguments.as_slice() {
        [] => None,
        [argument] => Some(Request::new(&cx.flags, argument)),
        _ => return Err(cx.usage()),
    };
    crate::tls::provide();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::told(format!("start the runtime: {error}")))?;
    runtime.block_on(on_stage(cx, request))
}

async fn on_stage(cx: &Invocation, request: Option<Request>) -> Outcome {
    let look = Look { format: cx.ui.format, colours: false, timestamps: false, stopping: "Stopping" };
    let stage = Stage::open(look, &cx.environment, cx.ui.secrets.clone(), &cx.run)?;
    let outcome = match cx.flags.is_on("local", false) {
        false => {
            let place = local::direct(&cx.environment, stage.events.secrets(), &cx.run);
            story(cx, &stage, request, place).await
        }
        true => match Local::start(&cx.flags, &cx.environment, &stage.events).await {
            Ok(local) => {
                let outcome = story(cx, &stage, request, local.surroundings()).await;
                local.shutdown(&stage.events).await;
                outcome
            }
            Err(failure) => Err(failure),
        },
    };
    stage.close(outcome).await
}

async fn story(cx: &Invocation, stage: &Stage, request: Option<Request>, place: Surroundings) -> Outcome {
    let work = async {
        let who = match request {
            None => vec![(String::new(), kiln_alicloud::sign_in_of_environment(&place.setup)?)],
            Some(request) => of_template(cx, stage, request, &place).await?,
        };
        if who.is_empty() {
            return Err(Failure::told("no build of the template signs in to Alibaba Cloud"));
        }
        let several = who.len() > 1;
        for (builds, sign_in) in &who {
            tell(stage, several.then_some(builds), sign_in).await?;
        }
        Ok(DONE)
    };
    tokio::select! {
        outcome = work => outcome,
        () = stage.interrupt.stop.cancelled() => Err(Failure::Silent),
    }
}

/// Returns as whom the template's builds sign in, builds that do alike taken together.
async fn of_template(
    cx: &Invocation,
    stage: &Stage,
    request: Request,
    place: &Surroundings,
) -> Result<Vec<(String, SignIn)>, Failure> {
    let world: Arc<dyn World> = Arc::new(RealWorld::new(place.environment.clone()));
    let (asked, environment) = (Arc::clone(&world), place.environment.clone());
    let evaluated = tokio::task::spawn_blocking(move || {
        let template = request.load()?;
        request.plan(&template, &asked, &environment)
    });
    let planned = evaluated.await.map_err(|error| Failure::told(format!("internal error: {error}")))??;
    for secret in &planned.plan.secrets {
        stage.events.secrets().register(secret);
    }
    let mut found: Vec<(String, SignIn)> = Vec::new();
    for build in &planned.plan.builds {
        let scope = scope(cx, &planned.plan, build, &world);
        let settings = build.settings.resolve(&scope.values)?;
        let sign_in = kiln_alicloud::sign_in_of_build(&place.setup, &build.builder_type, &settings, &scope);
        let Some(sign_in) = sign_in else { continue };
        let sign_in = sign_in.map_err(|faults| refused(&build.name, &faults))?;
        match found.iter_mut().find(|(_, it)| it.source == sign_in.source && it.region == sign_in.region) {
            Some((names, _)) => *names = format!("{names}, {}", build.name),
            None => found.push((build.name.clone(), sign_in)),
        }
    }
    Ok(found)
}

fn scope(cx: &Invocation, plan: &Plan, build: &PlannedBuild, world: &Arc<dyn World>) -> Scope {
    Scope {
        build_name: build.build_name.clone(),
        builder_type: build.builder_type.clone(),
        core_version: PACKER_VERSION.to_owned(),
        debug: false,
        force: false,
        on_error: OnError::Cleanup,
        template_path: plan.template_path.clone(),
        user_variables: plan.user_variables.clone(),
        run_uuid: cx.run.clone(),
        values: BuildValues::Expected(BTreeSet::new()),
        world: Arc::clone(world),
    }
}

fn refused(build: &str, faults: &[Fault]) -> Failure {
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    let failure = Failure::told(format!("build `{build}`: {}", messages.join("\n")));
    faults.iter().filter_map(|fault| fault.hint.clone()).fold(failure, Failure::hint)
}

async fn tell(stage: &Stage, builds: Option<&String>, sign_in: &SignIn) -> Result<(), Failure> {
    for text in sign_in.note.iter().chain(&sign_in.warnings) {
        stage.events.emit(EventKind::Hint { text: text.clone() }).await;
    }
    let Identity { account, arn, kind, key, expires } =
        sign_in.ask().await.map_err(|error| with_sources(error, sign_in))?;
    let region = sign_in.region.as_deref().unwrap_or("(none: set `region` or ALICLOUD_REGION)");
    let expires = match expires {
        Some(time) => format!("{time} ({})", remaining(time, Timestamp::now())),
        None => "never".to_owned(),
    };
    let mut lines: Vec<String> = builds.map(|builds| format!("builds:      {builds}")).into_iter().collect();
    lines.extend([
        format!("account:     {account}"),
        format!("arn:         {arn}"),
        format!("kind:        {kind}"),
        format!("region:      {region}"),
        format!("credentials: {}", sign_in.source),
        format!("key:         {key}"),
        format!("expires:     {expires}"),
    ]);
    if !sign_in.passed.is_empty() {
        lines.push("other sources:".to_owned());
        lines.extend(sign_in.passed.iter().map(|(source, why)| format!("  {source}: {why}")));
    }
    stage.events.say(lines.join("\n")).await;
    Ok(())
}

fn with_sources(error: Error, sign_in: &SignIn) -> Failure {
    let failure = Failure::from(error).hint(format!("the credentials come from {}", sign_in.source));
    match sign_in.passed.is_empty() {
        true => failure,
        false => {
            let passed = sign_in.passed.iter().map(|(source, why)| format!("\n  {source}: {why}"));
            failure.hint(format!("the other sources:{}", passed.collect::<String>()))
        }
    }
}

fn remaining(time: Timestamp, now: Timestamp) -> String {
    let left = time.duration_since(now).max(SignedDuration::ZERO);
    match left.round(Unit::Minute).unwrap_or(left).as_mins() {
        minutes @ ..120 => format!("in {minutes} min"),
        minutes => format!("in {} h", minutes / 60),
    }
}
