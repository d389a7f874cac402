//! Who may do what: users, roles, policies, and the sessions of roles.

use serde_json::{Value, json};

use super::world::{Client, World};

const UID: &str = "1000000000000001";
const BEIJING: (&str, &str) = ("RegionId", "cn-beijing");

/// An account with a user who may look at everything, start roles, and nothing else.
fn inventory() -> String {
    json!({
        "uid": UID,
        "users": [{"name": "ann", "access_keys": {"ann-key": "ann-secret"}, "policies": ["looks", "AliyunSTSAssumeRoleAccess"]}],
        "policies": [{"name": "looks", "document": {"Version": "1", "Statement": [
            {"Effect": "Allow", "Action": ["ecs:Describe*", "vpc:Describe*"], "Resource": "*"},
            {"Effect": "Deny", "Action": "ecs:DescribeDisks", "Resource": "*"}]}}],
        "roles": [
            {"name": "builder", "max_session_seconds": 7200},
            {"name": "tied", "trust": {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"RAM": [format!("acs:ram::{UID}:user/ann")]}, "Condition": {"StringEquals": {"sts:ExternalId": "secret-word"}}}]}},
            {"name": "idle", "policies": []}
        ]
    })
    .to_string()
}

async fn call(client: &Client, action: &str, params: &[(&str, &str)]) -> (String, Value) {
    let (_, answer) = client.call(action, params).await.unwrap();
    (answer["Code"].as_str().unwrap_or("OK").to_owned(), answer)
}

fn ann(world: &World) -> Client {
    Client::new(&world.client.endpoint, ("ann-key".to_owned(), "ann-secret".to_owned()))
}

/// Makes a client of the keys that an answer holds.
fn session(world: &World, answer: &Value) -> Client {
    let part = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let mut client = Client::new(&world.client.endpoint, (part("AccessKeyId"), part("AccessKeySecret")));
    client.token = Some(part("SecurityToken"));
    client
}

fn arn(role: &str) -> String {
    format!("acs:ram::{UID}:role/{role}")
}

#[tokio::test]
async fn a_user_may_do_what_policies_allow_and_the_account_everything() {
    let world = World::with(&inventory(), None).await;
    let ann = ann(&world);
    assert_eq!(call(&ann, "DescribeImages", &[BEIJING]).await.0, "OK");
    let (code, denied) = call(&ann, "DescribeDisks", &[BEIJING]).await;
    assert_eq!(
        (code.as_str(), denied["AccessDeniedDetail"]["NoPermissionType"].as_str()),
        ("Forbidden.RAM", Some("ExplicitDeny"))
    );
    let (code, denied) = call(&ann, "CreateVpc", &[BEIJING, ("CidrBlock", "172.16.0.0/16")]).await;
    assert_eq!(code, "Forbidden.RAM");
    let id = world.ok("GetUser", &[("UserName", "ann")]).await["User"]["UserId"].clone();
    let expected = json!({
        "AuthAction": "vpc:CreateVpc", "AuthPrincipalType": "SubUser", "AuthPrincipalOwnerId": UID,
        "AuthPrincipalDisplayName": id, "NoPermissionType": "ImplicitDeny",
        "PolicyType": "AccountLevelIdentityBasedPolicy",
    });
    assert_eq!(denied["AccessDeniedDetail"], expected);
    assert_eq!(call(&ann, "GetRole", &[("RoleName", "builder")]).await.0, "NoPermission");
    let (_, who) = call(&ann, "GetCallerIdentity", &[]).await;
    let who = (who["IdentityType"].as_str(), who["Arn"].as_str(), &who["UserId"]);
    assert_eq!(who, (Some("RAMUser"), Some("acs:ram::1000000000000001:user/ann"), &id));
    world.ok("CreateVpc", &[BEIJING, ("CidrBlock", "172.16.0.0/16")]).await;
}

