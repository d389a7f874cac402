//! Which calls a build makes, from those that a cloud remembers: the list of what can be made to fail.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Returns each call of `calls` that is worth failing, as action and how manyeth of that action it is, in order.
///
/// A call that changes something always is. Of looks only those that differ from the looks before them: by the names
/// of their parameters, or because something was changed by another call since. The others are repetitions of a look
/// at a state that takes time, as many as the machine is slow.
pub(super) fn worth_failing(calls: &[Value]) -> Vec<(String, u64)> {
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut changes = 0;
    let mut worth = Vec::new();
    for call in calls {
        let Some(action) = call["action"].as_str().filter(|action| !action.is_empty()) else { continue };
        let nth = counted.entry(action).and_modify(|count| *count += 1).or_insert(1);
        let is_look = is_look(action);
        if !is_look {
            changes += 1;
        }
        let names: Vec<&String> =
            call["params"].as_object().into_iter().flat_map(|params| params.keys()).collect();
        if !is_look || seen.insert((action, names, changes)) {
            worth.push((action.to_owned(), *nth));
        }
    }
    worth
}

/// Returns whether an action changes nothing.
pub(super) fn is_look(action: &str) -> bool {
    ["Describe", "Get", "List"].iter().any(|start| action.starts_with(start))
}

/// Returns whether the call at `index` marks what is about to be deleted, which is asked again like the deletion.
pub(super) fn prepares_deletion(calls: &[Value], index: Option<usize>) -> bool {
    let params = index.and_then(|index| calls.get(index)?["params"].as_object());
    params.is_some_and(|params| params.values().any(|value| value == "kiln-of-image"))
}

/// Returns whether clean-up had begun when the call at `index` was made.
pub(super) fn is_cleaning(calls: &[Value], index: Option<usize>) -> bool {
    let before = calls.get(..index.unwrap_or_default()).unwrap_or_default();
    let mut actions = before.iter().filter_map(|call| call["action"].as_str());
    actions.any(|action| ["Delete", "Release", "Unassociate"].iter().any(|start| action.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repeated_looks_count_once_until_something_changes() {
        let call = |action: &str, id: &str| json!({"action": action, "params": {"RegionId": "r", "Id": id}});
        let look = || call("DescribeVpcs", "1");
        let calls =
            [call("CreateVpc", "1"), look(), look(), call("DeleteVpc", "1"), look(), call("CreateVpc", "2")];
        let worth = worth_failing(&calls);
        let worth: Vec<_> = worth.iter().map(|(action, nth)| (&action[..], *nth)).collect();
        let expected =
            [("CreateVpc", 1), ("DescribeVpcs", 1), ("DeleteVpc", 1), ("DescribeVpcs", 3), ("CreateVpc", 2)];
        assert_eq!(worth, expected);
    }
}
