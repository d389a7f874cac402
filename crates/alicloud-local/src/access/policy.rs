//! Policies: the documents that say who may do what, read and evaluated as RAM's documentation has it. A denial wins,
//! and what nothing allows is denied.
//!
//! Of conditions there are `StringEquals`, `StringNotEquals`, `StringLike` (each also with `IgnoreCase`), `Bool`,
//! `IpAddress` and `NotIpAddress`. A document with any other is refused rather than read as if it were not there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

/// What a request is known to be, by the keys that conditions name (`sts:ExternalId`, `acs:SourceIp`, …).
pub type Facts = BTreeMap<&'static str, String>;

/// What documents say to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is allowed.
    Allowed,
    /// Nothing allows it.
    Unmentioned,
    /// Something denies it.
    Denied,
}

impl Verdict {
    /// Joins what two documents say.
    pub fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Denied, _) | (_, Verdict::Denied) => Verdict::Denied,
            (Verdict::Allowed, _) | (_, Verdict::Allowed) => Verdict::Allowed,
            (Verdict::Unmentioned, Verdict::Unmentioned) => Verdict::Unmentioned,
        }
    }
}

/// A policy's document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document(Vec<Statement>);

#[derive(Clone, Debug, PartialEq)]
struct Statement {
    allows: bool,
    actions: Names,
    /// What it is about; absent in trust policies.
    resources: Option<Names>,
    /// Who it is about, by kind (`RAM`, `Service`, `Federated`); only in trust policies.
    principals: BTreeMap<String, Vec<String>>,
    conditions: Vec<Condition>,
}

/// Patterns, or everything but those.
#[derive(Clone, Debug, PartialEq)]
struct Names {
    patterns: Vec<String>,
    inverted: bool,
}

impl Names {
    fn cover(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| like(pattern, name)) != self.inverted
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    operator: Operator,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Text { like: bool, ignore_case: bool, inverted: bool },
    Bool,
    Address { inverted: bool },
}

impl Operator {
    fn named(name: &str) -> Option<Operator> {
        let text = |like, ignore_case, inverted| Some(Operator::Text { like, ignore_case, inverted });
        match name {
            "StringEquals" => text(false, false, false),
            "StringEqualsIgnoreCase" => text(false, true, false),
            "StringNotEquals" => text(false, false, true),
            "StringNotEqualsIgnoreCase" => text(false, true, true),
            "StringLike" => text(true, false, false),
            "StringNotLike" => text(true, false, true),
            "Bool" => Some(Operator::Bool),
            "IpAddress" => Some(Operator::Address { inverted: false }),
            "NotIpAddress" => Some(Operator::Address { inverted: true }),
            _ => None,
        }
    }
}

impl Condition {
    fn holds(&self, facts: &Facts) -> bool {
        let Some(actual) = facts.get(self.key.as_str()) else {
            // What is not known equals nothing, and is different from everything.
            return matches!(
                self.operator,
                Operator::Text { inverted: true, .. } | Operator::Address { inverted: true }
            );
        };
        let fits = |wanted: &String| match self.operator {
            Operator::Text { like: true, .. } => like(wanted, actual),
            Operator::Text { ignore_case: true, .. } | Operator::Bool => wanted.eq_ignore_ascii_case(actual),
            Operator::Text { .. } => wanted == actual,
            Operator::Address { .. } => covers(wanted, actual),
        };
        let inverted = matches!(
            self.operator,
            Operator::Text { inverted: true, .. } | Operator::Address { inverted: true }
        );
        self.values.iter().any(fits) != inverted
    }
}

fn covers(block: &str, address: &str) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    match block.parse::<IpNet>() {
        Ok(block) => block.contains(&address),
        Err(_) => block.parse::<IpAddr>().is_ok_and(|only| only == address),
    }
}

