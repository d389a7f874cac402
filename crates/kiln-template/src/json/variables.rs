//! User variables, rendered until none refers to another.

use std::collections::{BTreeMap, BTreeSet};

use kiln_core::diagnostic::{Fault, nearest};
use kiln_core::interpolate::{
    InterpolateError, MOST_PASSES, VariableContext, VariableError, render_variable,
};
use kiln_core::scope::World;
use kiln_core::secret::SecretFilter;
use kiln_core::span::Span;

use super::given::Given;
use super::messages::{Stage, first};
use super::model::Template;

/// User variables with their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Values by name, rendered.
    pub values: BTreeMap<String, String>,
    /// Values of sensitive variables.
    pub secrets: Vec<String>,
}

/// A variable that could not be rendered in a whole pass.
struct Stuck {
    /// The variable it names that has no value.
    missing: String,
    error: String,
}

/// Renders all variables. Required ones that are not given are passed over: they are told of elsewhere.
pub(super) fn render(
    template: &Template,
    given: &Given,
    world: &dyn World,
    core_version: &str,
) -> Result<Variables, Stage> {
    let mut pending = unrendered(template, given);
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut failed: BTreeMap<String, InterpolateError> = BTreeMap::new();
    let mut stuck = BTreeMap::new();
    for _ in 0..MOST_PASSES {
        stuck.clear();
        let mut progress = false;
        for name in pending.keys().cloned().collect::<Vec<_>>() {
            let user = |name: &str| values.get(name).cloned();
            let template_path = template.path.as_deref();
            let context = VariableContext { world, template_path, core_version, user: &user };
            match render_variable(&pending[&name], &context) {
                Ok(text) if refers_to_variable(&text) => {
                    progress = true;
                    pending.insert(name, text);
                }
                Ok(text) => {
                    progress = true;
                    pending.remove(&name);
                    values.insert(name, text);
                }
                Err(VariableError::Undefined { name: missing, error }) => {
                    stuck.insert(name, Stuck { missing, error: error.to_string() });
                }
                Err(VariableError::Other(error)) => {
                    pending.remove(&name);
                    failed.insert(name, error);
                }
            }
        }
        if pending.is_empty() || !progress {
            break;
        }
    }
    if stuck.is_empty() && failed.is_empty() {
        // What still refers to a variable after so many passes feeds on itself and stays as it is.
        values.extend(pending);
        let secrets = template.sensitive.iter().filter_map(|word| values.get(&word.text).cloned()).collect();
        return Ok(Variables { values, secrets });
    }
    Err(faults(template, given, &pending, &stuck, failed))
}

fn unrendered(template: &Template, given: &Given) -> BTreeMap<String, String> {
    let defaults = template
        .variables
        .iter()
        .filter_map(|(name, variable)| variable.default.clone().map(|text| (name.clone(), text)));
    let given = given.0.iter().map(|(name, value)| (name.clone(), value.text.clone()));
    defaults.chain(given).collect()
}

/// Whether a rendered value names a user variable again, as far as Packer looks: ``{{ user `x` }}`` in one line.
fn refers_to_variable(text: &str) -> bool {
    text.lines().any(|line| {
        line.match_indices("{{").any(|(at, _)| {
            let rest = line[at + 2..].trim_start().strip_prefix("user").map(str::trim_start);
            let quoted = rest.and_then(|rest| rest.strip_prefix('`'));
            quoted.is_some_and(|quoted| {
                quoted.match_indices('`').any(|(end, _)| quoted[end + 1..].trim_start().starts_with("}}"))
            })
        })
    })
}

fn faults(
    template: &Template,
    given: &Given,
    pending: &BTreeMap<String, String>,
    stuck: &BTreeMap<String, Stuck>,
    failed: BTreeMap<String, InterpolateError>,
) -> Stage {
    // Messages quote values, and nobody has registered the secrets among them yet.
    let filter = SecretFilter::default();
    for word in &template.sensitive {
        let default = || template.variables.get(&word.text)?.default.as_deref();
        let raw = given.0.get(&word.text).map(|value| value.text.as_str()).or_else(default);
        filter.register(raw.filter(|raw| !raw.contains("{{")).unwrap_or_default());
    }
    let mut stage = Stage::new(first);
    let aborted = !failed.is_empty();
    for (name, error) in &failed {
        let message =
            filter.apply(&format!("error interpolating default value for '{name}': {error}")).into_owned();
        stage.add(Fault { hint: error.hint(), ..Fault::new(message).at(place(template, given, name)) });
    }
    let required: BTreeSet<&str> = template.variables.keys().map(String::as_str).collect();
    let mut culprits = Vec::new();
    for (name, Stuck { missing, .. }) in stuck {
        let fault = |message: String| Fault::new(message).at(place(template, given, name));
        if !stuck.contains_key(missing)
            && !failed.contains_key(missing)
            && !required.contains(missing.as_str())
        {
            let hint = match nearest(missing, template.variables.keys().map(String::as_str)) {
                Some(near) => format!("is `{near}` meant?"),
                None => format!("declare it in `variables`, or give it with `-var {missing}=…`"),
            };
            culprits
                .push(fault(format!("variable `{name}` uses `{missing}`, which is not defined")).hint(hint));
        } else if let Some(circle) = circle(name, stuck) {
            culprits.push(fault(format!("variable `{name}` is defined by itself: {circle}")));
        }
    }
    // Packer names the last variable of its last pass; where a render failed it did not come that far.
    if let (false, Some((name, last))) = (aborted, stuck.last_key_value()) {
        let value = pending.get(name).map(String::as_str).unwrap_or_default();
        let line = format!(
            "Failed to interpolate \"{name}\": \"{value}\"; error: {}: Please make sure that the variable you're \
             referencing has been defined; Packer treats all variables used to interpolate other user variables as \
             required.",
            last.error
        );
        stage.add_all(filter.apply(&line).into_owned(), culprits);
    } else {
        stage.faults.extend(culprits);
    }
    stage
}

/// Returns the way from `name` through undefined variables back to it.
fn circle(name: &str, stuck: &BTreeMap<String, Stuck>) -> Option<String> {
    let mut way = vec![name];
    let mut seen = BTreeSet::from([name]);
    loop {
        let next = stuck.get(*way.last()?)?.missing.as_str();
        way.push(next);
        match seen.insert(next) {
            false if next == name => return Some(way.join(" → ")),
            false => return None,
            true => {}
        }
    }
}

fn place(template: &Template, given: &Given, name: &str) -> Option<Span> {
    match given.0.get(name) {
        Some(value) => value.span.clone(),
        None => template.variables.get(name)?.default_span.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_recognised_where_packer_recognises_it() {
        for text in ["{{user `a`}}", "x {{ user `a` }} y", "{{user  `a`\t}}", "{{x}}{{user `a` | upper `b`}}"]
        {
            assert!(refers_to_variable(text), "{text}");
        }
        for text in ["", "{{user}}", "{{ .User }}", "{{user `a`", "{{user \"a\"}}", "user `a`"] {
            assert!(!refers_to_variable(text), "{text}");
        }
    }
}
