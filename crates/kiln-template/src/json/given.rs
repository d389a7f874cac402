//! Values for user variables from outside the template: `-var` and `-var-file`.

use std::collections::BTreeMap;
use std::path::Path;

use kiln_core::diagnostic::Fault;
use kiln_core::scope::World;
use kiln_core::span::{Source, Span};
use kiln_core::value::{Kind, Value};

use super::parse::{ParseError, parse_first, to_text};
use crate::failure::LoadError;
use crate::planned::PlanOptions;

/// Values by name: all of `-var` beat all files, and what comes later beats what came earlier.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given(pub BTreeMap<String, GivenValue>);

/// One value from outside the template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenValue {
    /// The value, not rendered yet.
    pub text: String,
    /// Where it was written, if in a file.
    pub span: Option<Span>,
}

impl Given {
    /// Reads the variables files and lays the command line over them.
    pub fn read(options: &PlanOptions, world: &dyn World) -> Result<Given, LoadError> {
        let mut given = Given::default();
        for path in &options.var_files {
            given.read_file(path, world)?;
        }
        for (name, text) in &options.vars {
            given.0.insert(name.clone(), GivenValue { text: text.clone(), span: None });
        }
        Ok(given)
    }

    fn read_file(&mut self, path: &Path, world: &dyn World) -> Result<(), LoadError> {
        let shown = path.display();
        let bytes = world.read_bytes(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::IsADirectory => {
                LoadError::new(format!("Error reading variables in '{shown}': read {shown}: is a directory"))
            }
            _ => LoadError::new(format!("open {shown}: {}", system_words(&error))),
        })?;
        let source = Source::new(shown.to_string(), to_text(&bytes));
        let unreadable =
            |error: &str| LoadError::new(format!("Error reading variables in '{shown}': {error}"));
        let value = match parse_first(&bytes, &source) {
            Ok(parsed) => parsed.value,
            Err(ParseError::Syntax(error, span)) => {
                // Go reads files as streams, in which an early end has other names.
                let words = match error.offset == bytes.len() && error.message.starts_with("unexpected end") {
                    true if bytes.trim_ascii().is_empty() => "EOF",
                    true => "unexpected EOF",
                    false => &error.message,
                };
                let hint =
                    error.hint.unwrap_or_else(|| "a variables file is one JSON object of strings".to_owned());
                return Err(unreadable(words).fault(Fault::new(&error.message).at(Some(span)).hint(hint)));
            }
            Err(ParseError::Number(_, span)) => {
                let words = "json: cannot unmarshal number into Go value of type string";
                return Err(unreadable(words).fault(Fault::new(words).at(Some(span))));
            }
        };
        let object = match &value.kind {
            Kind::Object(object) => object,
            Kind::Null => return Ok(()),
            _ => {
                let words = cannot_unmarshal(&value, "map[string]string");
                let fault = Fault::new(&words).at(value.span.clone());
                return Err(unreadable(&words).fault(fault.hint("write { \"name\": \"value\" }")));
            }
        };
        let mut faults = Vec::new();
        for (name, entry) in object {
            let span = entry.value.span.clone();
            match &entry.value.kind {
                Kind::String(text) => {
                    drop(self.0.insert(name.clone(), GivenValue { text: text.clone(), span }))
                }
                Kind::Null => drop(self.0.insert(name.clone(), GivenValue { text: String::new(), span })),
                Kind::Bool(_) | Kind::Number(_) | Kind::List(_) | Kind::Object(_) | Kind::Unknown => {
                    let message = format!("variable `{name}` is {}", entry.value.kind_name());
                    let hint = "values are strings: write them in quotes";
                    faults.push((
                        cannot_unmarshal(&entry.value, "string"),
                        Fault::new(message).at(span).hint(hint),
                    ));
                }
            }
        }
        match faults.first() {
            None => Ok(()),
            Some((words, _)) => {
                let faults = faults.iter().map(|(_, fault)| fault.clone()).collect();
                Err(LoadError { faults, ..unreadable(words) })
            }
        }
    }
}

/// Go's words for a value of the wrong type.
fn cannot_unmarshal(value: &Value, wanted: &str) -> String {
    let got = match value.kind {
        Kind::Null | Kind::Unknown => "null",
        Kind::Bool(_) => "bool",
        Kind::Number(_) => "number",
        Kind::String(_) => "string",
        Kind::List(_) => "array",
        Kind::Object(_) => "object",
    };
    format!("json: cannot unmarshal {got} into Go value of type {wanted}")
}

/// The system's message as Go prints it: lower case, without the number.
fn system_words(error: &std::io::Error) -> String {
    let text = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