#[tokio::test]
async fn a_policy_may_name_what_it_is_about() {
    let world = World::with(&inventory(), None).await;
    let (_, vswitch, group) = world.network().await;
    let (mine, other) =
        (world.instance(&vswitch, &group, &[]).await, world.instance(&vswitch, &group, &[]).await);
    let document = format!(
        r#"{{"Version": "1", "Statement": [{{"Effect": "Allow", "Action": "ecs:DeleteInstance", "Resource": "acs:ecs:*:{UID}:instance/{mine}"}}]}}"#
    );
    world.pass(30).await;
    world.ok("CreatePolicy", &[("PolicyName", "one"), ("PolicyDocument", &document)]).await;
    let attach = [("PolicyType", "Custom"), ("PolicyName", "one"), ("UserName", "ann")];
    world.ok("AttachPolicyToUser", &attach).await;
    assert_eq!(world.refused("AttachPolicyToUser", &attach).await, "EntityAlreadyExists.User.Policy");
    assert_eq!(world.refused("DeletePolicy", &[("PolicyName", "one")]).await, "DeleteConflict.Policy.User");
    let ann = ann(&world);
    let delete = |id: String| {
        let ann = &ann;
        async move { call(ann, "DeleteInstance", &[BEIJING, ("InstanceId", &id), ("Force", "true")]).await.0 }
    };
    assert_eq!(delete(other).await, "Forbidden.RAM");
    assert_eq!(delete(mine).await, "OK");
}

