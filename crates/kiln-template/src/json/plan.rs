//! [`Template`] to [`Plan`].

use std::collections::BTreeMap;
use std::sync::Arc;

use kiln_core::diagnostic::{Diagnostic, Diagnostics, Fault, nearest};
use kiln_core::interpolate::{InterpolateError, VariableContext, render_core_until_stable};
use kiln_core::plan::{Plan, PlannedBuild, PlannedPostProcessor, PlannedProvisioner};
use kiln_core::scope::World;
use kiln_core::value::{Entry, Kind, Object, Value};

use super::check;
use super::given::Given;
use super::messages::{Stage, first, told};
use super::model::{Builder, Provisioner, Template, Word};
use super::shape::go_kind;
use super::variables::{self, Variables};
use crate::planned::{PlanError, PlanOptions, Planned};
use crate::selection::Selection;

impl Template {
    /// Evaluates the template: variables, names, references, selection. Everything that is wrong is found at once;
    /// Packer's own text tells of the first kind of fault only.
    pub fn plan(&self, options: &PlanOptions, world: &dyn World) -> Result<Planned, PlanError> {
        let given = Given::read(options, world)?;
        let (variables, names) = self.evaluate(&given, options, world).map_err(PlanError::Faulty)?;
        let evaluation = Evaluation { template: self, variables: &variables, options, world };
        let mut builds = Vec::new();
        let mut faulty = Diagnostics::default();
        for (name, builder) in &names {
            if !options.selection.selects_exactly(name) {
                continue;
            }
            match evaluation.build(name, builder) {
                Ok(build) => builds.push(build),
                Err(faults) => faulty.push(not_initialised(name, faults)),
            }
        }
        let notes = self.notes(&given, &names, &options.selection);
        let plan = Plan {
            builds,
            template_path: self.path.clone(),
            template_name: self.name.clone(),
            user_variables: variables.values,
            secrets: variables.secrets,
        };
        Ok(Planned { plan, faulty, notes })
    }

    /// Returns the names of variables that must be given and are not.
    pub fn missing(&self, options: &PlanOptions, world: &dyn World) -> Result<Vec<String>, PlanError> {
        let given = Given::read(options, world)?;
        let required = self.variables.iter().filter(|(_, variable)| variable.default.is_none());
        let missing = required.filter(|(name, _)| !given.0.contains_key(name.as_str()));
        Ok(missing.map(|(name, _)| name.clone()).collect())
    }

    /// Returns the user variables alone, rendered: what a console or an inspection wants to know.
    pub fn variables(&self, options: &PlanOptions, world: &dyn World) -> Result<Variables, PlanError> {
        let given = Given::read(options, world)?;
        variables::render(self, &given, world, &options.core_version)
            .map_err(|stage| PlanError::Faulty(diagnostics(vec![stage])))
    }

    /// Returns the variables and the builders by rendered name, or all faults.
    fn evaluate(
        &self,
        given: &Given,
        options: &PlanOptions,
        world: &dyn World,
    ) -> Result<(Variables, BTreeMap<String, &Builder>), Diagnostics> {
        let mut stages = vec![
            check::references(self),
            check::minimum_version(self, &options.core_version),
            check::required_variables(self, given),
        ];
        let variables = match variables::render(self, given, world, &options.core_version) {
            Ok(variables) => Some(variables),
            Err(stage) => {
                stages.push(stage);
                None
            }
        };
        let mut names = BTreeMap::new();
        if let Some(variables) = &variables {
            let evaluation = Evaluation { template: self, variables, options, world };
            let mut stage = Stage::new(first);
            for builder in &self.builders {
                match evaluation.render(&builder.name.text) {
                    // Two builders with one rendered name are one build, in Packer too.
                    Ok(name) => drop(names.entry(name).or_insert(builder)),
                    Err(error) => {
                        let message = format!("Error interpolating builder '{}': {error}", builder.name.text);
                        let fault = Fault { hint: error.hint(), ..Fault::new(message) };
                        stage.add(fault.at(builder.name.span.clone()));
                    }
                }
            }
            stages.push(stage);
        }
        match variables {
            Some(variables) if stages.iter().all(|stage| stage.faults.is_empty()) => Ok((variables, names)),
            _ => Err(diagnostics(stages)),
        }
    }

