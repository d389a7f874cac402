//! Roles: assumed with a key, with an identity provider's token, and one over the other.

use std::sync::Arc;

use alicloud_api::{
    Client, ClientConfig,
    credentials::{Asked, Found, find},
    ecs::DescribeRegions,
};
use serde_json::json;

use super::{Memory, Watch, at, chain_of, ground, ground_of, key};
use crate::fake::{Fake, Reply, ok, refuse};

fn session(id: &str) -> Reply {
    ok(json!({
        "RequestId": "R",
        "Credentials": {
            "AccessKeyId": id, "AccessKeySecret": format!("secret-of-{id}"), "SecurityToken": format!("token-of-{id}"),
            "Expiration": "2126-01-02T09:04:05Z",
        },
        "AssumedRoleUser": {"Arn": "acs:sts::1:assumed-role/r/s", "AssumedRoleId": "3:s"},
    }))
}

const KEYS: [(&str, &str); 2] = [("ALICLOUD_ACCESS_KEY", "base"), ("ALICLOUD_SECRET_KEY", "base-secret")];

fn asked() -> Asked {
    Asked {
        ram_role_arn: Some("acs:ram::1:role/r".into()),
        ram_session_name: Some("packer-test".into()),
        region: Some("cn-beijing".into()),
        ..Asked::default()
    }
}

async fn client_of(fake: &Fake, found: Found) -> Client {
    Client::new(ClientConfig { credentials: found.provider, ..fake.config() }).unwrap()
}

#[tokio::test]
async fn a_role_is_assumed_once_and_signs_everything_after() {
    let fake = Fake::start([session("STS.1")]).await;
    let watch = Arc::new(Watch::default());
    let mut ground = at(&fake, ground(&KEYS, ""));
    ground.observer = Some(watch.clone());
    let found = find(&asked(), &ground).unwrap();
    assert_eq!(*watch.0.lock().unwrap(), ["base"], "known before anything is sent");
    let client = client_of(&fake, found).await;
    for _ in 0..3 {
        client.ecs("cn-beijing").describe_regions(&DescribeRegions::default()).await.unwrap();
    }
    let seen = fake.seen();
    let actions: Vec<String> = seen.iter().map(|request| request.action()).collect();
    assert_eq!(actions, ["AssumeRole", "DescribeRegions", "DescribeRegions", "DescribeRegions"]);
    let params = seen[0].params();
    assert_eq!(params["RoleArn"], "acs:ram::1:role/r");
    assert_eq!(params["RoleSessionName"], "packer-test");
    assert!(!params.contains_key("RegionId") && !params.contains_key("DurationSeconds"));
    assert_eq!(seen[1].headers["x-acs-security-token"], "token-of-STS.1");
    assert_eq!(*watch.0.lock().unwrap(), ["base", "STS.1"]);
}

#[tokio::test]
async fn what_the_cloud_takes_for_expired_is_renewed_and_the_call_repeated() {
    let expired = || refuse(400, "InvalidSecurityToken.Expired");
    let fake = Fake::start([session("STS.1"), expired(), session("STS.2")]).await;
    let client = client_of(&fake, find(&asked(), &at(&fake, ground(&KEYS, ""))).unwrap()).await;
    client.ecs("cn-beijing").describe_regions(&DescribeRegions::default()).await.unwrap();
    let seen = fake.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[3].headers["x-acs-security-token"], "token-of-STS.2");

    // A key that does not change is not tried again.
    let fake = Fake::start([expired()]).await;
    let error = fake.client().ecs("cn-beijing").describe_regions(&DescribeRegions::default()).await;
    assert!(error.unwrap_err().is("InvalidSecurityToken.Expired"));
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_role_is_told_with_the_clouds_words() {
    let fake = Fake::start([refuse(403, "NoPermission")]).await;
    let found = find(&asked(), &at(&fake, ground(&KEYS, ""))).unwrap();
    let error = found.provider.credentials().await.unwrap_err();
    assert_eq!(
        chain_of(&error),
        "no credentials from assuming the role `acs:ram::1:role/r`: AssumeRole refused: `NoPermission` (request \
         `4C1A0000`): Told to."
    );
}