#[tokio::test]
async fn a_session_ends_and_may_do_what_its_role_and_its_own_policy_allow() {
    let world = World::with(&inventory(), None).await;
    let ann = ann(&world);
    let builder = arn("builder");
    let usual = [("RoleArn", builder.as_str()), ("RoleSessionName", "build.1@host")];
    let (_, answer) = call(&ann, "AssumeRole", &[usual[0], usual[1], ("DurationSeconds", "7200")]).await;
    assert_eq!(answer["Credentials"]["Expiration"], "2026-01-02T05:04:00Z");
    assert_eq!(answer["AssumedRoleUser"]["Arn"], format!("{builder}/build.1@host"));
    let client = session(&world, &answer);
    let (_, who) = call(&client, "GetCallerIdentity", &[]).await;
    assert_eq!(who["Arn"], format!("acs:ram::{UID}:assumed-role/builder/build.1@host"));
    assert_eq!(call(&client, "CreateVpc", &[BEIJING, ("CidrBlock", "172.16.0.0/16")]).await.0, "OK");
    let (_, looks) = call(&ann, "AssumeRole", &[usual[0], usual[1], ("Policy", r#"{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "ecs:Describe*", "Resource": "*"}]}"#)]).await;
    let looks = session(&world, &looks);
    assert_eq!(call(&looks, "DescribeImages", &[BEIJING]).await.0, "OK");
    let (code, denied) = call(&looks, "CreateVpc", &[BEIJING, ("CidrBlock", "172.16.0.0/16")]).await;
    assert_eq!(
        (code.as_str(), denied["AccessDeniedDetail"]["PolicyType"].as_str()),
        ("Forbidden.RAM", Some("SessionPolicy"))
    );
    world.pass(7199).await;
    assert_eq!(call(&client, "DescribeImages", &[BEIJING]).await.0, "OK");
    world.pass(1).await;
    assert_eq!(call(&client, "DescribeImages", &[BEIJING]).await.0, "InvalidSecurityToken.Expired");
    let mut tampered = client;
    tampered.token = Some("CAISother".to_owned());
    assert_eq!(call(&tampered, "DescribeImages", &[BEIJING]).await.0, "InvalidSecurityToken.Malformed");
    tampered.token = None;
    assert_eq!(call(&tampered, "DescribeImages", &[BEIJING]).await.0, "MissingSecurityToken");
    let mut lasting = self::ann(&world);
    lasting.token = Some("CAISother".to_owned());
    let code = call(&lasting, "DescribeImages", &[BEIJING]).await.0;
    assert_eq!(code, "InvalidSecurityToken.MismatchWithAccessKey");
}

async fn assume(client: &Client, role: &str, session: &str, more: &[(&str, &str)]) -> (String, Value) {
    let params = [&[("RoleArn", role), ("RoleSessionName", session)], more].concat();
    call(client, "AssumeRole", &params).await
}

#[tokio::test]
async fn each_mistake_about_a_role_has_its_code() {
    let world = World::with(&inventory(), None).await;
    let ann = ann(&world);
    let (builder, tied, idle) = (arn("builder"), arn("tied"), arn("idle"));
    assert_eq!(assume(&ann, &builder, "x y", &[]).await.0, "InvalidParameter.RoleSessionName");
    assert_eq!(assume(&ann, &builder, "x", &[]).await.0, "InvalidParameter.RoleSessionName");
    assert_eq!(assume(&ann, "builder", "kiln", &[]).await.0, "InvalidParameter.RoleArn");
    assert_eq!(assume(&ann, &arn("none"), "kiln", &[]).await.0, "EntityNotExist.Role");
    assert_eq!(
        assume(&ann, &builder, "kiln", &[("DurationSeconds", "899")]).await.0,
        "InvalidParameter.DurationSeconds"
    );
    assert_eq!(
        assume(&ann, &builder, "kiln", &[("DurationSeconds", "7201")]).await.0,
        "InvalidParameter.DurationSeconds"
    );
    assert_eq!(assume(&ann, &builder, "kiln", &[("Policy", "{}")]).await.0, "InvalidParameter.PolicyGrammar");
    let (code, denied) = assume(&ann, &tied, "kiln", &[]).await;
    assert_eq!(
        (code.as_str(), denied["AccessDeniedDetail"]["PolicyType"].as_str()),
        ("NoPermission", Some("AssumeRolePolicy"))
    );
    assert_eq!(assume(&ann, &tied, "kiln", &[("ExternalId", "secret-word")]).await.0, "OK");
    // Names of roles are the same in any case.
    assert_eq!(assume(&ann, &builder.replace("builder", "Builder"), "kiln", &[]).await.0, "OK");
    let idle = session(&world, &assume(&ann, &idle, "kiln", &[]).await.1);
    assert_eq!(call(&idle, "DescribeImages", &[BEIJING]).await.0, "Forbidden.RAM");
    assert_eq!(
        call(&idle, "AssumeRole", &[("RoleArn", &builder), ("RoleSessionName", "kiln")]).await.0,
        "NoPermission"
    );
}

#[tokio::test]
async fn a_user_is_made_gets_a_key_and_goes() {
    let world = World::new().await;
    world.ok("CreateUser", &[("UserName", "bob")]).await;
    let key = world.ok("CreateAccessKey", &[("UserName", "bob")]).await["AccessKey"].clone();
    let part = |name: &str| key[name].as_str().unwrap().to_owned();
    let bob = Client::new(&world.client.endpoint, (part("AccessKeyId"), part("AccessKeySecret")));
    assert_eq!(call(&bob, "DescribeImages", &[BEIJING]).await.0, "Forbidden.RAM");
    let policy = [("PolicyType", "System"), ("PolicyName", "AliyunECSReadOnlyAccess"), ("UserName", "bob")];
    world.ok("AttachPolicyToUser", &policy).await;
    assert_eq!(call(&bob, "DescribeImages", &[BEIJING]).await.0, "OK");
    let of_bob = [("UserName", "bob"), ("UserAccessKeyId", key["AccessKeyId"].as_str().unwrap())];
    world.ok("UpdateAccessKey", &[of_bob[0], of_bob[1], ("Status", "Inactive")]).await;
    assert_eq!(call(&bob, "DescribeImages", &[BEIJING]).await.0, "InvalidAccessKeyId.Inactive");
    assert_eq!(world.refused("DeleteUser", &of_bob[..1]).await, "DeleteConflict.User.Policy");
    world.ok("DetachPolicyFromUser", &policy).await;
    assert_eq!(world.refused("DeleteUser", &of_bob[..1]).await, "DeleteConflict.User.AccessKey");
    world.ok("DeleteAccessKey", &of_bob).await;
    world.ok("DeleteUser", &of_bob[..1]).await;
    assert_eq!(world.refused("GetUser", &of_bob[..1]).await, "EntityNotExist.User");
    let unknown = [("PolicyType", "System"), ("PolicyName", "NoSuchPolicy"), ("RoleName", "r")];
    let trust = r#"{"Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}}], "Version": "1"}"#;
    world.ok("CreateRole", &[("RoleName", "r"), ("AssumeRolePolicyDocument", trust)]).await;
    assert_eq!(world.refused("AttachPolicyToRole", &unknown).await, "EntityNotExist.Policy");
}

#[tokio::test]
async fn an_instances_role_must_be_made_for_instances_and_be_one_that_may_be_passed_on() {
    let world = World::with(&inventory(), None).await;
    let (_, vswitch, group) = world.network().await;
    let with = |role: &'static str| {
        [
            BEIJING,
            ("ImageId", "centos_7_03_64_20G_alibase_20170818.vhd"),
            ("InstanceType", "ecs.t5-lc1m1.small"),
            ("VSwitchId", &vswitch),
            ("SecurityGroupId", &group),
            ("RamRoleName", role),
        ]
    };
    // Made for a user, not for instances.
    assert_eq!(world.refused("RunInstances", &with("tied")).await, "InvalidRamRole.NotEcsRole");
    let full = [("PolicyType", "System"), ("PolicyName", "AliyunECSFullAccess"), ("UserName", "ann")];
    world.ok("AttachPolicyToUser", &full).await;
    let ann = ann(&world);
    let (code, denied) = call(&ann, "RunInstances", &with("builder")).await;
    assert_eq!(
        (code.as_str(), denied["AccessDeniedDetail"]["AuthAction"].as_str()),
        ("InvalidUser.PassRoleForbidden", Some("ram:PassRole"))
    );
    let document = r#"{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "ram:PassRole", "Resource": "acs:ram:*:*:role/builder",
        "Condition": {"StringEquals": {"acs:Service": "ecs.aliyuncs.com"}}}]}"#;
    world.ok("CreatePolicy", &[("PolicyName", "pass"), ("PolicyDocument", document)]).await;
    world
        .ok("AttachPolicyToUser", &[("PolicyType", "Custom"), ("PolicyName", "pass"), ("UserName", "ann")])
        .await;
    assert_eq!(call(&ann, "RunInstances", &with("builder")).await.0, "OK");
    assert_eq!(call(&ann, "RunInstances", &with("idle")).await.0, "InvalidUser.PassRoleForbidden");
}