    /// What a person may have meant otherwise.
    fn notes(&self, given: &Given, names: &BTreeMap<String, &Builder>, selection: &Selection) -> Vec<Fault> {
        let mut notes = Vec::new();
        let declared = || self.variables.keys().map(String::as_str);
        for word in &self.sensitive {
            if !self.variables.contains_key(&word.text) && !given.0.contains_key(&word.text) {
                let note = Fault::new(format!("sensitive variable `{}` is not defined", word.text));
                let hint = nearest(&word.text, declared()).map(|near| format!("is `{near}` meant?"));
                notes.push(Fault { hint, ..note.at(word.span.clone()) });
            }
        }
        for (name, value) in &given.0 {
            // Variables need not be declared, so only a likely slip is worth a word.
            if let (false, Some(near)) = (self.variables.contains_key(name), nearest(name, declared())) {
                let note = Fault::new(format!("variable `{name}` is not declared")).at(value.span.clone());
                notes.push(note.hint(format!("is `{near}` meant?")));
            }
        }
        for builder in &self.builders {
            if !names.values().any(|named| named.name.text == builder.name.text) {
                let note = Fault::new(format!("builder `{}` is left out", builder.name.text));
                let hint = "once rendered, its name is that of an earlier one";
                notes.push(note.at(builder.name.span.clone()).hint(hint));
            }
        }
        let post_processors = self.post_processors.iter().flatten().map(|element| element.name.as_str());
        let mut selectable: Vec<&str> = names.keys().map(String::as_str).collect();
        let builds = selectable.len();
        selectable.extend(post_processors);
        let only = Selection { only: selection.only.clone(), except: Vec::new() };
        let except = Selection { only: Vec::new(), except: selection.except.clone() };
        notes.extend(only.unmatched(&selectable[..builds]));
        notes.extend(except.unmatched(&selectable));
        notes
    }
}

/// One error without a headline, as Packer prints such faults.
fn diagnostics(stages: Vec<Stage>) -> Diagnostics {
    let (text, faults) = told(stages).unwrap_or_default();
    Diagnostic { faults, ..Diagnostic::error("").detail(text) }.into()
}

fn not_initialised(name: &str, faults: Vec<Fault>) -> Diagnostic {
    let detail = faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
    Diagnostic { faults, ..Diagnostic::error(format!("Failed to initialize build {name:?}")).detail(detail) }
}

/// A template with its variables known.
struct Evaluation<'a> {
    template: &'a Template,
    variables: &'a Variables,
    options: &'a PlanOptions,
    world: &'a dyn World,
}

