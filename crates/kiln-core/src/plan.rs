//! What a template means: builds ready to be prepared and run, with nothing of the language they were written in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostics;
use crate::scope::BuildValues;
use crate::span::Span;
use crate::value::Value;

/// A block of settings that may be evaluated now, with unknowns, and later, with the build's values: so expressions
/// never leave the template room.
pub trait Settings: Send + Sync {
    /// Returns the block's value given what is known of the build.
    fn resolve(&self, known: &BuildValues) -> Result<Value, Diagnostics>;
}

/// Settings without expressions of their own (JSON templates: `{{ }}` inside strings is the component's business).
impl Settings for Value {
    fn resolve(&self, _known: &BuildValues) -> Result<Value, Diagnostics> {
        Ok(self.clone())
    }
}

/// Everything selected to run.
#[derive(Clone, Default)]
pub struct Plan {
    /// In the order they are listed.
    pub builds: Vec<PlannedBuild>,
    /// Absolute path of the template, if it is a file.
    pub template_path: Option<PathBuf>,
    /// How the user named the template.
    pub template_name: String,
    /// User variables, rendered.
    pub user_variables: BTreeMap<String, String>,
    /// Texts that must not be shown.
    pub secrets: Vec<String>,
}

/// One build.
#[derive(Clone)]
pub struct PlannedBuild {
    /// The name shown: `alicloud-ecs`, `null.web`.
    pub name: String,
    /// The last part of it: what `build_name` gives.
    pub build_name: String,
    /// The builder's type.
    pub builder_type: String,
    /// Where the builder is named.
    pub span: Option<Span>,
    /// Its settings.
    pub settings: Arc<dyn Settings>,
    /// In order.
    pub provisioners: Vec<PlannedProvisioner>,
    /// Runs when provisioning failed.
    pub error_cleanup: Option<PlannedProvisioner>,
    /// Chains, each from the builder's artifact.
    pub post_processors: Vec<Vec<PlannedPostProcessor>>,
}

/// One provisioner of one build, with overrides merged.
#[derive(Clone)]
pub struct PlannedProvisioner {
    /// Its type.
    pub kind: String,
    /// Where it is named.
    pub span: Option<Span>,
    /// Its settings.
    pub settings: Arc<dyn Settings>,
    /// Wait before each attempt. If set, `timeout` does not apply (as in Packer).
    pub pause_before: Duration,
    /// Cancel an attempt after this long; zero: never.
    pub timeout: Duration,
    /// Further attempts after a failure.
    pub max_retries: u32,
}

/// One post-processor of one build.
#[derive(Clone)]
pub struct PlannedPostProcessor {
    /// Its type.
    pub kind: String,
    /// Its name; in JSON templates the type when none is given.
    pub name: String,
    /// Where it is named.
    pub span: Option<Span>,
    /// Its settings.
    pub settings: Arc<dyn Settings>,
    /// `keep_input_artifact`; unset: the post-processor's own default.
    pub keep_input_artifact: Option<bool>,
}

impl PlannedBuild {
    /// Returns a stable 128-bit hash (32 hex digits) of what was planned, so that a later attempt can tell whether the
    /// template still means the same. Values marked sensitive take no part: a journal must not help to guess them.
    pub fn fingerprint(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.name, self.builder_type, settings_text(&self.settings));
        for provisioner in self.provisioners.iter().chain(&self.error_cleanup) {
            let PlannedProvisioner { kind, settings, pause_before, timeout, max_retries, .. } = provisioner;
            let settings = settings_text(settings);
            text.push_str(&format!("{kind}\n{settings}\n{pause_before:?} {timeout:?} {max_retries}\n"));
        }
        for post_processor in self.post_processors.iter().flatten() {
            let PlannedPostProcessor { kind, name, settings, keep_input_artifact, .. } = post_processor;
            let settings = settings_text(settings);
            text.push_str(&format!("{kind}\n{name}\n{settings}\n{keep_input_artifact:?}\n"));
        }
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()).simple().to_string()
    }
}

fn settings_text(settings: &Arc<dyn Settings>) -> String {
    match settings.resolve(&BuildValues::default()) {
        Ok(value) => without_secrets(&value).to_json().to_string(),
        // What cannot be resolved yet cannot have changed either, as far as anybody can tell.
        Err(_) => String::new(),
    }
}

fn without_secrets(value: &Value) -> Value {
    use crate::value::{Entry, Kind};
    if value.sensitive {
        return Value::null();
    }
    match &value.kind {
        Kind::List(list) => list.iter().map(without_secrets).collect::<Vec<_>>().into(),
        Kind::Object(object) => {
            let entries = object.iter().map(|(key, entry)| {
                (key.clone(), Entry { key_span: None, value: without_secrets(&entry.value) })
            });
            Kind::Object(entries.collect()).into()
        }
        kind => kind.clone().into(),
    }
}
