//! Finds every fault before anything is spent: prepares each component of each build once with what is only expected
//! of the machine, and keeps the builders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kiln_core::component::{Builder, Factory, Prepared, Registry};
use kiln_core::diagnostic::{Diagnostic, Diagnostics, Fault, nearest};
use kiln_core::plan::{Plan, PlannedBuild, Settings};
use kiln_core::scope::{BuildValues, Scope, World};
use kiln_core::span::Span;

use crate::options::Options;

/// A build whose every component has been prepared without a fault.
pub struct PreparedBuild {
    /// What was planned.
    pub planned: PlannedBuild,
    /// What its components are told.
    pub scope: Scope,
    /// Its builder.
    pub(crate) builder: Arc<dyn Builder>,
}

/// Prepares all builds of `plan`. Builds with faults are left out of the list and described in the diagnostics;
/// the others may still run, as in Packer. Has no effects.
pub fn prepare(
    plan: &Plan,
    registry: &Registry,
    world: &Arc<dyn World>,
    options: &Options,
) -> (Vec<PreparedBuild>, Diagnostics) {
    let mut builds = Vec::new();
    let mut diagnostics = Diagnostics::default();
    for planned in &plan.builds {
        let scope = Scope {
            build_name: planned.build_name.clone(),
            builder_type: planned.builder_type.clone(),
            core_version: options.core_version.clone(),
            debug: options.debug,
            force: options.force,
            on_error: options.on_error,
            template_path: plan.template_path.clone(),
            user_variables: plan.user_variables.clone(),
            run_uuid: options.run_id.clone(),
            values: BuildValues::Expected(BTreeSet::new()),
            world: Arc::clone(world),
        };
        let (prepared, found) = prepare_build(planned, scope, registry);
        diagnostics.extend(found);
        builds.extend(prepared);
    }
    (builds, diagnostics)
}

fn prepare_build(
    planned: &PlannedBuild,
    scope: Scope,
    registry: &Registry,
) -> (Option<PreparedBuild>, Diagnostics) {
    let mut check = Check { build: &planned.build_name, diagnostics: Diagnostics::default() };
    let builder = check.component(
        Kind::Builder,
        &planned.builder_type,
        &planned.span,
        &planned.settings,
        &registry.builders,
        &scope,
    );
    let generated =
        builder.as_ref().map(|builder| builder.generated.iter().cloned().collect()).unwrap_or_default();
    let scope = scope.with_values(BuildValues::Expected(generated));
    for provisioner in planned.provisioners.iter().chain(&planned.error_cleanup) {
        let (kind, span, settings) = (&provisioner.kind, &provisioner.span, &provisioner.settings);
        check.component(Kind::Provisioner, kind, span, settings, &registry.provisioners, &scope);
    }
    for post_processor in planned.post_processors.iter().flatten() {
        let (kind, span, settings) = (&post_processor.kind, &post_processor.span, &post_processor.settings);
        check.component(Kind::PostProcessor, kind, span, settings, &registry.post_processors, &scope);
    }
    let diagnostics = check.diagnostics;
    let builder = builder.filter(|_| !diagnostics.has_errors());
    let prepared =
        builder.map(|builder| PreparedBuild { planned: planned.clone(), scope, builder: builder.component });
    (prepared, diagnostics)
}

/// The three kinds of components a build names.
#[derive(Clone, Copy)]
enum Kind {
    Builder,
    Provisioner,
    PostProcessor,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Kind::Builder => "builder",
            Kind::Provisioner => "provisioner",
            Kind::PostProcessor => "post-processor",
        }
    }
}

/// Gathers what is wrong with one build.
struct Check<'a> {
    build: &'a str,
    diagnostics: Diagnostics,
}

impl Check<'_> {
    fn component<C: ?Sized>(
        &mut self,
        kind: Kind,
        name: &str,
        span: &Option<Span>,
        settings: &Arc<dyn Settings>,
        known: &BTreeMap<&'static str, Arc<dyn Factory<C>>>,
        scope: &Scope,
    ) -> Option<Prepared<C>> {
        let Some(factory) = known.get(name) else {
            self.unknown(kind, name, span, known.keys().copied());
            return None;
        };
        let settings = match settings.resolve(&scope.values) {
            Ok(settings) => settings,
            Err(diagnostics) => {
                self.diagnostics.extend(diagnostics);
                return None;
            }
        };
        match factory.prepare(&settings, scope) {
            Ok(prepared) => {
                for warning in &prepared.warnings {
                    let summary = format!("Warning when preparing build: {:?}", self.build);
                    self.diagnostics.push(Diagnostic::warning(summary).detail(warning));
                }
                Some(prepared)
            }
            Err(faults) => {
                self.faulty(faults);
                None
            }
        }
    }

    /// One headline a build, with the faults of all its components below: Packer's form.
    fn faulty(&mut self, faults: Vec<Fault>) {
        let summary = format!("Failed to prepare build: {:?}", self.build);
        match self.diagnostics.0.iter_mut().find(|diagnostic| diagnostic.summary == summary) {
            Some(diagnostic) => diagnostic.faults.extend(faults),
            None => self.diagnostics.push(Diagnostic { faults, ..Diagnostic::error(summary) }),
        }
    }

    fn unknown<'n>(
        &mut self,
        kind: Kind,
        name: &str,
        span: &Option<Span>,
        known: impl Iterator<Item = &'n str>,
    ) {
        let noun = kind.noun();
        let known: Vec<&str> = known.collect();
        let (detail, hint) = match nearest(name, known.iter().copied()) {
            Some(near) => (format!("Did you mean to use {near:?}?"), format!("is `{near}` meant?")),
            None => (
                format!(
                    "The {noun} {name} is unknown by Packer, and is likely part of a plugin that is not installed.\n\
                     You may find the needed plugin along with installation instructions documented on the Packer \
                     integrations page.\n\nhttps://developer.hashicorp.com/packer/integrations?filter={name}"
                ),
                format!("built in are: {}", known.join(", ")),
            ),
        };
        let fault = Fault::new(format!("{noun} `{name}` is not one of Kiln's")).at(span.clone()).hint(hint);
        let summary = format!("Failed to initialize build {:?}", self.build);
        self.diagnostics.push(Diagnostic::error(summary).detail(detail).fault(fault));
    }
}
