//! Vectors: those of the documentation and of `spec/alicloud.md` 9, and those made by the official Python SDKs
//! (`tests/data/make_signature_vectors.py`).

use alicloud_api::{
    Credentials,
    params::Params,
    sign::{acs3, canonical_query, rpc_v1},
};
use serde::Deserialize;

use crate::fake::{KEY, SECRET};

const TOKEN: &str = "CAISexampleToken+/==";

fn params(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn view(params: &Params) -> impl Iterator<Item = (&str, &str)> {
    params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The business parameters of vectors 9.1b and 9.2b.
fn run_instances() -> Params {
    params(&[
        ("RegionId", "cn-beijing"),
        ("ImageId", "centos_7_03_64_20G_alibase_20170818.vhd"),
        ("InstanceType", "ecs.t5-lc1m1.small"),
        ("InstanceName", "打包 测试*~"),
        ("Tag.1.Key", "Built by"),
        ("Tag.1.Value", "Packer/1"),
        ("DataDisk.1.Size", "20"),
        ("DataDisk.1.DeleteWithInstance", "true"),
        ("UserData", "IyEvYmluL3NoCmVjaG8gaGk+Cg=="),
    ])
}

#[test]
fn rpc_v1_published_vector() {
    // 9.1a
    let all = params(&[
        ("Timestamp", "2016-02-23T12:46:24Z"),
        ("Format", "XML"),
        ("AccessKeyId", "testid"),
        ("Action", "DescribeRegions"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
        ("Version", "2014-05-26"),
        ("SignatureVersion", "1.0"),
    ]);
    let signature = rpc_v1::signature("testsecret", &rpc_v1::string_to_sign("GET", view(&all)));
    assert_eq!(signature, "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
}

#[test]
fn rpc_v1_own_vectors() {
    // 9.1b
    let (nonce, date) = ("15215528852396", "2026-01-02T03:04:05Z");
    let with_token = Credentials::new(KEY, SECRET).with_security_token(TOKEN);
    let mut all = rpc_v1::common_params(&with_token, "RunInstances", "2014-05-26", date, nonce);
    all.extend(run_instances());
    assert_eq!(
        canonical_query(view(&all)),
        "AccessKeyId=LTAI5tExampleKeyId01&Action=RunInstances&DataDisk.1.DeleteWithInstance=true&DataDisk.1.Size=20&\
         Format=JSON&ImageId=centos_7_03_64_20G_alibase_20170818.vhd&InstanceName=%E6%89%93%E5%8C%85%20%E6%B5%8B%E8%AF%95\
         %2A~&InstanceType=ecs.t5-lc1m1.small&RegionId=cn-beijing&SecurityToken=CAISexampleToken%2B%2F%3D%3D&\
         SignatureMethod=HMAC-SHA1&SignatureNonce=15215528852396&SignatureVersion=1.0&Tag.1.Key=Built%20by&\
         Tag.1.Value=Packer%2F1&Timestamp=2026-01-02T03%3A04%3A05Z&UserData=IyEvYmluL3NoCmVjaG8gaGk%2BCg%3D%3D&\
         Version=2014-05-26"
    );
    let sign = |method, all: &Params| rpc_v1::signature(SECRET, &rpc_v1::string_to_sign(method, view(all)));
    assert_eq!(sign("POST", &all), "+Ow5NYdpoMfsoQ3FWcOwaQiolck=");
    // An empty value takes part if it is sent.
    all.push(("SignatureType".into(), String::new()));
    assert_eq!(sign("POST", &all), "9wjFbAbrUewAahlPwS2xiWP4RAE=");

    let bare =
        rpc_v1::common_params(&Credentials::new(KEY, SECRET), "DescribeRegions", "2014-05-26", date, nonce);
    assert_eq!(sign("GET", &bare), "N3Lquo1I37glX/o3c+zjwmMEz3I=");
}

#[test]
fn acs3_published_vector() {
    // 9.2a
    let query = params(&[
        ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
        ("RegionId", "cn-shanghai"),
    ]);
    let unsigned = acs3::Unsigned {
        method: "POST",
        path: "/",
        host: "ecs.cn-shanghai.aliyuncs.com",
        action: "RunInstances",
        version: "2014-05-26",
        date: "2023-10-26T10:22:32Z",
        nonce: "3156853299f313e23d1673dc12e1703d",
        query: &query,
        content_type: None,
        body: b"",
    };
    let signed = acs3::sign(&Credentials::new("YourAccessKeyId", "YourAccessKeySecret"), &unsigned);
    assert_eq!(
        signed.headers.last().unwrap().1,
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
         x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    );
}

#[test]
fn acs3_own_vectors() {
    // 9.2b
    let query = run_instances();
    let unsigned = acs3::Unsigned {
        method: "POST",
        path: "/",
        host: "ecs.cn-beijing.aliyuncs.com",
        action: "RunInstances",
        version: "2014-05-26",
        date: "2026-01-02T03:04:05Z",
        nonce: "3156853299f313e23d1673dc12e1703d",
        query: &query,
        content_type: None,
        body: b"",
    };
    let credentials = Credentials::new(KEY, SECRET);
    let signed = acs3::sign(&credentials.clone().with_security_token(TOKEN), &unsigned);
    assert_eq!(
        signed.string_to_sign,
        "ACS3-HMAC-SHA256\nc787d082799793c325fe2b5d127ed62fb41014ebe23ad391c66a8742a0a0e137"
    );
    let authorization = &signed.headers.last().unwrap().1;
    assert!(
        authorization.ends_with("Signature=f8233b58d3c70aee13fdf1adfa78a2e33a17e8d953966fa8c9d0e4b2dd128772"),
        "{authorization}"
    );

    // 9.2c, with a form body
    let form = acs3::Unsigned {
        host: "vpc.aliyuncs.com",
        action: "DescribeVpcs",
        version: "2016-04-28",
        nonce: "n1",
        query: &[],
        content_type: Some("application/x-www-form-urlencoded"),
        body: b"RegionId=cn-beijing&VpcId=vpc-1",
        ..unsigned
    };
    let signed = acs3::sign(&credentials, &form);
    assert!(signed.headers.contains(&(
        "x-acs-content-sha256",
        "4956e2e5cc653e14345107de904833c839b04fdafa63caf72470cf5a677a36e6".to_owned()
    )));
    assert_eq!(
        signed.headers.last().unwrap().1,
        "ACS3-HMAC-SHA256 Credential=LTAI5tExampleKeyId01,SignedHeaders=content-type;host;x-acs-action;\
         x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,\
         Signature=a528a89f14916eb8485b68652ac2b6e454d81c3948fba6f90302faac86e91e43"
    );
}

#[derive(Deserialize)]
struct Document<V> {
    access_key_id: String,
    access_key_secret: String,
    vectors: Vec<V>,
}

impl<V> Document<V> {
    fn credentials(&self, token: Option<&str>) -> Credentials {
        let credentials = Credentials::new(self.access_key_id.clone(), self.access_key_secret.as_str());
        credentials.with_security_token(token.unwrap_or_default())
    }
}

#[test]
fn acs3_as_the_official_sdk_signs() {
    #[derive(Deserialize)]
    struct Vector {
        name: String,
        host: String,
        action: String,
        version: String,
        date: String,
        nonce: String,
        token: Option<String>,
        params: serde_json::Map<String, serde_json::Value>,
        form: bool,
        authorization: String,
    }

    let document: Document<Vector> = serde_json::from_str(include_str!("../data/acs3.json")).unwrap();
    assert!(document.vectors.len() >= 20);
    for vector in &document.vectors {
        let params: Params =
            vector.params.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect();
        let body = if vector.form { canonical_query(view(&params)) } else { String::new() };
        let unsigned = acs3::Unsigned {
            method: "POST",
            path: "/",
            host: &vector.host,
            action: &vector.action,
            version: &vector.version,
            date: &vector.date,
            nonce: &vector.nonce,
            query: if vector.form { &[] } else { &params },
            content_type: vector.form.then_some("application/x-www-form-urlencoded"),
            body: body.as_bytes(),
        };
        let signed = acs3::sign(&document.credentials(vector.token.as_deref()), &unsigned);
        assert_eq!(signed.headers.last().unwrap().1, vector.authorization, "{}", vector.name);
    }
}

#[test]
fn rpc_v1_as_the_official_sdk_signs() {
    #[derive(Deserialize)]
    struct Vector {
        name: String,
        method: String,
        action: String,
        version: String,
        date: String,
        nonce: String,
        token: Option<String>,
        params: serde_json::Map<String, serde_json::Value>,
        signature: String,
    }

    let document: Document<Vector> = serde_json::from_str(include_str!("../data/rpc_v1.json")).unwrap();
    assert!(document.vectors.len() >= 20);
    for vector in &document.vectors {
        let credentials = document.credentials(vector.token.as_deref());
        let mut all =
            rpc_v1::common_params(&credentials, &vector.action, &vector.version, &vector.date, &vector.nonce);
        all.extend(vector.params.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())));
        let string = rpc_v1::string_to_sign(&vector.method, view(&all));
        assert_eq!(
            rpc_v1::signature(&document.access_key_secret, &string),
            vector.signature,
            "{}",
            vector.name
        );
    }
}
