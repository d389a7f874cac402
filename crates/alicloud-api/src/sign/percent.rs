//! Percent-encoding as both signatures want it: UTF-8 bytes, upper-case hex, unreserved `A–Z a–z 0–9 - _ . ~`.
//! (Form encoding differs: a space is `%20` here, never `+`.)

use std::fmt::Write;

/// Percent-encodes `text`.
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    push_encoded(&mut out, text);
    out
}

/// Returns the parameters sorted bytewise by name, each `name=value` encoded, joined with `&`: the canonical query of
/// both signatures, fit to be sent as the query of a URL or as a form body.
pub fn canonical_query<'a>(params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut sorted: Vec<_> = params.into_iter().collect();
    sorted.sort_unstable();
    let mut out = String::new();
    for (name, value) in sorted {
        if !out.is_empty() {
            out.push('&');
        }
        push_encoded(&mut out, name);
        out.push('=');
        push_encoded(&mut out, value);
    }
    out
}

fn push_encoded(out: &mut String, text: &str) {
    for &byte in text.as_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            _ => write!(out, "%{byte:02X}").expect("writing to a String does not fail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spaces_stars_tildes_and_slashes() {
        assert_eq!(percent_encode("a b*~/+=打"), "a%20b%2A~%2F%2B%3D%E6%89%93");
    }

    fn decode(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            } else {
                out.push(byte);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn encoding_is_reversible_and_uses_safe_characters_only(text in "\\PC*") {
            let encoded = percent_encode(&text);
            prop_assert_eq!(decode(&encoded), text.as_bytes());
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~%".contains(&b)));
            prop_assert_eq!(encoded.to_ascii_uppercase().matches('%').count(), encoded.matches('%').count());
        }

        #[test]
        fn the_canonical_query_does_not_depend_on_the_order(
            mut pairs in prop::collection::vec(("[A-Za-z.0-9]{1,6}", "\\PC{0,8}"), 0..8),
        ) {
            let view = |pairs: &[(String, String)]| {
                canonical_query(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())))
            };
            let first = view(&pairs);
            pairs.reverse();
            prop_assert_eq!(first, view(&pairs));
        }

        #[test]
        fn a_url_carries_the_canonical_query_unchanged(pairs in prop::collection::vec(("\\PC{1,6}", "\\PC{0,8}"), 1..4)) {
            let query = canonical_query(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())));
            let mut url = reqwest::Url::parse("https://ecs.cn-beijing.aliyuncs.com/").unwrap();
            url.set_query(Some(&query));
            prop_assert_eq!(url.query(), Some(query.as_str()));
        }
    }
}