#[tokio::test]
async fn a_token_of_an_identity_provider_travels_in_the_body_of_an_unsigned_call() {
    let memory = Memory::default();
    memory.files.lock().unwrap().insert("/token".into(), "eyJhbGciOi.payload.sig\n".into());
    let variables = [
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/token"),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/pod"),
        ("ALIBABA_CLOUD_ROLE_SESSION_NAME", "pod-7"),
    ];
    let fake = Fake::start([session("STS.1")]).await;
    let ground = at(&fake, ground_of(&variables, memory));
    assert_eq!(key(find(&Asked::default(), &ground).unwrap().provider.as_ref()).await.unwrap(), "STS.1");
    let seen = &fake.seen()[0];
    assert!(seen.body.contains("eyJhbGciOi.payload.sig") && !seen.query.contains("eyJ"), "{seen:?}");
    let params = seen.params();
    let expected = [
        ("Action", "AssumeRoleWithOIDC"),
        ("Version", "2015-04-01"),
        ("Format", "JSON"),
        ("OIDCProviderArn", "acs:ram::1:oidc-provider/p"),
        ("OIDCToken", "eyJhbGciOi.payload.sig"),
        ("RoleArn", "acs:ram::1:role/pod"),
        ("RoleSessionName", "pod-7"),
    ];
    for (name, value) in expected {
        assert_eq!(params[name], value, "{name}");
    }
    for name in ["AccessKeyId", "Signature"] {
        assert!(!params.contains_key(name), "{name}");
    }
    assert!(!seen.headers.contains_key("authorization"));

    let error = find(&Asked::default(), &ground_of(&variables, Memory::default())).unwrap();
    let error = chain_of(&error.provider.credentials().await.unwrap_err());
    assert!(error.contains("token file `/token`"), "{error}");
}

#[tokio::test]
async fn the_role_of_an_instance_assumes_another() {
    let metadata = ok(json!({
        "Code": "Success", "AccessKeyId": "STS.instance", "AccessKeySecret": "s", "SecurityToken": "token-of-instance",
        "Expiration": "2126-01-02T09:04:05Z",
    }));
    let text = |text: &str| Reply::Answer(200, text.to_owned());
    let fake = Fake::start([text("session"), metadata, session("STS.2")]).await;
    let asked = Asked { ram_role_name: Some("packer".into()), ..asked() };
    let found = find(&asked, &at(&fake, ground(&[], ""))).unwrap();
    assert_eq!(key(found.provider.as_ref()).await.unwrap(), "STS.2");
    assert_eq!(fake.seen()[2].headers["x-acs-security-token"], "token-of-instance");
}

#[tokio::test]
async fn profiles_assume_roles_over_each_other() {
    let file = r#"{"profiles": [
        {"name": "base", "mode": "StsToken", "access_key_id": "k", "access_key_secret": "s", "sts_token": "token-of-base"},
        {"name": "middle", "mode": "ChainableRamRoleArn", "source_profile": "base", "ram_role_arn": "acs:ram::1:role/m",
         "ram_session_name": "m1", "expired_seconds": 900, "external_id": "x-1"},
        {"name": "top", "mode": "ChainableRamRoleArn", "source_profile": "middle", "ram_role_arn": "acs:ram::1:role/t"},
        {"name": "round", "mode": "ChainableRamRoleArn", "source_profile": "trip", "ram_role_arn": "a"},
        {"name": "trip", "mode": "ChainableRamRoleArn", "source_profile": "round", "ram_role_arn": "a"},
        {"name": "self", "mode": "ChainableRamRoleArn", "source_profile": "self", "ram_role_arn": "a"}
    ]}"#;
    let fake = Fake::start([session("STS.m"), session("STS.t")]).await;
    let ground = at(&fake, ground(&[], file));
    let profile = |name: &str| Asked { profile: Some(name.into()), ..Asked::default() };
    let found = find(&profile("top"), &ground).unwrap();
    assert_eq!(key(found.provider.as_ref()).await.unwrap(), "STS.t");
    let (first, second) = (&fake.seen()[0], &fake.seen()[1]);
    assert_eq!(first.headers["x-acs-security-token"], "token-of-base");
    let params = first.params();
    assert_eq!(
        (&*params["DurationSeconds"], &*params["ExternalId"], &*params["RoleSessionName"]),
        ("900", "x-1", "m1")
    );
    assert_eq!(second.headers["x-acs-security-token"], "token-of-STS.m");
    assert_eq!(second.params()["RoleSessionName"], "alicloud-api");

    for (name, way) in [("round", "`round` → `trip` → `round`"), ("self", "`self` → `self`")] {
        let error = find(&profile(name), &ground).unwrap_err().error.unwrap().to_string();
        assert!(error.contains("goes round") && error.ends_with(way), "{error}");
    }
}
