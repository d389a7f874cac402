//! `{{ … }}`: Go templates with Packer's functions, used below both languages and long after parsing.

mod builtins;
mod data;
mod errors;
mod eval;
mod functions;
mod go_time;
mod node_text;
mod parse;
mod strftime;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gotmpl::Value as GoValue;

use crate::scope::{Scope, World};
use errors::Failure;
use functions::Environment;
use parse::{DotFields, Parsed};

/// Why a text could not be rendered, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InterpolateError(pub String);

impl InterpolateError {
    /// Returns what to do about it, where that can be told.
    pub fn hint(&self) -> Option<String> {
        if let Some(name) = undefined_function(&self.0) {
            let known = functions::names().chain(builtins::names());
            return crate::diagnostic::nearest(name, known).map(|near| format!("is `{near}` meant?"));
        }
        for function in ["env", "consul_key", "vault", "aws_secretsmanager"] {
            if self.0.contains(&format!(" calling {function}")) && self.0.contains("not allowed here") {
                return Some(format!(
                    "`{function}` works in `variables` only: give a variable this value, and name it here with \
                     {{{{user `…`}}}}"
                ));
            }
        }
        None
    }
}

/// Returns the name in `function "name" not defined`.
fn undefined_function(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("function \"")?;
    let (name, rest) = rest.split_once('"')?;
    rest.starts_with(" not defined").then_some(name)
}

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

    /// Returns the build this renders for.
    pub fn scope(&self) -> &'a Scope {
        self.scope
    }

    /// Returns `text` rendered.
    pub fn render(&self, text: &str) -> Result<String, InterpolateError> {
        self.evaluate(text, None)
    }

    /// Returns the text of a setting rendered as Packer does it: before the machine exists `build` leaves a
    /// `{{.Name}}`, which goes through the rest of its pipeline, and a second rendering fills it in. So
    /// ``{{build `ID` | upper}}`` raises the name and not the value, and what the machine lacks is `<no value>`.
    pub fn render_setting(&self, text: &str) -> Result<String, InterpolateError> {
        let deferred = Cell::new(false);
        let rendered = self.evaluate(text, Some(&deferred))?;
        match deferred.get() {
            true => self.evaluate(&rendered, None),
            false => Ok(rendered),
        }
    }

    fn evaluate(&self, text: &str, deferred: Option<&Cell<bool>>) -> Result<String, InterpolateError> {
        if !is_template(text) {
            return Ok(text.to_owned());
        }
        let parsed = self.parse(text)?;
        let dot = data::dot(&self.data, &self.scope.values);
        let user = |name: &str| self.scope.user_variables.get(name).cloned();
        let environment = Environment {
            world: self.scope.world.as_ref(),
            template_path: self.scope.template_path.as_deref(),
            core_version: &self.scope.core_version,
            user: &user,
            variables: false,
            build: Some(self.scope),
            deferred,
            data: Some(&self.data),
            extra: Some(&self.functions),
        };
        eval::evaluate(text, &parsed, DotFields::Render, &environment, &dot).map_err(Failure::into_error)
    }

    /// Checks that `text` parses and names only known functions, without rendering it.
    pub fn validate(&self, text: &str) -> Result<(), InterpolateError> {
        match is_template(text) {
            true => self.parse(text).map(drop),
            false => Ok(()),
        }
    }

    fn parse(&self, text: &str) -> Result<Parsed, InterpolateError> {
        parse::parse(text, DotFields::Render, &|name| is_function(name) || self.functions.contains_key(name))
    }
}

/// A text without actions renders to itself; most texts are such.
fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// Returns the value as Go's `%v` prints it.
pub(crate) fn go_text(value: &crate::value::Value) -> String {
    data::to_text(value)
}

fn is_function(name: &str) -> bool {
    functions::find(name).is_some() || builtins::is_builtin(name)
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
    render_outside(text, context, DotFields::Keep).map_err(|failure| match failure {
        Failure::Undefined { name, error } => VariableError::Undefined { name, error },
        Failure::Error(error) => VariableError::Other(error),
    })
}

/// Returns a builder's name, `max_retries` or a console line rendered once: user variables (empty if undefined) and
/// the time functions, but nothing of a build.
pub fn render_core(text: &str, context: &VariableContext<'_>) -> Result<String, InterpolateError> {
    render_outside(text, context, DotFields::Render).map_err(Failure::into_error)
}

fn render_outside(
    text: &str,
    context: &VariableContext<'_>,
    dot_fields: DotFields,
) -> Result<String, Failure> {
    if !is_template(text) {
        return Ok(text.to_owned());
    }
    let parsed = parse::parse(text, dot_fields, &is_function).map_err(Failure::Error)?;
    let environment = Environment {
        world: context.world,
        template_path: context.template_path,
        core_version: context.core_version,
        user: context.user,
        variables: dot_fields == DotFields::Keep,
        build: None,
        deferred: None,
        data: None,
        extra: None,
    };
    eval::evaluate(text, &parsed, dot_fields, &environment, &GoValue::Nil)
}

/// Returns [`render_core`] repeated until the text no longer changes, as builder names and `max_retries` are.
pub fn render_core_until_stable(
    text: &str,
    context: &VariableContext<'_>,
) -> Result<String, InterpolateError> {
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

#[cfg(test)]
mod tests;
