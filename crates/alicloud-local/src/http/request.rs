//! A request as it came: its parts, and what it calls, in either of the two forms (parameters or headers).

use std::net::IpAddr;

use axum::http::{HeaderMap, Method};

/// A request, read but not judged.
#[derive(Debug)]
pub struct Request {
    /// The address it came from, as the cloud sees it.
    pub from: IpAddr,
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, `/` for all products here.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The parameters in the query.
    pub query: Vec<(String, String)>,
    /// The parameters in a form body.
    pub form: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Returns a header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns a parameter of query or form that is not empty.
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter().chain(&self.form);
        all.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a header or of the parameter that says the same in the older form.
    pub fn either(&self, header: &str, param: &str) -> Option<&str> {
        self.header(header).filter(|value| !value.is_empty()).or_else(|| self.param(param))
    }

    /// Returns the host the request was meant for, without a port.
    pub fn host(&self) -> &str {
        let host = self.header("host").unwrap_or_default();
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    }

    /// Returns the region in a host name such as `ecs.cn-beijing.aliyuncs.com`.
    pub fn host_region(&self) -> Option<&'static str> {
        let (_, rest) = self.host().split_once(['.', '-'])?;
        let name = rest.strip_suffix(".aliyuncs.com")?;
        crate::catalogue::region(name).map(|region| region.id.as_str())
    }
}

/// Reads `a=b&c=d`, percent-decoded; `+` is a space.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        let mut bytes = Vec::with_capacity(part.len());
        let mut rest = part.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let escaped = match after {
                [high, low, ..] if first == b'%' => digit(*high).zip(digit(*low)),
                _ => None,
            };
            match escaped {
                Some((high, low)) => {
                    bytes.push(high << 4 | low);
                    rest = &after[2..];
                }
                None => {
                    bytes.push(if first == b'+' { b' ' } else { first });
                    rest = after;
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let read = pairs("a=1%2B2&b=x+y&c&=&%E6%89%93=%zz");
        let expected = [("a", "1+2"), ("b", "x y"), ("c", ""), ("", ""), ("打", "%zz")];
        let expected: Vec<(String, String)> =
            expected.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
        assert_eq!(read, expected);
    }

    proptest::proptest! {
        #[test]
        fn what_was_encoded_is_decoded(name in "[^=&]{1,8}", value in ".{0,16}") {
            let text = format!("{}={}", crate::http::encoded(&name), crate::http::encoded(&value));
            proptest::prop_assert_eq!(pairs(&text), [(name, value)]);
        }
    }
}