/// Returns whether a text is like a pattern in which `*` stands for any text and `?` for one letter.
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where to go on when what follows the last star does not fit after all.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&letter) if letter == b'?' || letter == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((from, taken)) = star else { return false };
                star = Some((from, taken + 1));
                (at, seen) = (from + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

impl Document {
    /// Reads the document of a policy that is attached to somebody.
    pub fn read(text: &str) -> Result<Document, String> {
        let document = Document::parse(text)?;
        match document.0.iter().find(|statement| statement.resources.is_none()) {
            Some(_) => Err("a statement has no `Resource`".to_owned()),
            None => Ok(document),
        }
    }

    /// Reads the document that says who may assume a role.
    pub fn read_trust(text: &str) -> Result<Document, String> {
        let document = Document::parse(text)?;
        match document.0.iter().find(|statement| statement.principals.is_empty()) {
            Some(_) => Err("a statement has no `Principal`".to_owned()),
            None => Ok(document),
        }
    }

    fn parse(text: &str) -> Result<Document, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
        if value.get("Version").is_some_and(|version| version != "1") {
            return Err("its `Version` is not 1".to_owned());
        }
        let statements = match value.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err("it has no `Statement`".to_owned()),
        };
        statements.into_iter().map(statement).collect::<Result<_, _>>().map(Document)
    }

    /// Returns what the document says to an action (`ecs:RunInstances`) on a resource.
    pub fn verdict(&self, action: &str, resource: &str, facts: &Facts) -> Verdict {
        self.ask(action, facts, |statement| {
            statement.resources.as_ref().is_some_and(|resources| resources.cover(resource))
        })
    }

    /// Returns what a trust policy says to an action (`sts:AssumeRole`) of somebody of a kind (`RAM`) with one of
    /// these names.
    pub fn trusts(&self, action: &str, kind: &str, names: &[String], facts: &Facts) -> Verdict {
        self.ask(action, facts, |statement| {
            let listed = statement.principals.get(kind).into_iter().flatten();
            listed
                .into_iter()
                .any(|listed| listed == "*" || names.iter().any(|name| name.eq_ignore_ascii_case(listed)))
        })
    }

    fn ask(&self, action: &str, facts: &Facts, concerns: impl Fn(&Statement) -> bool) -> Verdict {
        // Products write their actions as they like; RAM does not care about the case.
        let action = action.to_ascii_lowercase();
        let concerned = self.0.iter().filter(|statement| {
            statement.actions.cover(&action)
                && concerns(statement)
                && statement.conditions.iter().all(|condition| condition.holds(facts))
        });
        concerned.fold(Verdict::Unmentioned, |verdict, statement| {
            verdict.and(if statement.allows { Verdict::Allowed } else { Verdict::Denied })
        })
    }
}

/// Fields of a statement that are understood.
const FIELDS: [&str; 9] =
    ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition", "Id"];

fn statement(value: &Value) -> Result<Statement, String> {
    let fields = value.as_object().ok_or("a statement is no object")?;
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(format!("a statement has the unknown field `{unknown}`"));
    }
    let allows = match fields.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err("a statement's `Effect` is neither `Allow` nor `Deny`".to_owned()),
    };
    let mut actions = names(fields, "Action", "NotAction")?.ok_or("a statement has no `Action`")?;
    actions.patterns.iter_mut().for_each(|pattern| *pattern = pattern.to_ascii_lowercase());
    Ok(Statement {
        allows,
        actions,
        resources: names(fields, "Resource", "NotResource")?,
        principals: principals(fields.get("Principal"))?,
        conditions: conditions(fields.get("Condition"))?,
    })
}

