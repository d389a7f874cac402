//! A cloud, a client that signs, and what tests ask of both.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::clock::{Clock, Moment};
use crate::http::sign_acs3;
use crate::machines::FakeHost;
use crate::{AddressMode, Cloud, CloudOptions, HelperProgram, Inventory};

/// The cloud's clock begins here.
pub const START: &str = "2026-01-02T03:04:00Z";

/// A cloud with its client.
pub struct World {
    pub cloud: Cloud,
    pub client: Client,
    /// What was asked of machines.
    pub log: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub async fn new() -> World {
        World::with("{}", None).await
    }

    pub async fn with(inventory: &str, state_dir: Option<&Path>) -> World {
        World::started(|options| {
            options.state_dir = state_dir.map(Path::to_owned);
            options.inventory = Some(Inventory::from_json(inventory).unwrap());
        })
        .await
    }

    /// Starts one with options of its own.
    pub async fn started(set: impl FnOnce(&mut CloudOptions)) -> World {
        let host = FakeHost::default();
        let log = Arc::clone(&host.log);
        let mut options = CloudOptions {
            seed: 1,
            addresses: AddressMode::Mapped,
            ..CloudOptions::new(HelperProgram { path: "unused".into(), args: Vec::new() })
        };
        set(&mut options);
        let clock = Clock::frozen(Moment::parse(START).unwrap());
        let cloud = Cloud::start_with(options, clock, Some(Arc::new(host))).await.unwrap();
        let client = Client::new(&cloud.endpoint(), cloud.credentials());
        World { cloud, client, log }
    }

    /// Makes a call that is to succeed.
    pub async fn ok(&self, action: &str, params: &[(&str, &str)]) -> Value {
        let (status, answer) = self.client.call(action, params).await.expect("an answer");
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    /// Makes a call that is to be refused and returns the code.
    pub async fn refused(&self, action: &str, params: &[(&str, &str)]) -> String {
        let (status, answer) = self.client.call(action, params).await.expect("an answer");
        assert!(status >= 400, "{action} was not refused: {answer}");
        answer["Code"].as_str().unwrap().to_owned()
    }

    /// Lets this many seconds pass.
    pub async fn pass(&self, seconds: u64) {
        self.cloud.step(Duration::from_secs(seconds));
        // Machines are asked by tasks; they get their turn.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a machine was asked this.
    pub async fn asked(&self, wanted: &str) {
        for _ in 0..500 {
            if self.log.lock().unwrap().iter().any(|line| line == wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("nobody asked `{wanted}`: {:?}", self.log.lock().unwrap());
    }

    /// Makes a network to put instances in: VPC, vSwitch, security group.
    pub async fn network(&self) -> (String, String, String) {
        let id = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
        let vpc = self.ok("CreateVpc", &[("RegionId", "cn-beijing"), ("CidrBlock", "172.16.0.0/16")]).await;
        let vpc = id(&vpc, "VpcId");
        self.pass(2).await;
        let params = [("CidrBlock", "172.16.0.0/24"), ("ZoneId", "cn-beijing-h"), ("VpcId", &vpc)];
        let vswitch = id(&self.ok("CreateVSwitch", &params).await, "VSwitchId");
        let group = self.ok("CreateSecurityGroup", &[("RegionId", "cn-beijing"), ("VpcId", &vpc)]).await;
        let group = id(&group, "SecurityGroupId");
        self.pass(2).await;
        (vpc, vswitch, group)
    }

    /// Makes an instance in a network.
    pub async fn instance(&self, vswitch: &str, group: &str, more: &[(&str, &str)]) -> String {
        let mut params = vec![
            ("RegionId", "cn-beijing"),
            ("ImageId", "centos_7_03_64_20G_alibase_20170818.vhd"),
            ("InstanceType", "ecs.t5-lc1m1.small"),
            ("VSwitchId", vswitch),
            ("SecurityGroupId", group),
        ];
        params.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        params.extend_from_slice(more);
        let answer = self.ok("RunInstances", &params).await;
        answer["InstanceIdSets"]["InstanceIdSet"][0].as_str().unwrap().to_owned()
    }

    /// Returns the entry of an instance, or null when it is gone.
    pub async fn describe(&self, instance: &str) -> Value {
        let ids = format!("[\"{instance}\"]");
        let answer = self.ok("DescribeInstances", &[("RegionId", "cn-beijing"), ("InstanceIds", &ids)]).await;
        answer["Instances"]["Instance"][0].clone()
    }
}

/// A client that signs in the newer form.
pub struct Client {
    pub http: reqwest::Client,
    pub endpoint: String,
    pub key: (String, String),
    pub token: Option<String>,
}

/// Returns a value never returned before.
pub fn nonce() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("nonce-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Client {
    pub fn new(endpoint: &str, key: (String, String)) -> Client {
        // Installed once; later installations find it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Client { http, endpoint: endpoint.to_owned(), key, token: None }
    }

    /// Calls an action; an error is a connection that was cut.
    pub async fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<(u16, Value), reqwest::Error> {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.call_with(action, params, &now, &nonce()).await
    }

    /// Calls an action at some time with some nonce.
    pub async fn call_with(
        &self,
        action: &str,
        params: &[(&str, &str)],
        date: &str,
        nonce: &str,
    ) -> Result<(u16, Value), reqwest::Error> {
        let query: Vec<(String, String)> =
            params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let version = match action {
            name if name.contains("Vpc") || name.contains("VSwitch") || name.contains("Eip") => "2016-04-28",
            "AssumeRole" | "AssumeRoleWithOIDC" | "GetCallerIdentity" => "2015-04-01",
            name if ["Role", "User", "Policy", "Policies", "AccessKey"]
                .iter()
                .any(|word| name.contains(word)) =>
            {
                "2015-05-01"
            }
            "DescribeEndpoints" => "2015-06-12",
            _ => "2014-05-26",
        };
        let mut headers = vec![
            ("x-acs-action", action.to_owned()),
            ("x-acs-version", version.to_owned()),
            ("x-acs-date", date.to_owned()),
            ("x-acs-signature-nonce", nonce.to_owned()),
        ];
        headers.extend(self.token.clone().map(|token| ("x-acs-security-token", token)));
        let host = self.endpoint.trim_start_matches("http://");
        let headers = sign_acs3(host, &query, &headers, &self.key);
        let joined: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", crate::http::encoded(name), crate::http::encoded(value)))
            .collect();
        let url = format!("{}/?{}", self.endpoint, joined.join("&"));
        let response = self.http.post(url).headers(headers).send().await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await?))
    }
}