impl Evaluation<'_> {
    /// Renders a builder's name or `max_retries`.
    fn render(&self, text: &str) -> Result<String, InterpolateError> {
        let user = |name: &str| self.variables.values.get(name).cloned();
        let context = VariableContext {
            world: self.world,
            template_path: self.template.path.as_deref(),
            core_version: &self.options.core_version,
            user: &user,
        };
        render_core_until_stable(text, &context)
    }

    fn build(&self, name: &str, builder: &Builder) -> Result<PlannedBuild, Vec<Fault>> {
        let raw = builder.name.text.as_str();
        let mut faults = Vec::new();
        let mut provisioners = Vec::new();
        for provisioner in self.template.provisioners.iter().filter(|one| !one.filter.skips(raw)) {
            match self.provisioner(provisioner, raw) {
                Ok(planned) => provisioners.push(planned),
                Err(fault) => faults.push(fault),
            }
        }
        // Its `only` and `except` are not applied.
        let error_cleanup = match self.template.error_cleanup.as_ref().map(|one| self.provisioner(one, raw)) {
            None => None,
            Some(Ok(planned)) => Some(planned),
            Some(Err(fault)) => {
                faults.push(fault);
                None
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let shown = match name == builder.kind.text {
            true => name.to_owned(),
            false => format!("{}.{name}", builder.kind.text),
        };
        Ok(PlannedBuild {
            name: shown,
            build_name: name.to_owned(),
            builder_type: builder.kind.text.clone(),
            span: builder.kind.span.clone(),
            settings: Arc::new(builder.config.clone()),
            provisioners,
            error_cleanup,
            post_processors: self.chains(raw),
        })
    }

    fn provisioner(&self, provisioner: &Provisioner, raw: &str) -> Result<PlannedProvisioner, Fault> {
        let max_retries = match &provisioner.max_retries {
            None => 0,
            Some(word) => self.max_retries(word)?,
        };
        let mut settings = provisioner.config.clone();
        if let Some(layer) = provisioner.overrides.get(raw) {
            match &layer.config.kind {
                Kind::Object(layer) => lay_over(&mut settings, layer),
                Kind::Null => {}
                _ => {
                    let got = go_kind(&layer.config);
                    let fault = Fault::new(format!("override '{raw}': '' expected a map, got '{got}'"));
                    return Err(fault.at(layer.config.span.clone()));
                }
            }
        }
        Ok(PlannedProvisioner {
            kind: provisioner.kind.text.clone(),
            span: provisioner.kind.span.clone(),
            settings: Arc::new(settings),
            pause_before: provisioner.pause_before,
            timeout: provisioner.timeout,
            max_retries,
        })
    }

    fn max_retries(&self, word: &Word) -> Result<u32, Fault> {
        let fault = |message| Fault::new(message).at(word.span.clone());
        let text = self
            .render(&word.text)
            .map_err(|error| fault(format!("failed to interpolate `max_retries`: {error}")))?;
        let number: i64 = text.parse().map_err(|_| {
            let error = format!("strconv.Atoi: parsing {text:?}: invalid syntax");
            fault(format!("`max_retries` must be a valid integer: {error}")).hint("write a whole number")
        })?;
        // Fewer than none is none.
        Ok(u32::try_from(number.max(0)).unwrap_or(u32::MAX))
    }

    fn chains(&self, raw: &str) -> Vec<Vec<PlannedPostProcessor>> {
        let chains = self.template.post_processors.iter().map(|chain| {
            chain
                .iter()
                .filter(|element| !element.filter.skips(raw))
                // `-except` cuts the chain off where it names an element.
                .take_while(|element| !self.options.selection.excepts_exactly(&element.name))
                .map(|element| PlannedPostProcessor {
                    kind: element.kind.text.clone(),
                    name: element.name.clone(),
                    span: element.kind.span.clone(),
                    settings: Arc::new(element.config.clone()),
                    keep_input_artifact: element.keep_input_artifact,
                })
                .collect::<Vec<_>>()
        });
        chains.filter(|chain| !chain.is_empty()).collect()
    }
}

/// Lays an override over settings: later keys win, and maps keep the keys the override does not name. Which keys are
/// the same is decided as the decoder decides it, without regard to case.
fn lay_over(settings: &mut Value, layer: &Object) {
    let Kind::Object(settings) = &mut settings.kind else { return };
    for (key, entry) in layer {
        let same =
            settings.keys().find(|old| *old == key || old.to_lowercase() == key.to_lowercase()).cloned();
        let same = same.unwrap_or_else(|| key.clone());
        match (settings.get_mut(&same), &entry.value.kind) {
            (Some(Entry { value: Value { kind: Kind::Object(old), .. }, .. }), Kind::Object(new)) => {
                old.extend(new.iter().map(|(key, entry)| (key.clone(), entry.clone())));
            }
            (Some(old), _) => *old = entry.clone(),
            (None, _) => drop(settings.insert(key.clone(), entry.clone())),
        }
    }
}
