//! Fault rules: what the cloud is told to do wrong. They stand in the inventory file, are added by
//! [`Cloud::add_fault`](crate::Cloud::add_fault), or are posted to `/_local/faults`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One rule: which calls it takes, and what happens to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The action's name, such as `RunInstances`; `*` at an end stands for anything (`Describe*`).
    pub action: String,
    /// Parameters the call must have, by their names on the wire.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
    /// The first matching call the rule takes, counted from 1.
    #[serde(default = "first")]
    pub nth: u64,
    /// How many matching calls it takes from there on; 0 means all.
    #[serde(default = "once")]
    pub times: u64,
    /// What happens.
    pub effect: FaultEffect,
}

impl FaultRule {
    /// A rule that takes the next call of an action.
    pub fn new(action: &str, effect: FaultEffect) -> FaultRule {
        FaultRule { action: action.to_owned(), with: BTreeMap::new(), nth: 1, times: 1, effect }
    }
}

impl Default for FaultRule {
    /// The next call of any action loses its answer.
    fn default() -> FaultRule {
        FaultRule::new("*", FaultEffect::DropAfter)
    }
}

fn first() -> u64 {
    1
}

fn once() -> u64 {
    1
}

/// What happens to a call that a rule takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultEffect {
    /// The call is refused with this code and has no effect.
    Refuse {
        /// The error code, such as `OperationDenied.NoStock`.
        code: String,
        /// The message; the usual one of the code when absent.
        #[serde(default)]
        message: Option<String>,
        /// The HTTP status; the usual one of the code when absent.
        #[serde(default)]
        status: Option<u16>,
    },
    /// The call has its effect, and is then answered with this error.
    FailAfter {
        /// The error code.
        code: String,
        /// The message; the usual one of the code when absent.
        #[serde(default)]
        message: Option<String>,
        /// The HTTP status; the usual one of the code when absent.
        #[serde(default)]
        status: Option<u16>,
    },
    /// The connection is cut before the call has any effect.
    DropBefore,
    /// The call has its effect, and the connection is cut instead of answering.
    DropAfter,
    /// The call is refused with `Throttling.User`.
    Throttle,
    /// The call is refused with `ServiceUnavailable`, status 503.
    Unavailable,
    /// The call is answered late, by this many seconds of unscaled time.
    Delay {
        /// How late.
        seconds: f64,
    },
    /// What the call creates or changes never reaches its next state.
    Stuck,
    /// The image or snapshot the call creates ends in `CreateFailed` or `failed`.
    CreationFails,
    /// The image the call creates ends in `UnAvailable`.
    BecomesUnavailable,
    /// The spot instances the call creates are taken back: they are told so after this time of the real cloud, and
    /// gone five minutes later.
    Interrupt {
        /// How long after the call.
        after_seconds: f64,
    },
}

/// The rules in force, with how many calls each has seen.
#[derive(Debug, Default)]
pub struct FaultBook {
    rules: Vec<(FaultRule, u64)>,
}

impl FaultBook {
    /// Adds a rule after those there are.
    pub fn add(&mut self, rule: FaultRule) {
        self.rules.push((rule, 0));
    }

    /// Forgets all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Returns the rules in force.
    pub fn rules(&self) -> Vec<FaultRule> {
        self.rules.iter().map(|(rule, _)| rule.clone()).collect()
    }

    /// Counts a call and returns the effects of the rules that take it.
    pub fn take(&mut self, action: &str, param: impl Fn(&str) -> Option<String>) -> Vec<FaultEffect> {
        let mut effects = Vec::new();
        for (rule, seen) in &mut self.rules {
            let wanted = matches(&rule.action, action)
                && rule.with.iter().all(|(name, value)| param(name).as_deref() == Some(value));
            if !wanted {
                continue;
            }
            *seen += 1;
            if *seen >= rule.nth && (rule.times == 0 || *seen - rule.nth < rule.times) {
                effects.push(rule.effect.clone());
            }
        }
        effects
    }
}

fn matches(pattern: &str, action: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        _ if pattern == "*" => true,
        (Some(end), _) => action.ends_with(end),
        (_, Some(start)) => action.starts_with(start),
        (None, None) => pattern == action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_takes_the_calls_from_the_nth_on() {
        let mut book = FaultBook::default();
        let text = r#"{"action": "Describe*", "with": {"RegionId": "r"}, "nth": 2, "times": 2, "effect": {"do": "throttle"}}"#;
        book.add(serde_json::from_str(text).unwrap());
        let mut call = |action: &str, region: &str| book.take(action, |_| Some(region.to_owned())).len();
        assert_eq!(call("CreateVpc", "r"), 0);
        assert_eq!(call("DescribeVpcs", "other"), 0);
        let taken: Vec<usize> = (0..5).map(|_| call("DescribeVpcs", "r")).collect();
        assert_eq!(taken, [0, 1, 1, 0, 0]);
    }
}