/// Signs a token as the provider of the test does.
fn token(claims: &Value) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let text = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"shared").unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_token_of_a_provider_opens_a_role_without_a_signature() {
    let provider = format!("acs:ram::{UID}:oidc-provider/ci");
    let inventory = json!({
        "uid": UID,
        "oidc_providers": [{"name": "ci", "issuer": "https://ci.example", "client_ids": ["kiln"], "secret": "shared", "tokens": {"plain-token": "job"}}],
        "roles": [{"name": "deployer", "trust": {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Federated": [provider]}, "Condition": {"StringEquals": {"oidc:aud": "kiln", "oidc:sub": "job"}}}]}},
            {"name": "builder"}]
    });
    let world = World::with(&inventory.to_string(), None).await;
    let asks = async |token: &str, role: &str| {
        let mut url = reqwest::Url::parse(&world.client.endpoint).unwrap();
        url.query_pairs_mut()
            .extend_pairs([("Action", "AssumeRoleWithOIDC"), ("Version", "2015-04-01"), ("Format", "JSON")])
            .extend_pairs([("OIDCProviderArn", provider.as_str()), ("OIDCToken", token)])
            .extend_pairs([("RoleArn", arn(role).as_str()), ("RoleSessionName", "ci-1")]);
        let answer: Value = world.client.http.post(url).send().await.unwrap().json().await.unwrap();
        (answer["Code"].as_str().unwrap_or("OK").to_owned(), answer)
    };
    // 2026-01-02T03:04:00Z is 1767323040.
    let claims = json!({"iss": "https://ci.example", "aud": ["kiln"], "sub": "job", "exp": 1_767_323_100, "iat": 1_767_323_000});
    let good = token(&claims);
    let (code, answer) = asks(&good, "deployer").await;
    assert_eq!((code.as_str(), answer["OIDCTokenInfo"]["Subject"].as_str()), ("OK", Some("job")), "{answer}");
    let (_, who) = call(&session(&world, &answer), "GetCallerIdentity", &[]).await;
    assert_eq!(who["Arn"], format!("acs:ram::{UID}:assumed-role/deployer/ci-1"));
    assert_eq!(asks("plain-token", "deployer").await.0, "OK");
    assert_eq!(asks("other-token", "deployer").await.0, "AuthenticationFail.OIDCToken.Invalid");
    assert_eq!(asks(&good, "builder").await.0, "AuthenticationFail.NoPermission");
    let change = |field: &str, value: &str| {
        let mut changed = claims.clone();
        changed[field] = json!(value);
        token(&changed)
    };
    assert_eq!(asks(&change("aud", "other"), "deployer").await.0, "AuthenticationFail.OIDCToken.Invalid");
    assert_eq!(asks(&change("sub", "other"), "deployer").await.0, "AuthenticationFail.NoPermission");
    world.pass(60).await;
    assert_eq!(asks(&good, "deployer").await.0, "AuthenticationFail.OIDCToken.Expired");
}
