//! From a request struct to the flat parameters of an RPC call: the one mechanism for all calls.
//!
//! A request derives `Serialize` with the API's spelling; [`flatten`] then writes nested objects as `SystemDisk.Size`,
//! lists as `Tag.1.Key`, booleans as `true`/`false`, numbers in decimal. What is absent or empty is not sent. Ids that
//! the API wants as a JSON array inside one string say so with [`json_list`].

use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::Value;

/// Name and value of each parameter, in the order of the struct.
pub type Params = Vec<(String, String)>;

/// Flattens `request` to parameters.
///
/// # Errors
///
/// When `request` is not a struct or its `Serialize` fails: a bug of the struct, not of its values.
pub fn flatten<T: Serialize>(request: &T) -> Result<Params, serde_json::Error> {
    let Value::Object(fields) = serde_json::to_value(request)? else {
        return Err(serde_json::Error::custom("a request is a struct"));
    };
    let mut params = Params::new();
    for (name, value) in fields {
        push(&mut params, name, value);
    }
    Ok(params)
}

fn push(params: &mut Params, name: String, value: Value) {
    match value {
        Value::Null => {}
        Value::Bool(yes) => params.push((name, yes.to_string())),
        Value::Number(number) => params.push((name, number.to_string())),
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => params.push((name, text)),
        Value::Array(items) => {
            for (index, item) in items.into_iter().enumerate() {
                // The API counts from 1.
                push(params, format!("{name}.{}", index + 1), item);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                push(params, format!("{name}.{field}"), value);
            }
        }
    }
}

/// Writes a list as a JSON array in one string (`InstanceIds=["i-1","i-2"]`), as the Describe and key pair calls of
/// Ecs want it; an empty list is not sent. For `serialize_with`.
pub fn json_list<T: Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() {
        return serializer.serialize_none();
    }
    serializer.serialize_str(&serde_json::to_string(list).map_err(S::Error::custom)?)
}

/// Writes a list separated by commas (`Status=Creating,Available`); an empty list is not sent. For `serialize_with`.
pub fn comma_list<T: AsRef<str>, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&list.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Default)]
    #[serde(rename_all = "PascalCase")]
    struct Sample {
        image_id: Option<String>,
        force: Option<bool>,
        size: Option<u32>,
        #[serde(rename = "Tag")]
        tags: Vec<SampleTag>,
        #[serde(serialize_with = "json_list")]
        instance_ids: Vec<String>,
        #[serde(serialize_with = "comma_list")]
        status: Vec<String>,
        system_disk: Option<SampleTag>,
        add_account: Vec<String>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct SampleTag {
        key: String,
        value: String,
    }

    fn check(sample: Sample, expected: &str) {
        let flat: Vec<_> = flatten(&sample).unwrap().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(flat.join(" "), expected);
    }

    #[test]
    fn what_is_absent_or_empty_is_not_sent() {
        check(Sample::default(), "");
        check(Sample { image_id: Some(String::new()), ..Default::default() }, "");
    }

    #[test]
    fn lists_objects_and_scalars_take_the_wire_form_of_rpc() {
        let tag = |key: &str, value: &str| SampleTag { key: key.into(), value: value.into() };
        check(
            Sample {
                image_id: Some("m-1".into()),
                force: Some(false),
                size: Some(0),
                tags: vec![tag("a", "1"), tag("b", "")],
                instance_ids: vec!["i-1".into(), "i-2".into()],
                status: vec!["Creating".into(), "Available".into()],
                system_disk: Some(tag("k", "v")),
                add_account: vec!["1".into(), "2".into()],
            },
            "ImageId=m-1 Force=false Size=0 Tag.1.Key=a Tag.1.Value=1 Tag.2.Key=b InstanceIds=[\"i-1\",\"i-2\"] \
             Status=Creating,Available SystemDisk.Key=k SystemDisk.Value=v AddAccount.1=1 AddAccount.2=2",
        );
    }
}
