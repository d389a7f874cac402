//! What a flag is, and Go's grammar for it: `-x`, `--x`, `-x=v`, `-x v`, booleans only with `=`.
//!
//! Parsing checks what was typed against a table and does nothing else; what it means is decided by the command.

use std::fmt;

/// One flag of a command.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its line in the help.
    pub help: &'static str,
}

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Nothing, or `=true`, `=false`. Holds the default.
    Bool(bool),
    /// A whole number; the name stands in the help.
    Number(&'static str),
    /// A positive decimal number.
    Factor(&'static str),
    /// Text; given more than once, the last wins.
    Text(&'static str),
    /// Text; each occurrence counts.
    Repeated(&'static str),
    /// Comma-separated; each occurrence adds.
    List(&'static str),
    /// `NAME=VALUE`; each occurrence counts.
    Pair(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// What was typed behind a command.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    values: Vec<(&'static str, String)>,
    /// Everything from the first argument that is no flag.
    pub arguments: Vec<String>,
}

/// Why the arguments were not understood; the texts are those of Go's flag package, which scripts know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagError {
    /// `-h`, `-help`, `--help`: no error, but no run either.
    Help,
    /// Anything else.
    Usage(String),
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FlagError::Help => f.write_str("help requested"),
            FlagError::Usage(text) => f.write_str(text),
        }
    }
}

/// Reads `arguments` by the rows of `table`. Flags end at the first argument that is none, or at `--`.
pub fn parse(table: &[&[Flag]], arguments: &[String]) -> Result<Parsed, FlagError> {
    let mut parsed = Parsed::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        // A lone dash is an argument: standard input.
        let Some(body) = argument.strip_prefix('-').filter(|body| !body.is_empty()) else {
            parsed.arguments.push(argument.clone());
            break;
        };
        let body = body.strip_prefix('-').unwrap_or(body);
        if body.is_empty() || body.starts_with('-') || body.starts_with('=') {
            return Err(FlagError::Usage(format!("bad flag syntax: {argument}")));
        }
        let (name, given) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let Some(flag) = table.iter().copied().flatten().find(|flag| flag.name == name) else {
            return match name {
                "h" | "help" => Err(FlagError::Help),
                _ => Err(FlagError::Usage(format!("flag provided but not defined: -{name}"))),
            };
        };
        let value = match (flag.kind, given) {
            (_, Some(value)) => value,
            (Kind::Bool(_), None) => "true".to_owned(),
            (_, None) => match rest.next() {
                Some(value) => value.clone(),
                None => return Err(FlagError::Usage(format!("flag needs an argument: -{name}"))),
            },
        };
        parsed.values.push((flag.name, check(flag, value)?));
    }
    parsed.arguments.extend(rest.cloned());
    Ok(parsed)
}

/// Returns the value in the form the accessors of [`Parsed`] expect.
fn check(flag: &Flag, value: String) -> Result<String, FlagError> {
    let name = flag.name;
    let refuse =
        |why: &str| Err(FlagError::Usage(format!("invalid value {value:?} for flag -{name}: {why}")));
    match flag.kind {
        Kind::Bool(_) => match value.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok("true".to_owned()),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok("false".to_owned()),
            _ => Err(FlagError::Usage(format!("invalid boolean value {value:?} for -{name}: parse error"))),
        },
        Kind::Number(_) => match value.parse::<i64>() {
            Ok(number) => Ok(number.to_string()),
            Err(error) => match error.kind() {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                    refuse("value out of range")
                }
                _ => refuse("parse error"),
            },
        },
        Kind::Factor(_) => match value.parse::<f64>() {
            Ok(factor) if factor > 0.0 && factor.is_finite() => Ok(value),
            _ => refuse("parse error"),
        },
        Kind::Pair(_) if !value.contains('=') => refuse(&format!("No '=' value in arg: {value}")),
        Kind::Choice(words) if !words.contains(&value.as_str()) => {
            let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            refuse(&format!("expected one of [{}]", words.join(" ")))
        }
        Kind::Text(_) | Kind::Repeated(_) | Kind::List(_) | Kind::Pair(_) | Kind::Choice(_) => Ok(value),
    }
}

