//! Retrying, re-signing, lost answers, cancelling, and what errors say.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alicloud_api::{
    CallObserver, CallOutcome, CallRecord, Client, Credentials, ErrorKind, NetworkFault, Retry,
    SignatureMethod,
    ecs::{self, CreateKeyPair, DeleteSnapshot, DescribeRegions, RunInstances},
    sign::{acs3, rpc_v1},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::fake::{Fake, KEY, Reply, SECRET, ok, refuse};

fn created() -> Reply {
    ok(json!({"RequestId": "R", "InstanceIdSets": {"InstanceIdSet": ["i-1"]}}))
}

fn with_token() -> RunInstances {
    RunInstances {
        client_token: Some("run-1/instance".into()),
        image_id: Some("m-1".into()),
        ..Default::default()
    }
}

#[tokio::test]
async fn answers_worth_repeating_are_repeated_and_others_are_not() {
    let repeated = [
        (400, "Throttling"),
        (400, "Throttling.User"),
        (503, "ServiceUnavailable"),
        (500, "InternalError"),
        (502, "Whatever"),
        (400, "LastTokenProcessing"),
        (400, "IdempotentProcessing"),
        (400, "TOKEN_PROCESSING"),
        (409, "OperationConflict"),
    ];
    for (status, code) in repeated {
        let fake = Fake::start([refuse(status, code), created()]).await;
        let answer = fake.client().ecs("cn-beijing").run_instances(&with_token()).await.unwrap();
        assert_eq!(answer.instance_ids[0], "i-1");
        assert_eq!(fake.seen().len(), 2, "{code}");
    }
    for (status, code) in
        [(400, "InvalidParameter"), (403, "Forbidden.RAM"), (404, "InvalidImageId.NotFound")]
    {
        let fake = Fake::start([refuse(status, code)]).await;
        let error = fake.client().ecs("cn-beijing").run_instances(&with_token()).await.unwrap_err();
        assert!(error.is(code) && error.attempts() == 1 && !error.effect_is_uncertain());
        assert_eq!(fake.seen().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn retries_are_bounded_and_the_last_error_is_told_whole() {
    let fake = Fake::start(vec![refuse(503, "ServiceUnavailable"); 9]).await;
    let error = fake.client().ecs("cn-beijing").run_instances(&with_token()).await.unwrap_err();
    assert_eq!(fake.seen().len(), 4);
    assert_eq!(
        error.to_string(),
        "RunInstances refused: `ServiceUnavailable` (request `4C1A0000`): Told to., tried 4 times"
    );
    assert_eq!(error.retry(), Retry::Server);
    assert_eq!(error.request_id(), Some("4C1A0000"));
    assert_eq!(error.region().unwrap().as_str(), "cn-beijing");
    assert!(error.effect_is_uncertain());
}

#[tokio::test]
async fn total_time_bounds_retries_too() {
    let fake = Fake::start(vec![refuse(503, "ServiceUnavailable"); 9]).await;
    let mut config = fake.config();
    config.retry.total_max = Duration::ZERO;
    let error =
        Client::new(config).unwrap().ecs("cn-beijing").run_instances(&with_token()).await.unwrap_err();
    assert_eq!((error.attempts(), fake.seen().len()), (1, 1));
}

#[tokio::test]
async fn each_try_is_signed_anew_with_the_same_client_token() {
    for signature in [SignatureMethod::Acs3, SignatureMethod::RpcV1] {
        let fake = Fake::start([refuse(400, "Throttling"), Reply::Close, created()]).await;
        let mut config = fake.config();
        config.signature = signature;
        Client::new(config).unwrap().ecs("cn-beijing").run_instances(&with_token()).await.unwrap();
        let seen = fake.seen();
        assert_eq!(seen.len(), 3);
        let mut nonces: Vec<_> = seen
            .iter()
            .map(|request| match signature {
                SignatureMethod::Acs3 => request.headers["x-acs-signature-nonce"].clone(),
                SignatureMethod::RpcV1 | SignatureMethod::Unsigned => {
                    request.params()["SignatureNonce"].clone()
                }
            })
            .collect();
        nonces.sort();
        nonces.dedup();
        assert_eq!(nonces.len(), 3, "{signature:?}");
        assert!(seen.iter().all(|request| request.params()["ClientToken"] == "run-1/instance"));
    }
}

#[tokio::test]
async fn what_arrives_is_what_was_signed() {
    let credentials = Credentials::new(KEY, SECRET).with_security_token("CAIS+/==");
    for (signature, password) in [
        (SignatureMethod::Acs3, None),
        (SignatureMethod::Acs3, Some("P&ss w%rd+~*")),
        (SignatureMethod::RpcV1, None),
        (SignatureMethod::RpcV1, Some("P&ss w%rd+~*")),
    ] {
        let fake = Fake::start([created()]).await;
        let mut config = fake.config();
        config.signature = signature;
        config.credentials = credentials.clone().into();
        let request = RunInstances {
            password: password.map(Into::into),
            instance_name: Some("打包 *~+/".into()),
            tags: vec![ecs::Tag::new("a b", "ü")],
            ..with_token()
        };
        Client::new(config).unwrap().ecs("cn-beijing").run_instances(&request).await.unwrap();
        let seen = &fake.seen()[0];
        let params = seen.params();
        assert_eq!(params["RegionId"], "cn-beijing");
        assert_eq!(params.get("Password").map(String::as_str), password);
        assert!(!seen.query.contains("Password"), "a password is no part of a URL");
        match signature {
            SignatureMethod::Acs3 => {
                let header = |name: &str| seen.headers.get(name).map(String::as_str);
                let query: Vec<_> =
                    if seen.body.is_empty() { params.into_iter().collect() } else { Vec::new() };
                let again = acs3::sign(
                    &credentials,
                    &acs3::Unsigned {
                        method: "POST",
                        path: "/",
                        host: header("host").unwrap(),
                        action: header("x-acs-action").unwrap(),
                        version: header("x-acs-version").unwrap(),
                        date: header("x-acs-date").unwrap(),
                        nonce: header("x-acs-signature-nonce").unwrap(),
                        query: &query,
                        content_type: header("content-type"),
                        body: seen.body.as_bytes(),
                    },
                );
                assert_eq!(again.query, seen.query);
                for (name, value) in again.headers {
                    assert_eq!(header(name), Some(value.as_str()));
                }
                assert_eq!(header("host").unwrap(), format!("127.0.0.1:{}", fake.port));
            }
            SignatureMethod::RpcV1 => {
                let signed = params.iter().filter(|(name, _)| *name != "Signature");
                let string = rpc_v1::string_to_sign("POST", signed.map(|(k, v)| (k.as_str(), v.as_str())));
                assert_eq!(rpc_v1::signature(SECRET, &string), params["Signature"]);
                assert_eq!(params["SecurityToken"], "CAIS+/==");
            }
            SignatureMethod::Unsigned => unreachable!("not among the cases"),
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_where_that_creates_nothing_twice() {
    // With a client token: again.
    for lost in [Reply::Close, Reply::Truncate] {
        let fake = Fake::start([lost, created()]).await;
        fake.client().ecs("cn-beijing").run_instances(&with_token()).await.unwrap();
        assert_eq!(fake.seen().len(), 2);
    }
    // Without one: not again, and the error says that it may have happened.
    for request in [RunInstances { client_token: None, ..with_token() }] {
        let fake = Fake::start([Reply::Close]).await;
        let error = fake.client().ecs("cn-beijing").run_instances(&request).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Network(NetworkFault::Reset));
        assert!(error.effect_is_uncertain());
        assert_eq!(fake.seen().len(), 1);
    }
    // A call that cannot carry one.
    let key_pair = CreateKeyPair { key_pair_name: "k".into(), ..Default::default() };
    let fake = Fake::start([Reply::Close]).await;
    let error = fake.client().ecs("cn-beijing").create_key_pair(&key_pair).await.unwrap_err();
    assert!(error.effect_is_uncertain());
    assert_eq!(fake.seen().len(), 1);
    // The same call when the answer proves that nothing was done.
    let made = json!({"KeyPairName": "k", "PrivateKeyBody": "-----BEGIN RSA"});
    let fake = Fake::start([refuse(400, "Throttling.User"), ok(made)]).await;
    let answer = fake.client().ecs("cn-beijing").create_key_pair(&key_pair).await.unwrap();
    assert_eq!(answer.private_key_body.expose(), "-----BEGIN RSA");
    // A deletion: again; its second answer is "not found", which is success.
    let fake = Fake::start([Reply::Close, refuse(404, "InvalidSnapshotId.NotFound")]).await;
    let delete = DeleteSnapshot { snapshot_id: "s-1".into(), force: Some(true) };
    let error = fake.client().ecs("cn-beijing").delete_snapshot(&delete).await.unwrap_err();
    assert!(error.is_not_found());
}

#[tokio::test]
async fn an_effect_lost_once_stays_uncertain_whatever_the_last_answer_is() {
    let fake = Fake::start([Reply::Close, refuse(400, "InvalidParameter")]).await;
    let error = fake.client().ecs("cn-beijing").run_instances(&with_token()).await.unwrap_err();
    assert!(error.is("InvalidParameter") && error.effect_is_uncertain());
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let fake = Fake::start([Reply::Hold]).await;
    let mut config = fake.config();
    config.timeout = Some(Duration::from_millis(60));
    config.retry.attempts_max = 1;
    let ecs = Client::new(config).unwrap().ecs("cn-beijing");
    let error = ecs.describe_regions(&DescribeRegions::default()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Network(NetworkFault::TimedOut));
    let expected = format!("DescribeRegions unanswered: no answer in time (`127.0.0.1:{}`)", fake.port);
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let fake = Fake::start([]).await;
    let mut config = fake.config();
    config.endpoints =
        config.endpoints.with(alicloud_api::Product::Ecs, &format!("http://127.0.0.1:{port}")).unwrap();
    let error =
        Client::new(config).unwrap().ecs("cn-beijing").run_instances(&with_token()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("RunInstances unanswered: connection refused (`127.0.0.1:{port}`), tried 4 times")
    );
    assert!(!error.effect_is_uncertain(), "nothing was ever sent");
}

#[tokio::test]
async fn a_gateways_page_is_not_the_apis_answer() {
    let page = Reply::Answer(502, "<html>Bad Gateway</html>".to_owned());
    let fake =
        Fake::start([page.clone(), ok(json!({"Regions": {"Region": [{"RegionId": "cn-beijing"}]}}))]).await;
    let regions =
        fake.client().ecs("cn-beijing").describe_regions(&DescribeRegions::default()).await.unwrap();
    assert_eq!(regions.regions[0].region_id, "cn-beijing");

    let fake = Fake::start([Reply::Answer(403, "<html>".to_owned())]).await;
    let error =
        fake.client().ecs("cn-beijing").describe_regions(&DescribeRegions::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (&ErrorKind::Decode, Some(403)));

    // Success that cannot be read: it was done, so it is not done again.
    let fake = Fake::start([ok(json!({"RequestId": "R-9"}))]).await;
    let error = fake.client().ecs("cn-beijing").run_instances(&with_token()).await.unwrap_err();
    assert_eq!((error.kind(), error.request_id()), (&ErrorKind::Decode, Some("R-9")));
    assert!(error.effect_is_uncertain());
}

#[tokio::test]
async fn secrets_that_the_cloud_repeats_are_not_shown() {
    let said = json!({
        "RequestId": "R", "Code": "SignatureDoesNotMatch",
        "Message": "Specified signature does not match our calculation. server string to sign is:POST&%2F&Password%3DHunter2222",
    });
    let echoed = json!({"RequestId": "R", "Code": "InvalidPassword", "Message": "Hunter2222 is too weak."});
    let fake =
        Fake::start([Reply::Answer(400, said.to_string()), Reply::Answer(400, echoed.to_string())]).await;
    let request = RunInstances { password: Some("Hunter2222".into()), ..with_token() };
    let ecs = fake.client().ecs("cn-beijing");
    let error = ecs.run_instances(&request).await.unwrap_err();
    assert_eq!(error.message(), "Specified signature does not match our calculation.");
    assert!(!format!("{error:?}").contains("Hunter"));
    let error = ecs.run_instances(&request).await.unwrap_err();
    assert_eq!(error.message(), "<sensitive> is too weak.");
    assert!(!format!("{request:?} {ecs:?}").contains("Hunter") && !format!("{ecs:?}").contains(SECRET));
}

#[tokio::test]
async fn a_wrong_secret_key_is_named_when_both_sides_signed_the_same_text() {
    // What the server says it would have signed is taken from the request it got.
    let fake = Fake::start([refuse(400, "Throttling")]).await;
    let mut config = fake.config();
    #[derive(Debug)]
    struct Fixed;
    impl alicloud_api::Freshness for Fixed {
        fn now(&self) -> jiff::Timestamp {
            "2026-01-02T03:04:05Z".parse().unwrap()
        }
        fn nonce(&self) -> String {
            "n1".to_owned()
        }
    }
    config.freshness = Arc::new(Fixed);
    config.signature = SignatureMethod::RpcV1;
    config.retry.attempts_max = 1;
    let client = Client::new(config).unwrap();
    let ask = DescribeRegions::default();
    client.ecs("cn-beijing").describe_regions(&ask).await.unwrap_err();
    let params = fake.seen()[0].params();
    let signed = params.iter().filter(|(name, _)| *name != "Signature");
    let string = rpc_v1::string_to_sign("POST", signed.map(|(k, v)| (k.as_str(), v.as_str())));
    let message = format!("Specified signature is not matched. server string to sign is:{string}");

    let said =
        json!({"RequestId": "R", "Code": "SignatureDoesNotMatch", "Message": message, "Recommend": "x"});
    let second = Fake::start([Reply::Answer(400, said.to_string())]).await;
    let mut config = second.config();
    (config.freshness, config.signature) = (Arc::new(Fixed), SignatureMethod::RpcV1);
    let error = Client::new(config).unwrap().ecs("cn-beijing").describe_regions(&ask).await.unwrap_err();
    assert_eq!(error.recommend(), Some("InvalidAccessKeySecret: Please check you AccessKeySecret"));
}

#[tokio::test]
async fn cancelling_ends_looks_at_once_and_lets_effects_finish() {
    let cancel = CancellationToken::new();
    let fake = Fake::start([Reply::Hold, Reply::Hold, created()]).await;
    let ecs = fake.client().with_cancel(cancel.clone()).ecs("cn-beijing");

    // An effect under way: its answer is awaited and returned.
    let delete = tokio::spawn({
        let ecs = ecs.clone();
        async move { ecs.delete_snapshot(&DeleteSnapshot { snapshot_id: "s-1".into(), force: None }).await }
    });
    fake.arrival().await;
    // A look under way: ended.
    let look = tokio::spawn({
        let ecs = ecs.clone();
        async move { ecs.describe_regions(&DescribeRegions::default()).await }
    });
    fake.arrival().await;
    cancel.cancel();
    let error = look.await.unwrap().unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(error.to_string(), "DescribeRegions cancelled");
    assert!(!delete.is_finished());
    fake.release();
    fake.release();
    delete.await.unwrap().unwrap();

    // What has not begun does not begin.
    let error = ecs.run_instances(&with_token()).await.unwrap_err();
    assert!(error.is_cancelled() && !error.effect_is_uncertain() && error.attempts() == 0);
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn cancelling_ends_the_pause_before_another_try() {
    let cancel = CancellationToken::new();
    let fake = Fake::start([Reply::Close]).await;
    let mut config = fake.config();
    (config.retry.first_pause, config.retry.pause_max) = (Duration::from_secs(60), Duration::from_secs(60));
    let ecs = Client::new(config).unwrap().with_cancel(cancel.clone()).ecs("cn-beijing");
    let creating = tokio::spawn(async move { ecs.run_instances(&with_token()).await });
    fake.arrival().await;
    cancel.cancel();
    let error = tokio::time::timeout(Duration::from_secs(5), creating).await.unwrap().unwrap().unwrap_err();
    assert!(error.is_cancelled() && error.effect_is_uncertain(), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("RunInstances unanswered: connection lost"), "{cause}");
}

#[tokio::test]
async fn the_observer_sees_every_try() {
    #[derive(Default)]
    struct Journal(Mutex<Vec<String>>);
    impl CallObserver for Journal {
        fn observed(&self, call: &CallRecord<'_>) {
            let outcome = match call.outcome {
                CallOutcome::Done { request_id } => format!("done {}", request_id.unwrap_or("-")),
                CallOutcome::Failed(error) => error.to_string(),
            };
            let line =
                format!("{} {} {} #{}: {outcome}", call.region, call.product, call.action, call.attempt);
            self.0.lock().unwrap().push(line);
        }
    }

    let journal = Arc::new(Journal::default());
    let fake = Fake::start([refuse(400, "Throttling"), created()]).await;
    let mut config = fake.config();
    config.observer = Some(journal.clone());
    Client::new(config).unwrap().ecs("cn-beijing").run_instances(&with_token()).await.unwrap();
    assert_eq!(
        *journal.0.lock().unwrap(),
        [
            "cn-beijing ecs RunInstances #1: RunInstances refused: `Throttling` (request `4C1A0000`): Told to.",
            "cn-beijing ecs RunInstances #2: done R",
        ]
    );
}
