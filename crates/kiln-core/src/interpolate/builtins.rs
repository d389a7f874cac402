//! Go's own functions, as the template library underneath has them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gotmpl::{Template, TemplateError, Value};

/// Go's functions. `and` and `or` are not among what [`call`] is asked for: they need not look at all arguments.
pub(super) const NAMES: [&str; 18] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print",
    "printf", "println", "slice",
];

/// `urlquery` completes [`NAMES`].
pub(super) fn is_builtin(name: &str) -> bool {
    name == "urlquery" || NAMES.contains(&name)
}

/// Returns the names of all of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().chain(["urlquery"])
}

/// Why a function of Go's failed.
pub(super) enum BuiltinError {
    /// It was given too few or too many arguments.
    ArgumentCount(String),
    /// It did not like them.
    Failed(String),
}

/// Returns what the function gives for `args`.
///
/// The library lends its functions to templates only, so a template of one call is rendered, and the value (not its
/// text) is taken out on the way.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, BuiltinError> {
    let taken = Arc::new(Mutex::new(Value::Nil));
    let take = {
        let taken = Arc::clone(&taken);
        move |args: &[Value]| {
            if let [value] = args {
                *taken.lock().unwrap_or_else(PoisonError::into_inner) = value.clone();
            }
            Ok(Value::Nil)
        }
    };
    let names: Vec<String> = (0..args.len()).map(|at| format!("a{at}")).collect();
    let source =
        format!("{{{{take ({name}{})}}}}", names.iter().map(|name| format!(" .{name}")).collect::<String>());
    let data: BTreeMap<Arc<str>, Value> =
        names.iter().map(|name| Arc::from(name.as_str())).zip(args.iter().cloned()).collect();
    let template = Template::new("").func("take", take).parse(&source).map_err(failed)?;
    template.execute_to_string(&Value::Map(Arc::new(data))).map_err(|error| match error {
        TemplateError::ArgCount { expected, got, .. } => {
            let expected = match name {
                "not" | "ne" | "lt" | "le" | "gt" | "ge" | "len" => expected.to_string(),
                _ => format!("at least {expected}"),
            };
            BuiltinError::ArgumentCount(format!("wrong number of args for {name}: want {expected} got {got}"))
        }
        other => failed(other),
    })?;
    let value = taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(value)
}

fn failed(error: TemplateError) -> BuiltinError {
    BuiltinError::Failed(match error {
        TemplateError::Exec(message) => message,
        other => other.to_string(),
    })
}
