//! The precedence: every row, and what is never mixed.

use alicloud_api::credentials::{Asked, Found, NotFound, find};

use super::{ground, key};

const FILE: &str = r#"{"current": "now", "profiles": [
    {"name": "now", "mode": "AK", "access_key_id": "of-now", "access_key_secret": "s", "region_id": "cn-now"},
    {"name": "one", "mode": "AK", "access_key_id": "of-one", "access_key_secret": "s1", "region_id": "cn-one",
     "endpoint": "ecs.one.example"},
    {"name": "bare", "mode": "AK", "access_key_id": "of-bare", "access_key_secret": "s", "region_id": ""},
    {"name": "role", "mode": "RamRoleArn", "access_key_id": "of-role", "access_key_secret": "s",
     "ram_role_arn": "acs:ram::1:role/own"}
]}"#;

const KEYS: [(&str, &str); 2] = [("ALICLOUD_ACCESS_KEY", "of-env"), ("ALICLOUD_SECRET_KEY", "env-secret")];

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn with(variables: &[(&str, &str)], asked: &Asked) -> Result<Found, Box<NotFound>> {
    find(asked, &ground(variables, FILE))
}

fn template_keys() -> Asked {
    Asked { access_key: text("of-template"), secret_key: Some("t".into()), ..Asked::default() }
}

#[tokio::test]
async fn each_row_wins_over_all_below_it() {
    // Everything at once; row by row the winner is taken away.
    let mut asked = Asked {
        profile: text("one"),
        ram_role_name: text("of-instance"),
        region: text("cn-template"),
        ..template_keys()
    };
    let mut variables = vec![
        ("ALICLOUD_ACCESS_KEY", "of-env"),
        ("ALICLOUD_SECRET_KEY", "s"),
        ("ALICLOUD_PROFILE", "bare"),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "of-official"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s"),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/p"),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/token"),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/pod"),
        ("ALIBABA_CLOUD_PROFILE", "one"),
        ("ALIBABA_CLOUD_ECS_METADATA", "of-metadata"),
        ("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/x"),
    ];
    let mut sources = Vec::new();
    let mut winner = |asked: &Asked, variables: &[(&str, &str)], file: &str| {
        let found = find(asked, &ground(variables, file)).unwrap();
        assert_eq!(found.passed.len(), 10, "all others are told");
        sources.push(found.source);
    };
    winner(&asked, &variables, FILE);
    asked.profile = text("");
    winner(&asked, &variables, FILE);
    asked.ram_role_name = None;
    winner(&asked, &variables, FILE);
    (asked.access_key, asked.secret_key) = (None, Some("".into()));
    winner(&asked, &variables, FILE);
    for (without, file) in [(2, FILE), (1, FILE), (2, FILE), (3, FILE), (1, FILE), (0, ""), (1, "")] {
        variables.drain(..without);
        winner(&asked, &variables, file);
    }
    assert_eq!(
        sources,
        [
            "`profile` of the template: `one` (mode AK) in `/home/u/.aliyun/config.json`",
            "`ram_role_name` of the template: role `of-instance` of this instance",
            "`access_key` and `secret_key` of the template (key `of-template`)",
            "ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY (key `of-env`)",
            "the profile that ALICLOUD_PROFILE names: `bare` (mode AK) in `/home/u/.aliyun/config.json`",
            "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET (key `of-official`)",
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN, …_OIDC_TOKEN_FILE and …_ROLE_ARN: role `acs:ram::1:role/pod`",
            "the profile that ALIBABA_CLOUD_PROFILE names: `one` (mode AK) in `/home/u/.aliyun/config.json`",
            "the current profile of the credentials file: `now` (mode AK) in `/home/u/.aliyun/config.json`",
            "ALIBABA_CLOUD_ECS_METADATA: role `of-metadata` of this instance",
            "ALIBABA_CLOUD_CREDENTIALS_URI",
        ]
    );
    let nothing = find(&asked, &ground(&[], "")).unwrap_err();
    assert!(nothing.error.is_none() && nothing.passed.len() == 11, "{nothing:?}");
    assert_eq!(
        nothing.passed[8].why,
        "credentials file `/home/u/.aliyun/config.json`: there is no such file"
    );
}

