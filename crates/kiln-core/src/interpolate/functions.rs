//! Packer's template functions: one row each.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use gotmpl::Value;

use super::strftime::strftime;
use super::{TextFunction, go_time};
use crate::scope::{BUILD_VALUE_NAMES, BuildValues, Scope, SecretRequest, World};

/// What functions may ask of.
pub(super) struct Environment<'a> {
    pub(super) world: &'a dyn World,
    pub(super) template_path: Option<&'a Path>,
    pub(super) core_version: &'a str,
    pub(super) user: &'a dyn Fn(&str) -> Option<String>,
    /// Whether the text is a user variable's: the environment and the secret stores are open to those alone.
    pub(super) variables: bool,
    /// The build, for components.
    pub(super) build: Option<&'a Scope>,
    /// Set by `build`, which then leaves `{{.Name}}` for another rendering even where values are known.
    pub(super) deferred: Option<&'a Cell<bool>>,
    /// Data of the component, by the names templates use.
    pub(super) data: Option<&'a BTreeMap<String, String>>,
    /// Functions of the component.
    pub(super) extra: Option<&'a BTreeMap<String, TextFunction>>,
}

/// Why a function failed.
pub(super) enum CallError {
    /// It says why.
    Message(String),
    /// It was asked for a user variable that has no value yet.
    Undefined(String),
}

impl From<String> for CallError {
    fn from(message: String) -> CallError {
        CallError::Message(message)
    }
}

impl From<&str> for CallError {
    fn from(message: &str) -> CallError {
        CallError::Message(message.to_owned())
    }
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Whole,
}

/// One function.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Arguments that must be given.
    pub(super) takes: &'static [Takes],
    /// Whether any number of texts may follow.
    pub(super) more: bool,
    pub(super) call: fn(&Environment<'_>, &Args<'_>) -> Result<Value, CallError>,
}

/// Arguments that are known to be what the function takes.
pub(super) struct Args<'a>(pub(super) &'a [Value]);

impl Args<'_> {
    fn text(&self, at: usize) -> &str {
        self.0.get(at).and_then(Value::as_str).unwrap_or_default()
    }

    fn whole(&self, at: usize) -> i64 {
        self.0.get(at).and_then(Value::as_int).unwrap_or_default()
    }
}

use Takes::{Text, Whole};

const FUNCTIONS: &[Function] = &[
    Function { name: "aws_secretsmanager", takes: &[Text], more: true, call: aws_secretsmanager },
    Function { name: "aws_secretsmanager_raw", takes: &[Text], more: false, call: aws_secretsmanager_raw },
    Function { name: "build", takes: &[Text], more: false, call: build },
    Function { name: "build_name", takes: &[], more: false, call: build_name },
    Function { name: "build_type", takes: &[], more: false, call: build_type },
    Function { name: "consul_key", takes: &[Text], more: false, call: consul_key },
    Function { name: "env", takes: &[Text], more: false, call: env },
    Function { name: "isotime", takes: &[], more: true, call: isotime },
    Function {
        name: "lower",
        takes: &[Text],
        more: false,
        call: |_, args| text(each_char(args.text(0), char::to_lowercase)),
    },
    Function { name: "packer_version", takes: &[], more: false, call: |cx, _| text(cx.core_version) },
    Function {
        name: "pwd",
        takes: &[],
        more: false,
        call: |cx, _| text(cx.world.working_dir().to_string_lossy()),
    },
    Function { name: "replace", takes: &[Text, Text, Whole, Text], more: false, call: replace },
    Function { name: "replace_all", takes: &[Text, Text, Text], more: false, call: replace_all },
    Function { name: "sed", takes: &[Text, Text], more: false, call: sed },
    Function { name: "split", takes: &[Text, Text, Whole], more: false, call: split },
    Function {
        name: "strftime",
        takes: &[Text],
        more: false,
        call: |cx, args| text(strftime(args.text(0), cx.world.now())),
    },
    Function { name: "template_dir", takes: &[], more: false, call: template_dir },
    Function {
        name: "timestamp",
        takes: &[],
        more: false,
        call: |cx, _| text(cx.world.now().as_second().to_string()),
    },
    Function {
        name: "upper",
        takes: &[Text],
        more: false,
        call: |_, args| text(each_char(args.text(0), char::to_uppercase)),
    },
    Function { name: "user", takes: &[Text], more: false, call: user },
    Function { name: "uuid", takes: &[], more: false, call: |cx, _| text(time_ordered_uuid(cx.world)) },
    Function { name: "vault", takes: &[Text, Text], more: false, call: vault },
];

/// Returns the function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Returns the names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

fn text(text: impl AsRef<str>) -> Result<Value, CallError> {
    Ok(Value::String(text.as_ref().into()))
}

fn user(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let name = args.text(0);
    match (cx.user)(name) {
        Some(value) => text(value),
        None if cx.variables => Err(CallError::Undefined(name.to_owned())),
        // Elsewhere Packer takes an undefined variable for an empty one.
        None => text(""),
    }
}

fn env(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    if !cx.variables {
        return Err("env vars are not allowed here".into());
    }
    text(cx.world.env(args.text(0)).unwrap_or_default())
}

