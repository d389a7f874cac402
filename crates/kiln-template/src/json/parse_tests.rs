use proptest::prelude::*;

use super::*;

fn parsed(bytes: &[u8]) -> Result<Parsed, ParseError> {
    parse(bytes, &Source::new("t.json", to_text(bytes)))
}

fn refused(text: &str) -> (String, usize) {
    match parsed(text.as_bytes()).unwrap_err() {
        ParseError::Syntax(error, _) => (error.message, error.offset),
        ParseError::Number(text, _) => (text, 0),
    }
}

#[test]
fn every_break_has_gos_words_and_offset() {
    let cases: &[(&str, &str, usize)] = &[
        ("", "unexpected end of JSON input", 0),
        ("  ", "unexpected end of JSON input", 2),
        ("{", "unexpected end of JSON input", 1),
        ("\"a", "unexpected end of JSON input", 2),
        ("tru", "unexpected end of JSON input", 3),
        ("-", "unexpected end of JSON input", 1),
        ("{} {}", "invalid character '{' after top-level value", 4),
        ("01", "invalid character '1' after top-level value", 2),
        ("build {}", "invalid character 'b' looking for beginning of value", 1),
        ("\u{feff}{}", "invalid character 'ï' looking for beginning of value", 1),
        ("{\"builders\": [}", "invalid character '}' looking for beginning of value", 15),
        ("[1,]", "invalid character ']' looking for beginning of value", 4),
        ("{a", "invalid character 'a' looking for beginning of object key string", 2),
        ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string", 8),
        ("{\"a\" 1}", "invalid character '1' after object key", 6),
        ("{\"a\":1 \"b\"", "invalid character '\"' after object key:value pair", 8),
        ("[1 2]", "invalid character '2' after array element", 4),
        ("\"a\nb\"", "invalid character '\\n' in string literal", 3),
        ("\"\\x\"", "invalid character 'x' in string escape code", 3),
        ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape", 6),
        ("-a", "invalid character 'a' in numeric literal", 2),
        ("1.a", "invalid character 'a' after decimal point in numeric literal", 3),
        ("1ea", "invalid character 'a' in exponent of numeric literal", 3),
        ("1e+a", "invalid character 'a' in exponent of numeric literal", 4),
        ("trie", "invalid character 'i' in literal true (expecting 'u')", 3),
        ("falze", "invalid character 'z' in literal false (expecting 's')", 4),
        ("nul1", "invalid character '1' in literal null (expecting 'l')", 4),
    ];
    for (text, message, offset) in cases {
        assert_eq!(refused(text), ((*message).to_owned(), *offset), "{text:?}");
    }
}

#[test]
fn nesting_has_a_limit() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parsed(deep(MOST_NESTED).as_bytes()).is_ok());
    assert_eq!(refused(&deep(MOST_NESTED + 1)), ("exceeded max depth".to_owned(), MOST_NESTED + 1));
}

#[test]
fn strings_are_decoded_as_go_decodes_them() {
    let string = |bytes: &[u8]| parsed(bytes).unwrap().value.as_str().unwrap().to_owned();
    assert_eq!(string(br#""\u00e9\ud83d\ude00\/\b""#), "é😀/\u{8}");
    assert_eq!(string(br#""\ud800x""#), "\u{fffd}x");
    assert_eq!(string(br#""\ud800\u0041""#), "\u{fffd}A");
    assert_eq!(string(br#""\udc00""#), "\u{fffd}");
    assert_eq!(string(b"\"caf\xe9\""), "caf\u{fffd}");
}

#[test]
fn keys_and_values_know_their_places() {
    let parsed = parsed(b"{\"x\xe9\": 1,\n  \"a\": [true, \"s\"]}").unwrap();
    let entry = &parsed.value.as_object().unwrap()["a"];
    assert_eq!(entry.key_span.as_ref().unwrap().text(), "\"a\"");
    assert_eq!(entry.key_span.as_ref().unwrap().to_string(), "t.json:2:3");
    assert_eq!(entry.value.span.as_ref().unwrap().text(), "[true, \"s\"]");
    assert_eq!(entry.value.as_list().unwrap()[1].span.as_ref().unwrap().to_string(), "t.json:2:15");
}

#[test]
fn duplicate_keys_are_noted_at_any_depth() {
    let parsed = parsed(br#"{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}"#).unwrap();
    let keys: Vec<_> = parsed.duplicates.iter().map(|duplicate| duplicate.key.as_str()).collect();
    assert_eq!(keys, ["c", "a"]);
    assert_eq!(parsed.duplicates[1].first.to_string(), "t.json:1:2");
    assert_eq!(parsed.value.get("a").unwrap().to_json(), serde_json::json!(3));
}

/// JSON of any shape, as text.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        "\"(\\\\[bfnrtu\"/\\\\]|[a-f0-9]){0,9}\"",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list =
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(" , ")));
        let object = prop::collection::vec(("[a-d]", inner), 0..4).prop_map(|entries| {
            let entries: Vec<_> = entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{\n{}\t}}", entries.join(","))
        });
        prop_oneof![list, object]
    })
}

/// The same, with one character replaced, added or taken away.
fn broken_json() -> impl Strategy<Value = String> {
    (json(), any::<prop::sample::Index>(), "[\\[\\]{}:,\"\\\\ 0-9a-zé.+-]?", any::<bool>()).prop_map(
        |(text, at, new, replace)| {
            let mut characters: Vec<char> = text.chars().collect();
            let at = at.index(characters.len());
            characters.splice(at..at + usize::from(replace), new.chars());
            characters.into_iter().collect()
        },
    )
}

/// Equal, where numbers are the same number however they are written.
fn same(ours: &serde_json::Value, theirs: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (ours, theirs) {
        // serde_json rounds the last bit of long numbers otherwise than the standard library.
        (Json::Number(ours), Json::Number(theirs)) => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            (ours - theirs).abs() <= theirs.abs() * 1e-15
        }
        (Json::Array(ours), Json::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(ours), Json::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| ours.0 == theirs.0 && same(ours.1, theirs.1))
        }
        _ => ours == theirs,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_and_broken_texts_are_judged_as_serde_json_judges_them(text in prop_oneof![json(), broken_json()]) {
        let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
        match (parsed(text.as_bytes()), theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert!(same(&ours.value.to_json(), &theirs), "{text:?}"),
            (Err(_), Err(_)) => {}
            // Lone surrogates: Go takes them, serde_json does not.
            (Ok(_), Err(error)) => {
                let error = error.to_string();
                prop_assert!(error.contains("surrogate") || error.contains("hex escape"), "{text:?}: {error}");
            }
            (Err(error), Ok(_)) => prop_assert!(false, "{text:?}: {error:?}"),
        }
    }
}
