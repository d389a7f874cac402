//! The metadata service and credential addresses.

use alicloud_api::{
    CredentialsProvider,
    credentials::{CredentialsUri, EcsMetadata, MetadataService},
};
use serde_json::json;

use super::{chain_of, key};
use crate::fake::{Fake, Reply, ok};

fn text(body: &str) -> Reply {
    Reply::Answer(200, body.to_owned())
}

fn good() -> Reply {
    ok(json!({
        "AccessKeyId": "STS.1", "AccessKeySecret": "secret-of-role", "SecurityToken": "token",
        "Expiration": "2126-01-02T09:04:05Z", "LastUpdated": "2026-01-02T03:04:05Z", "Code": "Success",
    }))
}

fn service(fake: &Fake) -> MetadataService {
    MetadataService::at(&format!("http://127.0.0.1:{}", fake.port)).unwrap()
}

#[tokio::test]
async fn the_second_version_asks_for_a_session_first() {
    let fake = Fake::start([text("session"), text("packer"), good()]).await;
    let credentials = EcsMetadata::new(service(&fake), None).credentials().await.unwrap();
    assert_eq!(credentials.access_key_id, "STS.1");
    assert_eq!(credentials.security_token.unwrap().expose(), "token");
    assert_eq!(credentials.expires.unwrap().to_string(), "2126-01-02T09:04:05Z");
    let seen = fake.seen();
    let lines: Vec<&str> = seen.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "PUT /latest/api/token",
            "GET /latest/meta-data/ram/security-credentials/",
            "GET /latest/meta-data/ram/security-credentials/packer",
        ]
    );
    assert_eq!(seen[0].headers["x-aliyun-ecs-metadata-token-ttl-seconds"], "21600");
    assert_eq!((seen[0].body.as_str(), &*seen[0].headers["content-length"]), ("", "0"));
    for request in &seen[1..] {
        assert_eq!(request.headers["x-aliyun-ecs-metadata-token"], "session");
    }
}

#[tokio::test]
async fn the_first_version_serves_only_where_it_may() {
    let refusal = || Reply::Answer(404, String::new());
    let fake = Fake::start([refusal(), good()]).await;
    let role = || Some("packer".to_owned());
    assert_eq!(key(&EcsMetadata::new(service(&fake), role())).await.unwrap(), "STS.1");
    assert!(!fake.seen()[1].headers.contains_key("x-aliyun-ecs-metadata-token"));

    let fake = Fake::start([refusal()]).await;
    let strict = MetadataService { v1_allowed: false, ..service(&fake) };
    let error = key(&EcsMetadata::new(strict, role())).await.unwrap_err();
    assert_eq!(error, "the metadata service answered HTTP 404 when asked for the session token");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn answers_that_are_no_credentials_are_told_without_their_text() {
    let cases = [
        (text("garbage secret"), "the answer is not the JSON of temporary credentials (line 1, column 1)"),
        (
            ok(json!({"Code": "Failed", "AccessKeyId": "secret"})),
            "the answer's code is `Failed`, not `Success`",
        ),
        (
            ok(json!({"Code": "Success", "AccessKeyId": "STS.1", "AccessKeySecret": ""})),
            "the answer has no `AccessKeySecret`",
        ),
        (
            ok(json!({"AccessKeyId": 5})),
            "the answer is not the JSON of temporary credentials (line 1, column 16)",
        ),
        (
            ok(
                json!({"AccessKeyId": "a", "AccessKeySecret": "secret", "SecurityToken": "t", "Expiration": "soon"}),
            ),
            "the answer is not the JSON of temporary credentials (line 1, column 93)",
        ),
        (Reply::Answer(404, "secret".into()), "the instance does not have the role `r`"),
        (
            Reply::Answer(500, "secret".into()),
            "the metadata service answered HTTP 500 when asked for the credentials of role `r`",
        ),
    ];
    for (reply, expected) in cases {
        let fake = Fake::start([text("session"), reply.clone()]).await;
        let error = key(&EcsMetadata::new(service(&fake), Some("r".into()))).await.unwrap_err();
        assert!(!error.contains("secret"), "{error}");
        assert!(error.starts_with(expected.split(" (line").next().unwrap()), "{error} for {reply:?}");
    }
    // A role's name becomes part of a path.
    let fake = Fake::start([text("session")]).await;
    let error = key(&EcsMetadata::new(service(&fake), Some("../../x".into()))).await.unwrap_err();
    assert_eq!((error.as_str(), fake.seen().len()), ("`../../x` is no name of a RAM role", 1));
    let fake = Fake::start([text("session"), text("")]).await;
    let error = key(&EcsMetadata::new(service(&fake), None)).await.unwrap_err();
    assert_eq!(error, "the instance has no RAM role");
}

#[tokio::test]
async fn nobody_there_and_nobody_answering_are_told_soon() {
    let nobody = MetadataService::at("http://127.0.0.1:1").unwrap();
    let error = key(&EcsMetadata::new(nobody, None)).await.unwrap_err();
    assert!(
        error.starts_with("the metadata service of the instance: the call unanswered: connection refused")
    );
    let fake = Fake::start([Reply::Hold]).await;
    let started = std::time::Instant::now();
    let error = key(&EcsMetadata::new(service(&fake), None)).await.unwrap_err();
    assert!(error.contains("no answer in time") && started.elapsed().as_secs() < 4, "{error}");
}

#[test]
fn only_the_service_and_this_machine_are_asked() {
    for base in
        ["http://100.100.100.200", "http://100.100.100.200/", "http://127.0.0.1:80", "http://localhost:1"]
    {
        assert!(MetadataService::at(base).is_ok(), "{base}");
    }
    for base in
        ["http://100.100.100.201", "http://evil.example", "https://127.0.0.1", "https://evil.example", "x y"]
    {
        assert!(MetadataService::at(base).is_err(), "{base}");
    }
}

#[tokio::test]
async fn a_credentials_address_answers_in_the_same_form() {
    let fake = Fake::start([good()]).await;
    let uri = format!("http://127.0.0.1:{}/creds?auth=hunter2", fake.port);
    assert_eq!(key(&CredentialsUri::new(&uri).unwrap()).await.unwrap(), "STS.1");
    assert_eq!((fake.seen()[0].line.as_str(), fake.seen()[0].query.as_str()), ("GET /creds", "auth=hunter2"));

    let fake = Fake::start([Reply::Answer(403, "secret".into())]).await;
    let uri = format!("http://127.0.0.1:{}/creds?auth=hunter2", fake.port);
    let error = key(&CredentialsUri::new(&uri).unwrap()).await.unwrap_err();
    assert_eq!(error, format!("`http://127.0.0.1:{}/creds` answered HTTP 403", fake.port));

    let error =
        key(&CredentialsUri::new("http://127.0.0.1:1/creds?auth=hunter2").unwrap()).await.unwrap_err();
    assert!(error.contains("connection refused") && !error.contains("hunter2"), "{error}");
    for uri in [
        "http://169.254.170.2/creds",
        "http://100.100.100.200/x",
        "https://creds.example/x",
        "http://[::1]:5/",
    ] {
        assert!(CredentialsUri::new(uri).is_ok(), "{uri}");
    }
    for uri in [
        "http://10.0.0.1/hunter2",
        "http://creds.example/?hunter2",
        "file:///hunter2",
        "https://u:hunter2@a/",
        "hunter2",
    ] {
        let error = CredentialsUri::new(uri).unwrap_err();
        assert!(!chain_of(&error).contains("hunter2"), "{error}");
    }
}