fn build_name(cx: &Environment<'_>, _: &Args<'_>) -> Result<Value, CallError> {
    text(&cx.build.ok_or("build_name not available")?.build_name)
}

fn build_type(cx: &Environment<'_>, _: &Args<'_>) -> Result<Value, CallError> {
    text(&cx.build.ok_or("build_type not available")?.builder_type)
}

fn build(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let name = args.text(0);
    let Some(scope) = cx.build else {
        return Err(format!(
            "Error validating build variable: the given variable {name} will not be passed into your plugin."
        )
        .into());
    };
    let always = BUILD_VALUE_NAMES.contains(&name);
    // Left for the rendering that has the value.
    let later = || format!("{{{{.{name}}}}}");
    let found = match (&scope.values, cx.deferred) {
        (BuildValues::None, _) => None,
        (BuildValues::Expected(more), _) => (always || more.contains(name)).then(later),
        (BuildValues::Known(values), Some(deferred)) => (always || values.contains_key(name)).then(|| {
            deferred.set(true);
            later()
        }),
        (BuildValues::Known(values), None) => values.get(name).map(super::data::to_text),
    };
    let supplied = || cx.data.and_then(|data| data.get(name)).cloned();
    text(found.or_else(supplied).ok_or_else(|| format!("loaded data, but couldnt find {name} in it."))?)
}

fn isotime(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    match args.0 {
        [] => text(go_time::format(go_time::RFC3339, cx.world.now())),
        [_] => text(go_time::format(args.text(0), cx.world.now())),
        more => {
            let layouts: Vec<String> = more.iter().map(ToString::to_string).collect();
            Err(format!("too many values, 1 needed: [{}]", layouts.join(" ")).into())
        }
    }
}

fn template_dir(cx: &Environment<'_>, _: &Args<'_>) -> Result<Value, CallError> {
    let path = cx.template_path.ok_or("template path not available")?;
    let folder = path.parent().unwrap_or(path);
    text(cx.world.working_dir().join(folder).to_string_lossy())
}

fn replace(_: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let (old, new, whole) = (args.text(0), args.text(1), args.text(3));
    match usize::try_from(args.whole(2)) {
        Ok(most) => text(whole.replacen(old, new, most)),
        Err(_) => text(whole.replace(old, new)),
    }
}

fn replace_all(_: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    text(args.text(2).replace(args.text(0), args.text(1)))
}

fn split(_: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let (whole, separator, index) = (args.text(0), args.text(1), args.whole(2));
    let parts: Vec<&str> = match separator {
        "" => whole.split_inclusive(|_| true).collect(),
        _ => whole.split(separator).collect(),
    };
    match usize::try_from(index).ok().and_then(|index| parts.get(index)) {
        Some(part) => text(part),
        None => Err(format!(
            "the substring {index} was unavailable using the separator value, {separator}, only {} values were found",
            parts.len()
        )
        .into()),
    }
}

fn sed(_: &Environment<'_>, _: &Args<'_>) -> Result<Value, CallError> {
    Err("template function `sed` is deprecated use `replace` or `replace_all` instead".into())
}

fn consul_key(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let request = SecretRequest::Consul { key: args.text(0).to_owned() };
    secret(cx, "consul_key is not allowed here", &request)
}

fn vault(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let request = SecretRequest::Vault { path: args.text(0).to_owned(), key: args.text(1).to_owned() };
    secret(cx, "Vault vars are only allowed in the variables section", &request)
}

fn aws_secretsmanager(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let key = args.0.get(1).map(|_| args.text(1).to_owned());
    let request = SecretRequest::AwsSecretsManager { name: args.text(0).to_owned(), key, raw: false };
    secret(cx, "AWS Secrets Manager vars are only allowed in the variables section", &request)
}

fn aws_secretsmanager_raw(cx: &Environment<'_>, args: &Args<'_>) -> Result<Value, CallError> {
    let request = SecretRequest::AwsSecretsManager { name: args.text(0).to_owned(), key: None, raw: true };
    secret(cx, "AWS Secrets Manager vars are only allowed in the variables section", &request)
}

fn secret(cx: &Environment<'_>, elsewhere: &str, request: &SecretRequest) -> Result<Value, CallError> {
    if !cx.variables {
        return Err(elsewhere.into());
    }
    text(cx.world.secret(request)?)
}

/// Go changes characters one for one: `ß` has no upper case of one character, so it stays.
fn each_char<I: ExactSizeIterator<Item = char>>(text: &str, change: impl Fn(char) -> I) -> String {
    text.chars()
        .map(|character| {
            let mut changed = change(character);
            match changed.len() {
                1 => changed.next().unwrap_or(character),
                _ => character,
            }
        })
        .collect()
}

/// Four bytes of time, twelve of chance: names made one after the other sort that way.
fn time_ordered_uuid(world: &dyn World) -> String {
    let mut bytes = world.random();
    let seconds = world.now().as_second();
    // The format has room for 32 bits of the time, which last until 2106.
    bytes[..4].copy_from_slice(&u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes());
    uuid::Uuid::from_bytes(bytes).hyphenated().to_string()
}

/// Returns what a component's own function gives.
pub(super) fn call_extra(function: &TextFunction, argument: &str) -> Result<Value, CallError> {
    text(function(argument)?)
}