#[tokio::test]
async fn a_key_is_never_paired_with_anothers_secret_or_token() {
    let token = |found: Found| async move {
        let credentials = found.provider.credentials().await.unwrap();
        (credentials.access_key_id, credentials.security_token.map(|token| token.expose().to_owned()))
    };
    let env = [KEYS[0], KEYS[1], ("SECURITY_TOKEN", "env-token")];

    // The environment's token goes with the environment's key only.
    assert_eq!(token(with(&env, &Asked::default()).unwrap()).await, ("of-env".into(), text("env-token")));
    assert_eq!(token(with(&env, &template_keys()).unwrap()).await, ("of-template".into(), None));
    // Unless the template's key *is* the environment's, by way of a variable.
    let through =
        Asked { access_key: text("of-env"), secret_key: Some("env-secret".into()), ..Asked::default() };
    assert_eq!(token(with(&env, &through).unwrap()).await, ("of-env".into(), text("env-token")));

    // The template's token does not go with the environment's key, and that is said.
    let lost = with(&KEYS, &Asked { security_token: Some("t".into()), ..Asked::default() }).unwrap();
    assert!(lost.warnings[0].contains("security_token of the template is not used"), "{lost:?}");
    assert_eq!(token(lost).await, ("of-env".into(), None));

    // Half a pair is no pair.
    let half = Asked { access_key: text("of-template"), ..Asked::default() };
    let refused = with(&KEYS, &half).unwrap_err();
    assert_eq!(refused.field, Some("access_key"));
    let half = find(&Asked::default(), &ground(&[KEYS[0]], "")).unwrap_err();
    assert_eq!(half.passed[3].why, "ALICLOUD_SECRET_KEY is not set");
}

#[test]
fn a_profile_of_the_template_wins_and_what_it_beats_is_said() {
    let asked = Asked {
        profile: text("one"),
        region: text("cn-template"),
        ram_role_name: text("r"),
        ..template_keys()
    };
    let found = with(&KEYS, &asked).unwrap();
    assert_eq!(found.region.unwrap().as_str(), "cn-one");
    assert_eq!((found.endpoint_ecs.as_deref(), found.endpoint_ecs_wins), (Some("ecs.one.example"), true));
    assert_eq!(found.warnings.len(), 2, "{:?}", found.warnings);
    assert_eq!(
        found.warnings[0],
        "access_key and secret_key of the template are not used: the profile `one` wins, and its credentials are \
         others"
    );
    let same = Asked { access_key: text("of-one"), secret_key: Some("s1".into()), ..asked };
    assert_eq!(with(&[], &Asked { ram_role_name: None, ..same }).unwrap().warnings, [""; 0]);
}

#[test]
fn the_region_has_an_order_of_its_own() {
    let region = |variables: &[(&str, &str)], asked: &Asked| {
        let found = with(variables, asked).unwrap();
        (found.region.map(|it| it.to_string()).unwrap_or_default(), found.region_source)
    };
    let of_template = Asked { region: text("cn-template"), ..Asked::default() };
    let profile = |name: &str, asked: &Asked| Asked { profile: text(name), ..asked.clone() };
    let env = ("ALICLOUD_REGION", "cn-env");
    let nothing = Asked::default();
    let cases: [(&[_], _, _); 8] = [
        (&[env], profile("one", &of_template), ("cn-one", "the profile")),
        // An empty text is absent.
        (&[env], profile("bare", &of_template), ("cn-template", "the template")),
        (&[env], profile("bare", &nothing), ("cn-env", "ALICLOUD_REGION")),
        (&[env, ("ALICLOUD_PROFILE", "one")], of_template, ("cn-template", "the template")),
        (&[env, ("ALICLOUD_PROFILE", "one")], nothing.clone(), ("cn-env", "ALICLOUD_REGION")),
        (&[("ALICLOUD_PROFILE", "one")], nothing.clone(), ("cn-one", "the profile")),
        (
            &[("ALICLOUD_PROFILE", "bare"), ("ALIBABA_CLOUD_REGION_ID", "cn-last")],
            nothing.clone(),
            ("cn-last", "ALIBABA_CLOUD_REGION_ID"),
        ),
        (&KEYS, nothing, ("", "ALIBABA_CLOUD_REGION_ID")),
    ];
    for (variables, asked, (expected, source)) in cases {
        assert_eq!(region(variables, &asked), (expected.to_owned(), source), "{variables:?} {asked:?}");
    }
}

