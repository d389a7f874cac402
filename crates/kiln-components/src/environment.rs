//! The environment that scripts are given: `environment_vars`, `env` and the build's own variables, as the text
//! that stands for `{{.Vars}}`.

use std::collections::BTreeMap;

use kiln_core::diagnostic::Fault;
use kiln_core::scope::Scope;
use kiln_core::value::Value;

use crate::{late, paths};

/// Names a script's environment gets from the builder's own file server, with the generated datum each comes from.
const SERVER: [(&str, &str); 3] = [
    ("PACKER_HTTP_ADDR", "PackerHTTPAddr"),
    ("PACKER_HTTP_IP", "PackerHTTPIP"),
    ("PACKER_HTTP_PORT", "PackerHTTPPort"),
];

/// Checks that every entry of `environment_vars` is a pair.
pub(crate) fn faults(entries: &[String], settings: &Value) -> Vec<Fault> {
    let bad = entries.iter().filter(|entry| pair(entry).is_none());
    let fault = |entry: &String| {
        Fault::new(format!("Environment variable not in format 'key=value': {entry}"))
            .at(paths::span(settings, "environment_vars"))
            .hint("write each variable as `NAME=value`")
    };
    bad.map(fault).collect()
}

/// Returns the variables of a script: the build's, then `entries`, then `env`, each replacing what came before.
pub(crate) fn variables(
    scope: &Scope,
    entries: &[String],
    env: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("PACKER_BUILD_NAME".to_owned(), scope.build_name.clone()),
        ("PACKER_BUILDER_TYPE".to_owned(), scope.builder_type.clone()),
    ]);
    for (name, datum) in SERVER {
        // Builders without a file server say so in the value itself.
        let provided =
            late::known(scope, datum).filter(|value| !value.is_empty() && !value.starts_with("ERR_"));
        variables.extend(provided.map(|value| (name.to_owned(), value)));
    }
    variables
        .extend(entries.iter().filter_map(|entry| pair(entry)).map(|(k, v)| (k.to_owned(), v.to_owned())));
    variables.extend(env.clone());
    variables
}

/// Returns the variables as text, in the order of their names, each through `format` (Go's verbs: name, then value)
/// and with its single quotes made safe for a single-quoted shell word.
pub(crate) fn flatten(variables: &BTreeMap<String, String>, format: &str) -> String {
    let quoted = variables.iter().map(|(name, value)| (name, value.replace('\'', r#"'"'"'"#)));
    quoted.map(|(name, value)| go_format(format, &[name, &value])).collect()
}

fn pair(entry: &str) -> Option<(&str, &str)> {
    entry.split_once('=').filter(|(name, _)| !name.is_empty())
}

/// Returns `format` with Go's verbs for strings replaced: `%s`, `%v`, `%q`, `%%`, and `%[2]s` for the second one.
fn go_format(format: &str, arguments: &[&str]) -> String {
    let (mut text, mut next, mut reordered) = (String::new(), 0, false);
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some((index, behind)) = explicit_index(rest) {
            (next, reordered, rest) = (index, true, behind);
        }
        let Some(verb) = rest.chars().next() else {
            text.push_str("%!(NOVERB)");
            return text;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            text.push('%');
            continue;
        }
        let argument = arguments.get(next);
        next += 1;
        match (verb, argument) {
            ('s' | 'v', Some(argument)) => text.push_str(argument),
            ('q', Some(argument)) => text.push_str(&format!("{argument:?}")),
            (verb, Some(argument)) => text.push_str(&format!("%!{verb}(string={argument})")),
            (verb, None) => text.push_str(&format!("%!{verb}(MISSING)")),
        }
    }
    text.push_str(rest);
    let left = arguments.get(next..).unwrap_or_default();
    if !reordered && !left.is_empty() {
        let left = left.iter().map(|argument| format!("string={argument}")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("%!(EXTRA {left})"));
    }
    text
}

/// `[2]s` → the argument at 1, and `s`.
fn explicit_index(text: &str) -> Option<(usize, &str)> {
    let (number, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((number.parse::<usize>().ok()?.checked_sub(1)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(format: &str, pairs: &[(&str, &str)]) -> String {
        let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        flatten(&variables, format)
    }

    #[test]
    fn variables_are_sorted_and_their_quotes_are_safe() {
        let pairs = [("B", "it's"), ("A", "x y"), ("PACKER_BUILD_NAME", "n"), ("PACKER_BUILDER_TYPE", "t")];
        assert_eq!(
            flat("%s='%s' ", &pairs),
            r#"A='x y' B='it'"'"'s' PACKER_BUILDER_TYPE='t' PACKER_BUILD_NAME='n' "#
        );
        assert_eq!(flat("export %s='%s'\n", &pairs[..1]), "export B='it'\"'\"'s'\n");
    }

    #[test]
    fn formats_follow_go() {
        assert_eq!(flat("set %s=%s && ", &[("A", "1")]), "set A=1 && ");
        assert_eq!(flat("%[2]s of %[1]s 100%%", &[("A", "1")]), "1 of A 100%");
        assert_eq!(flat("%s", &[("A", "1")]), "A%!(EXTRA string=1)");
        assert_eq!(flat("%s %s %s", &[("A", "1")]), "A 1 %!s(MISSING)");
        assert_eq!(flat("%q %d", &[("A", "1")]), "\"A\" %!d(string=1)");
    }

    #[test]
    fn an_entry_without_a_name_is_a_fault() {
        let entries = ["A=1", "=x", "plain", "B="].map(str::to_owned);
        let faults = faults(&entries, &Value::null());
        let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "Environment variable not in format 'key=value': =x",
                "Environment variable not in format 'key=value': plain"
            ]
        );
    }
}
