//! Which parameters the real API has, as data: names and types, taken from the official SDKs' models by
//! `cargo xtask api-facts`, and a short list of older ones that clients still send.
//!
//! The real gateway passes over a parameter it does not know. Here it is refused, since a misspelt one would
//! otherwise be noticed only by what did not happen; [`CloudOptions`](crate::CloudOptions) can switch that off.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

use super::Product;
use super::error::ApiError;
use super::params::Params;

/// What a value has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    String,
    Integer,
    Number,
    Boolean,
}

impl Type {
    fn fits(self, value: &str) -> bool {
        match self {
            Type::String => true,
            Type::Integer => value.parse::<i64>().is_ok(),
            Type::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            // Clients of the older generation write booleans as their language does.
            Type::Boolean => ["true", "false", "1", "0"].iter().any(|word| value.eq_ignore_ascii_case(word)),
        }
    }
}

/// The parameters of an action by their types; `N` stands for a number.
type Parameters = BTreeMap<Type, Vec<String>>;

/// A file of `cargo xtask api-facts`.
#[derive(Deserialize)]
struct File {
    actions: BTreeMap<String, Parameters>,
}

/// Parameters that the newest models no longer have.
#[derive(Deserialize)]
struct Older {
    product: String,
    action: String,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// Types by product, action and parameter.
type Table = HashMap<(&'static str, String), HashMap<String, Type>>;

const GENERATED: [(Product, &str); 4] = [
    (Product::Ecs, include_str!("facts/ecs.json")),
    (Product::Vpc, include_str!("facts/vpc.json")),
    (Product::Sts, include_str!("facts/sts.json")),
    (Product::Ram, include_str!("facts/ram.json")),
];
const OLDER: &str = include_str!("facts/older.json");

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::new();
    for (product, text) in GENERATED {
        let file: File = serde_json::from_str(text).expect("the facts are part of the program and tested");
        for (action, parameters) in file.actions {
            let known = table.entry((product.name(), action)).or_default();
            for (kind, names) in parameters {
                known.extend(names.into_iter().map(|name| (name, kind)));
            }
        }
    }
    let older: Vec<Older> = serde_json::from_str(OLDER).expect("the list is part of the program and tested");
    for Older { product, action, rest } in older {
        let product = Product::named(&product).expect("the list names products there are");
        let known = table.entry((product.name(), action)).or_default();
        let names = rest.get("string").and_then(serde_json::Value::as_array).into_iter().flatten();
        known.extend(names.filter_map(|name| Some((name.as_str()?.to_owned(), Type::String))));
    }
    table
});

/// Refuses the first parameter that the action does not have, or whose value is not of its type. The code of the
/// former is our own: the real gateway has none.
pub fn check(product: Product, action: &str, params: &Params) -> Result<(), ApiError> {
    let Some(known) = TABLE.get(&(product.name(), action.to_owned())) else { return Ok(()) };
    for (name, value) in params.pairs() {
        match known.get(&general(name)) {
            Some(kind) if value.is_empty() || kind.fits(value) => {}
            Some(_) => return Err(ApiError::invalid(name)),
            // Clients send the region along with everything, also where an action does not ask for it.
            None if name == "RegionId" => {}
            None => return Err(ApiError::unknown(name, action)),
        }
    }
    Ok(())
}

/// Returns a parameter's name with `N` in the place of numbers.
fn general(name: &str) -> String {
    let parts: Vec<&str> = name
        .split('.')
        .map(|part| {
            let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if number { "N" } else { part }
        })
        .collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn code(action: &str, pairs: &[(&str, &str)]) -> Option<String> {
        check(Product::Ecs, action, &params(pairs)).err().map(|error| error.code)
    }

    #[test]
    fn every_action_has_its_facts_and_asks_for_nothing_else() {
        for (product, name) in crate::api::all() {
            let known = TABLE.get(&(product.name(), name.to_owned()));
            let known = known
                .unwrap_or_else(|| panic!("{} {name} has no facts: `cargo xtask api-facts`", product.name()));
            let action = crate::api::find(product, name).unwrap();
            for required in action.required.iter().filter(|required| **required != "RegionId") {
                assert!(known.contains_key(*required), "{} {name} has no `{required}`", product.name());
            }
        }
    }

    #[test]
    fn names_are_known_with_what_they_are_nested_in() {
        assert_eq!(code("RunInstances", &[("DataDisk.12.KMSKeyId", "k"), ("SystemDisk.Size", "40")]), None);
        assert_eq!(
            code("RunInstances", &[("DataDisk.KMSKeyId", "k")]).as_deref(),
            Some("InvalidParameter.Unknown")
        );
        assert_eq!(
            code("CopyImage", &[("KmsKeyId", "k")]).as_deref(),
            Some("InvalidParameter.Unknown"),
            "letters count"
        );
        assert_eq!(code("AuthorizeSecurityGroup", &[("SourceCidrIp", "::/0"), ("NicType", "x")]), None);
    }

    #[test]
    fn values_are_of_their_types() {
        assert_eq!(code("CopyImage", &[("Encrypted", "True"), ("DryRun", "")]), None);
        assert_eq!(code("CopyImage", &[("Encrypted", "yes")]).as_deref(), Some("InvalidParameter.Encrypted"));
        assert_eq!(
            code("DescribeImages", &[("PageSize", "ten")]).as_deref(),
            Some("InvalidParameter.PageSize")
        );
    }
}
