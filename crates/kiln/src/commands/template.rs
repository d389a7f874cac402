//! From a template argument to a template: which language it is in, and reading it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kiln_core::diagnostic::{Diagnostic, Diagnostics, Fault};
use kiln_core::scope::{OnError, World};
use kiln_core::secret::SecretFilter;
use kiln_template::{Language, LoadError, PlanError, PlanOptions, Planned, Selection, TemplateInput, json};

use super::{Invocation, PACKER_VERSION};
use crate::env_vars::{ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY, Environment};
use crate::failure::Failure;
use crate::flags::Parsed;
use crate::local;
use crate::render::diagnostics::addition_to;
use crate::ui::untitled;

/// What the user named, before anything is read.
pub struct Request {
    argument: String,
    language: Option<Language>,
    options: PlanOptions,
}

impl Request {
    /// Returns what the flags and the one argument ask for.
    pub fn new(flags: &Parsed, argument: &str) -> Request {
        let language = flags.text("config-type").map(|language| match language {
            "hcl2" => Language::Hcl2,
            _ => Language::Json,
        });
        Request {
            argument: argument.to_owned(),
            language,
            options: PlanOptions {
                vars: flags.pairs("var"),
                var_files: flags.all("var-file").into_iter().map(PathBuf::from).collect(),
                selection: Selection { only: flags.list("only"), except: flags.list("except") },
                core_version: PACKER_VERSION.to_owned(),
            },
        }
    }

    /// Reads and parses the template.
    pub fn load(&self) -> Result<json::Template, Failure> {
        match self.language()? {
            Language::Json => Ok(json::load(&self.read()?)?),
            Language::Hcl2 => Err(not_yet(&self.argument)),
        }
    }

    /// Evaluates the template. What its components are told wrongly is found even where variables that have no value
    /// yet keep it from being planned.
    pub fn plan(
        &self,
        template: &json::Template,
        world: &Arc<dyn World>,
        environment: &Environment,
    ) -> Result<Planned, Failure> {
        template.plan(&self.options, world.as_ref()).map_err(|error| match error {
            PlanError::Faulty(mut diagnostics) => {
                if let Some(first) = diagnostics.0.first_mut() {
                    first.faults.extend(self.also_wrong(template, world, environment));
                }
                diagnostics.into()
            }
            unread => unread.into(),
        })
    }

    /// Prepares the template's components with stand-ins for the values that are missing; what is wrong at a place that
    /// names one of them may be the stand-in's fault and is left out.
    fn also_wrong(
        &self,
        template: &json::Template,
        world: &Arc<dyn World>,
        environment: &Environment,
    ) -> Vec<Fault> {
        let Ok(missing) = template.missing(&self.options, world.as_ref()) else {
            return Vec::new();
        };
        let mut options = self.options.clone();
        options.vars.extend(missing.iter().map(|name| (name.clone(), STAND_IN.to_owned())));
        let Ok(planned) = template.plan(&options, world.as_ref()) else {
            return Vec::new();
        };
        // Where the credentials will come from is not known either.
        let stand_ins = [ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY]
            .map(|name| (name.to_owned(), environment.filled(name).unwrap_or_else(|| STAND_IN.to_owned())));
        let registry =
            local::registry(&local::direct(&environment.with(stand_ins), &SecretFilter::default(), ""));
        let options = kiln_engine::Options {
            parallel_builds: 0,
            debug: false,
            force: false,
            on_error: OnError::Cleanup,
            core_version: PACKER_VERSION.to_owned(),
            run_id: String::new(),
            state_dir: PathBuf::new(),
            crash_after_records: None,
        };
        let (_, mut found) = kiln_engine::prepare(&planned.plan, &registry, world, &options);
        found.extend(planned.faulty);
        let faults = found.0.into_iter().flat_map(|diagnostic| diagnostic.faults);
        faults.filter(|fault| !names_one_of(fault, &missing)).collect()
    }

    /// The name decides where it can; folders are HCL2; `-config-type` decides the rest.
    fn language(&self) -> Result<Language, Failure> {
        let Some(by_name) = Language::of_name(&self.argument) else {
            return Ok(self.language.unwrap_or(Language::Json));
        };
        match std::fs::metadata(&self.argument) {
            Err(error) => Err(missing(&self.argument, &error)),
            Ok(found) if found.is_dir() => Ok(Language::Hcl2),
            Ok(_) => match by_name {
                Language::Hcl2 => Ok(Language::Hcl2),
                Language::Json => Ok(self.language.unwrap_or(Language::Json)),
            },
        }
    }

    fn read(&self) -> Result<TemplateInput, Failure> {
        let name = self.argument.clone();
        if matches!(name.as_str(), "" | "-") {
            let mut text = Vec::new();
            std::io::stdin().lock().read_to_end(&mut text).map_err(|error| {
                Failure::told(format!("Failed to read the template from standard input: {error}"))
            })?;
            return Ok(TemplateInput { name: "-".to_owned(), text, path: None });
        }
        let text = std::fs::read(&name).map_err(|error| missing(&name, &error))?;
        let path = std::path::absolute(&name).ok();
        Ok(TemplateInput { name, text, path })
    }
}

impl Invocation {
    /// Returns the request for the one template argument; any other number is a usage error.
    pub fn template(&self) -> Result<Request, Failure> {
        match self.flags.arguments.as_slice() {
            [argument] => Ok(Request::new(&self.flags, argument)),
            _ => Err(self.usage()),
        }
    }
}

/// Stands for a value that is not known.
const STAND_IN: &str = "stand-in";

/// Whether the fault lies on a line that names one of these variables. A fault of a whole block is about what is not
/// there.
fn names_one_of(fault: &Fault, variables: &[String]) -> bool {
    let text = fault.span.as_ref().map_or("", |span| span.text());
    !text.contains('\n') && variables.iter().any(|name| text.contains(name.as_str()))
}

fn missing(path: &str, error: &std::io::Error) -> Failure {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    Diagnostics::from(untitled(format!("stat {path}: {reason}"))).into()
}

/// HCL2 is the next language to come; saying so plainly beats a wall of JSON syntax errors.
fn not_yet(argument: &str) -> Failure {
    let what = match Path::new(argument).is_dir() {
        true => "is a folder, which means an HCL2 template",
        false => "is an HCL2 template",
    };
    let detail = format!("`{argument}` {what}; this version of Kiln reads JSON templates only.");
    Diagnostics::from(Diagnostic::error("HCL2 templates are not supported yet").detail(detail)).into()
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Failure {
        let hints = addition_to(&error.message, &error.faults).into_iter().collect();
        Failure::Told { text: error.message, hints }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Failure {
        match error {
            PlanError::Unread(error) => error.into(),
            PlanError::Faulty(diagnostics) => diagnostics.into(),
        }
    }
}