impl Parsed {
    /// Returns whether the flag `name` is on; `default` if it was not given.
    pub fn is_on(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |value| value == "true")
    }

    /// Returns the last value of `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(flag, _)| *flag == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values of `name`, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.values.iter().filter(|(flag, _)| *flag == name).map(|(_, value)| value.clone()).collect()
    }

    /// Returns all values of a comma list, in order.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.all(name)
            .iter()
            .flat_map(|value| value.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>())
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// Returns all pairs of `name`, in order.
    pub fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let split =
            |value: String| value.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.all(name).into_iter().filter_map(split).collect()
    }

    /// Returns the number `name` was given.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// Returns the factor `name` was given.
    pub fn factor(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok()
    }
}

impl Flag {
    /// Returns the flag as it stands in the help: `-on-error=[cleanup|abort]`.
    pub fn spelling(&self) -> String {
        match self.kind {
            Kind::Bool(true) => format!("-{}=false", self.name),
            Kind::Bool(false) => format!("-{}", self.name),
            Kind::Number(value) | Kind::Factor(value) | Kind::Text(value) | Kind::Repeated(value) => {
                format!("-{}={value}", self.name)
            }
            Kind::List(value) => format!("-{}={value}", self.name),
            Kind::Pair(value) => format!("-{} {value}", self.name),
            Kind::Choice(words) => format!("-{}=[{}]", self.name, words.join("|")),
        }
    }
}

/// Removes the first `-machine-readable` (this spelling only), wherever it stands, and says whether there was one.
pub fn take_machine_readable(arguments: &mut Vec<String>) -> bool {
    match arguments.iter().position(|argument| argument == "-machine-readable") {
        Some(at) => {
            arguments.remove(at);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Flag] = &[
        Flag { name: "force", kind: Kind::Bool(false), help: "" },
        Flag { name: "only", kind: Kind::List("a,b"), help: "" },
        Flag { name: "var", kind: Kind::Pair("'k=v'"), help: "" },
        Flag { name: "parallel-builds", kind: Kind::Number("N"), help: "" },
        Flag { name: "on-error", kind: Kind::Choice(&["cleanup", "abort"]), help: "" },
    ];

    fn read(arguments: &[&str]) -> Result<Parsed, String> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        parse(&[TABLE], &arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn both_dashes_and_both_ways_to_give_a_value_mean_the_same() {
        let one = read(&["-only=a,b", "-only", "c", "-force", "-var", "k=v=w", "t.json"]).unwrap();
        let two = read(&["--only", "a,b", "--only=c", "--force=true", "--var=k=v=w", "t.json"]).unwrap();
        assert_eq!(one, two);
        assert_eq!(one.list("only"), ["a", "b", "c"]);
        assert_eq!(one.pairs("var"), [("k".to_owned(), "v=w".to_owned())]);
        assert_eq!(one.arguments, ["t.json"]);
    }

    #[test]
    fn flags_end_at_the_first_argument_and_at_two_dashes() {
        assert_eq!(read(&["t.json", "-force"]).unwrap().arguments, ["t.json", "-force"]);
        assert_eq!(read(&["--", "-force"]).unwrap().arguments, ["-force"]);
        assert_eq!(read(&["-force", "-", "x"]).unwrap().arguments, ["-", "x"]);
        assert!(!read(&["-force=f", "x"]).unwrap().is_on("force", true));
    }

    #[test]
    fn faults_are_told_in_gos_words() {
        for (arguments, text) in [
            (&["-bogus"][..], "flag provided but not defined: -bogus"),
            (&["-on-error"], "flag needs an argument: -on-error"),
            (
                &["-on-error=x"],
                r#"invalid value "x" for flag -on-error: expected one of ["cleanup" "abort"]"#,
            ),
            (&["-parallel-builds=x"], r#"invalid value "x" for flag -parallel-builds: parse error"#),
            (
                &["-parallel-builds=99999999999999999999"],
                r#"invalid value "99999999999999999999" for flag -parallel-builds: value out of range"#,
            ),
            (&["-var", "novalue"], r#"invalid value "novalue" for flag -var: No '=' value in arg: novalue"#),
            (&["-force=maybe"], r#"invalid boolean value "maybe" for -force: parse error"#),
            (&["---force"], "bad flag syntax: ---force"),
            (&["-=x"], "bad flag syntax: -=x"),
            (&["-h"], "help requested"),
        ] {
            assert_eq!(read(arguments).unwrap_err(), text);
        }
    }
}
