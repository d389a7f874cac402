//! Reading answers. RPC wraps every list in an object of one field (`"Regions": {"Region": […]}`); inside this crate a
//! list is a list. Fields that are not needed are not read, and absent ones get their default: regions differ.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// The answer of actions that return nothing of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Acknowledged {
    /// The request's id.
    pub request_id: String,
}

/// Reads a list that stands alone or in an object of one field; null and an empty object are an empty list. For
/// `deserialize_with`.
pub(crate) fn nested<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Nested<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Nested<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list, or an object that holds one")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = seq.next_element()? {
                list.push(item);
            }
            Ok(list)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
            let Some(IgnoredAny) = map.next_key()? else { return Ok(Vec::new()) };
            let list: Option<Vec<T>> = map.next_value()?;
            while let Some((IgnoredAny, IgnoredAny)) = map.next_entry()? {}
            Ok(list.unwrap_or_default())
        }
    }

    deserializer.deserialize_any(Nested(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sample {
        #[serde(deserialize_with = "nested", default)]
        list: Vec<u32>,
    }

    #[test]
    fn lists_are_found_in_every_wrapping() {
        for (text, expected) in [
            (r#"{"list":{"Item":[1,2]}}"#, vec![1, 2]),
            (r#"{"list":{"Item":[1],"Other":{"x":1}}}"#, vec![1]),
            (r#"{"list":[3]}"#, vec![3]),
            (r#"{"list":{"Item":null}}"#, vec![]),
            (r#"{"list":{}}"#, vec![]),
            (r#"{"list":null}"#, vec![]),
            (r#"{}"#, vec![]),
        ] {
            assert_eq!(serde_json::from_str::<Sample>(text).unwrap().list, expected, "{text}");
        }
        assert!(serde_json::from_str::<Sample>(r#"{"list":"x"}"#).is_err());
    }
}