/// Reads one text or a list of them.
fn texts(value: &Value, of: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{of}` is neither a text nor a list of texts");
    match value {
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Bool(one) => Ok(vec![one.to_string()]),
        Value::Array(list) => {
            list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

fn names(fields: &Map<String, Value>, these: &str, others: &str) -> Result<Option<Names>, String> {
    match (fields.get(these), fields.get(others)) {
        (Some(_), Some(_)) => Err(format!("a statement has both `{these}` and `{others}`")),
        (Some(value), None) => Ok(Some(Names { patterns: texts(value, these)?, inverted: false })),
        (None, Some(value)) => Ok(Some(Names { patterns: texts(value, others)?, inverted: true })),
        (None, None) => Ok(None),
    }
}

fn principals(value: Option<&Value>) -> Result<BTreeMap<String, Vec<String>>, String> {
    match value {
        None => Ok(BTreeMap::new()),
        Some(Value::Object(kinds)) => {
            kinds.iter().map(|(kind, names)| Ok((kind.clone(), texts(names, kind)?))).collect()
        }
        Some(_) => Err("`Principal` is no object".to_owned()),
    }
}

fn conditions(value: Option<&Value>) -> Result<Vec<Condition>, String> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let operators = value.as_object().ok_or("`Condition` is no object")?;
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator = Operator::named(name)
            .ok_or_else(|| format!("the condition `{name}` is not evaluated by the embedded cloud"))?;
        for (key, values) in keys.as_object().ok_or_else(|| format!("`{name}` is no object"))? {
            conditions.push(Condition { operator, key: key.clone(), values: texts(values, key)? });
        }
    }
    Ok(conditions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(document: &str, action: &str, resource: &str) -> Verdict {
        Document::read(document).unwrap().verdict(action, resource, &Facts::new())
    }

    #[test]
    fn a_denial_wins_and_silence_is_no_permission() {
        let text = r#"{"Version": "1", "Statement": [
            {"Effect": "Allow", "Action": ["ecs:Describe*", "ECS:Run*"], "Resource": "*"},
            {"Effect": "Deny", "Action": "ecs:*", "Resource": "acs:ecs:*:*:instance/i-prod?"}]}"#;
        assert_eq!(verdict(text, "ecs:DescribeImages", "acs:ecs:cn-beijing:1:image/*"), Verdict::Allowed);
        assert_eq!(verdict(text, "ecs:RunInstances", "acs:ecs:cn-beijing:1:instance/*"), Verdict::Allowed);
        assert_eq!(
            verdict(text, "ecs:RunInstances", "acs:ecs:cn-beijing:1:instance/i-prod1"),
            Verdict::Denied
        );
        assert_eq!(
            verdict(text, "ecs:StopInstance", "acs:ecs:cn-beijing:1:instance/i-1"),
            Verdict::Unmentioned
        );
        let but = r#"{"Statement": {"Effect": "Allow", "NotAction": "ram:*", "NotResource": "acs:ecs:*:*:disk/*"}}"#;
        assert_eq!(verdict(but, "ecs:StopInstance", "acs:ecs:cn-beijing:1:instance/i-1"), Verdict::Allowed);
        assert_eq!(verdict(but, "ecs:DescribeDisks", "acs:ecs:cn-beijing:1:disk/*"), Verdict::Unmentioned);
        assert_eq!(verdict(but, "ram:GetRole", "acs:ram:*:1:role/a"), Verdict::Unmentioned);
    }

    #[test]
    fn conditions_are_kept_or_the_document_is_refused() {
        let text = r#"{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": "acs:ram::1:root"},
            "Condition": {"StringEquals": {"sts:ExternalId": ["a", "b"]}, "NotIpAddress": {"acs:SourceIp": "10.0.0.0/8"}}}]}"#;
        let trust = Document::read_trust(text).unwrap();
        let asks = |facts: &[(&'static str, &str)]| {
            let facts = facts.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
            trust.trusts("sts:AssumeRole", "RAM", &["acs:ram::1:root".to_owned()], &facts)
        };
        assert_eq!(asks(&[("sts:ExternalId", "b")]), Verdict::Allowed);
        assert_eq!(asks(&[]), Verdict::Unmentioned);
        assert_eq!(asks(&[("sts:ExternalId", "b"), ("acs:SourceIp", "10.1.2.3")]), Verdict::Unmentioned);
        let unknown = text.replace("StringEquals", "DateLessThan");
        assert!(Document::read_trust(&unknown).unwrap_err().contains("`DateLessThan` is not evaluated"));
        for wrong in ["{}", r#"{"Statement": [{"Effect": "Perhaps", "Action": "*"}]}"#, "x"] {
            assert!(Document::read(wrong).is_err(), "{wrong}");
        }
        assert!(Document::read(text).unwrap_err().contains("no `Resource`"));
    }

    proptest! {
        #[test]
        fn a_text_is_like_itself_with_any_part_left_open(text in "[a-c:/]{0,12}", from in 0_usize..12, to in 0_usize..12) {
            let (from, to) = (from.min(text.len()), to.min(text.len()));
            let (from, to) = (from.min(to), from.max(to));
            let pattern = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(like(&pattern, &text), "{} {}", pattern, text);
            let longer = format!("{text}x");
            prop_assert!(!like(&text, &longer));
        }
    }
}