#[test]
fn a_role_of_the_template_is_assumed_with_whatever_wins() {
    let role = |asked: Asked| Asked { ram_role_arn: text("acs:ram::2:role/b"), ..asked };
    let profile = |name: &str| Asked { profile: text(name), ..Asked::default() };
    for asked in [template_keys(), Asked { ram_role_name: text("r"), ..Asked::default() }, profile("one")] {
        let found = with(&[], &role(asked)).unwrap();
        assert!(found.source.ends_with(", then assuming `acs:ram::2:role/b`"), "{}", found.source);
    }
    // A profile that names a role itself wins.
    let found = with(&[], &role(profile("role"))).unwrap();
    assert!(found.warnings[0].starts_with("ram_role_arn is not used: the profile `role` (mode RamRoleArn)"));
    // The session's name becomes part of logs, and has a form.
    let bad = Asked { ram_session_name: text("a b"), ..role(template_keys()) };
    assert_eq!(with(&[], &bad).unwrap_err().field, Some("ram_session_name"));
}

#[test]
fn what_is_named_and_missing_is_an_error_and_not_passed_over() {
    let profile = Asked { profile: text("other"), ..template_keys() };
    let error = with(&KEYS, &profile).unwrap_err();
    assert_eq!(error.field, Some("profile"));
    assert_eq!(
        error.error.unwrap().to_string(),
        "credentials file `/home/u/.aliyun/config.json`: there is no profile `other`; it has `now`, `one`, `bare`, \
         `role`"
    );
    let file = Asked { shared_credentials_file: text("~/elsewhere.json"), ..profile.clone() };
    assert_eq!(
        with(&KEYS, &file).unwrap_err().error.unwrap().to_string(),
        "credentials file `/home/u/elsewhere.json`: there is no such file"
    );
    let variable = with(&[("ALICLOUD_PROFILE", "other")], &Asked::default()).unwrap_err();
    assert!(variable.error.unwrap().to_string().starts_with("ALICLOUD_PROFILE: credentials file"));
    // The file's own choice was not asked for: it is passed over.
    let broken = find(&Asked::default(), &ground(&[], r#"{"current":"x","profiles":[]}"#)).unwrap_err();
    assert!(broken.passed[8].why.contains("there is no profile `x`; it has none"), "{broken:?}");
}

#[tokio::test]
async fn the_metadata_service_can_be_switched_off() {
    let variables = [("ALIBABA_CLOUD_ECS_METADATA", "r"), ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
    let nothing = find(&Asked::default(), &ground(&variables, "")).unwrap_err();
    assert_eq!(nothing.passed[9].why, "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true");
}

#[tokio::test]
async fn sources_are_told_apart_and_nothing_of_them_shows() {
    let mark = |asked: &Asked| with(&[], asked).unwrap().fingerprint;
    let other_secret = Asked { secret_key: Some("u".into()), ..template_keys() };
    assert_ne!(mark(&template_keys()), mark(&other_secret));
    assert_eq!(mark(&template_keys()), mark(&template_keys()));
    let found = with(&[], &template_keys()).unwrap();
    assert_eq!(key(found.provider.as_ref()).await.unwrap(), "of-template");
    let secret = Asked { secret_key: Some("hunter22".into()), ..template_keys() };
    assert!(!format!("{:?}", with(&[], &secret).unwrap()).contains("hunter22"));
}
