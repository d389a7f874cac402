//! Services that keep secrets, as the template functions `vault` and `consul_key` read them.

use std::time::Duration;

use kiln_core::scope::SecretRequest;
use serde_json::Value as Json;

use crate::env_vars::Environment;

/// A store that does not answer within this is reported, not waited for.
const DEADLINE: Duration = Duration::from_secs(30);

/// Returns the value, or why there is none.
pub fn fetch(request: &SecretRequest, environment: &Environment) -> Result<String, String> {
    match request {
        SecretRequest::Consul { key } => consul(key, environment),
        SecretRequest::Vault { path, key } => vault(path, key, environment),
        SecretRequest::AwsSecretsManager { name, .. } => Err(format!(
            "read `{name}` from AWS Secrets Manager: Kiln does not speak to AWS; read it before and pass it with -var"
        )),
    }
}

fn consul(key: &str, environment: &Environment) -> Result<String, String> {
    let address = environment.filled("CONSUL_HTTP_ADDR").unwrap_or_else(|| "127.0.0.1:8500".to_owned());
    let address = match address.contains("://") {
        true => address,
        false => match environment.filled("CONSUL_HTTP_SSL").as_deref() {
            Some("1" | "true") => format!("https://{address}"),
            _ => format!("http://{address}"),
        },
    };
    let url = format!("{}/v1/kv/{}?raw", address.trim_end_matches('/'), key.trim_start_matches('/'));
    let token = environment.filled("CONSUL_HTTP_TOKEN");
    let headers: Vec<(&str, String)> = token.map(|token| ("x-consul-token", token)).into_iter().collect();
    match get(&url, &headers)? {
        Answer::Absent => Err(format!("key does not exist at the given path: {key}")),
        Answer::Text(text) if text.is_empty() => Err(format!("value is empty at path {key}")),
        Answer::Text(text) => Ok(text),
    }
}

fn vault(path: &str, key: &str, environment: &Environment) -> Result<String, String> {
    let token = environment
        .filled("VAULT_TOKEN")
        .ok_or("Must set VAULT_TOKEN env var in order to use vault template function")?;
    let address = environment.filled("VAULT_ADDR").unwrap_or_else(|| "https://127.0.0.1:8200".to_owned());
    let url = format!("{}/v1/{}", address.trim_end_matches('/'), path.trim_start_matches('/'));
    let mut headers = vec![("x-vault-token", token)];
    headers.extend(environment.filled("VAULT_NAMESPACE").map(|namespace| ("x-vault-namespace", namespace)));
    let Answer::Text(text) = get(&url, &headers)? else {
        return Err(format!("Vault Secret does not exist at the given path: {path}"));
    };
    let answer: Json =
        serde_json::from_str(&text).map_err(|error| format!("read the answer of Vault: {error}"))?;
    // Version 2 of the key-value engine has one more layer; version 1 keeps the keys right there.
    let value = answer.pointer("/data/data").and_then(|data| data.get(key));
    match value.or_else(|| answer.pointer("/data").and_then(|data| data.get(key))) {
        None | Some(Json::Null) => Err(format!("Vault path does not contain the requested key: {key}")),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
    }
}

enum Answer {
    Absent,
    Text(String),
}

/// Asks on a thread of its own: whoever evaluates may itself stand inside a runtime.
fn get(url: &str, headers: &[(&str, String)]) -> Result<Answer, String> {
    crate::tls::provide();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(ask(url, headers))
        });
        asked.join().unwrap_or_else(|_| Err("the request broke down".to_owned()))
    })
}

async fn ask(url: &str, headers: &[(&str, String)]) -> Result<Answer, String> {
    let client = reqwest::Client::builder().timeout(DEADLINE).build().map_err(chain)?;
    let mut request = client.get(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.send().await.map_err(chain)?;
    match answer.status() {
        status if status == reqwest::StatusCode::NOT_FOUND => Ok(Answer::Absent),
        status if status.is_success() => answer.text().await.map(Answer::Text).map_err(chain),
        status => Err(format!("{url} answered {status}")),
    }
}

fn chain(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `status` and `body`; returns where, and what was asked.
    fn store(status: &str, body: &str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).unwrap();
            head.join("\n").to_ascii_lowercase()
        });
        (address, asked)
    }

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::default()
            .with(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn vault(status: &str, body: &str) -> (Result<String, String>, String) {
        let (address, asked) = store(status, body);
        let request = SecretRequest::Vault { path: "secret/data/web".to_owned(), key: "password".to_owned() };
        let result = fetch(&request, &environment(&[("VAULT_ADDR", &address), ("VAULT_TOKEN", "t0ken")]));
        (result, asked.join().unwrap())
    }

    #[test]
    fn vault_is_read_in_both_versions_of_its_store() {
        let (value, asked) = vault("200 OK", r#"{"data": {"data": {"password": "two"}, "metadata": {}}}"#);
        assert_eq!(value.unwrap(), "two");
        assert!(
            asked.starts_with("get /v1/secret/data/web http/1.1\n") && asked.contains("x-vault-token: t0ken")
        );
        assert_eq!(vault("200 OK", r#"{"data": {"password": "one"}}"#).0.unwrap(), "one");
        assert_eq!(
            vault("200 OK", r#"{"data": {"data": {"other": "x"}}}"#).0.unwrap_err(),
            "Vault path does not contain the requested key: password"
        );
        assert!(vault("404 Not Found", "").0.unwrap_err().contains("does not exist"));
        assert!(vault("403 Forbidden", "").0.unwrap_err().ends_with("answered 403 Forbidden"));
        let request = SecretRequest::Vault { path: String::new(), key: String::new() };
        assert!(fetch(&request, &environment(&[])).unwrap_err().starts_with("Must set VAULT_TOKEN"));
    }

    #[test]
    fn consul_values_come_as_they_are() {
        let consul = |status: &str, body: &str| {
            let (address, asked) = store(status, body);
            let request = SecretRequest::Consul { key: "web/port".to_owned() };
            let address = address.trim_start_matches("http://").to_owned();
            let result = fetch(&request, &environment(&[("CONSUL_HTTP_ADDR", &address)]));
            (result, asked.join().unwrap())
        };
        let (value, asked) = consul("200 OK", "8080\n");
        assert_eq!(value.unwrap(), "8080\n");
        assert!(asked.starts_with("get /v1/kv/web/port?raw http/1.1\n"), "{asked}");
        assert_eq!(
            consul("404 Not Found", "").0.unwrap_err(),
            "key does not exist at the given path: web/port"
        );
        assert_eq!(consul("200 OK", "").0.unwrap_err(), "value is empty at path web/port");
    }
}
