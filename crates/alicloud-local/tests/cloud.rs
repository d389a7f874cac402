//! The cloud as other programs use it: a key from the API opens an instance, an image holds what was written, and the
//! provider's own client libraries find nothing strange.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alicloud_local::{AddressMode, Cloud, CloudOptions, HelperProgram, StartError};
use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_alicloud-local");

/// Skips a test for want of something; in CI that is a failure.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{why}");
    eprintln!("skipped: {why}");
}

fn options(speed: f64) -> CloudOptions {
    let helper = HelperProgram { path: PathBuf::from(PROGRAM), args: vec!["__instance".into()] };
    CloudOptions { speed, seed: 5, ..CloudOptions::new(helper) }
}

/// A client that signs in the older form, written from the documentation alone.
struct Client {
    http: reqwest::Client,
    endpoint: String,
    key: (String, String),
    calls: std::cell::Cell<u64>,
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

impl Client {
    fn new(cloud: &Cloud) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Client { http, endpoint: cloud.endpoint(), key: cloud.credentials(), calls: std::cell::Cell::new(0) }
    }

    async fn call(&self, action: &str, params: &[(&str, &str)]) -> Value {
        self.calls.set(self.calls.get() + 1);
        let version = if action.contains("Vpc") || action.contains("VSwitch") || action.contains("Eip") {
            "2016-04-28"
        } else {
            "2014-05-26"
        };
        let nonce = format!("{}-{}", std::process::id(), self.calls.get());
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut all = vec![
            ("Action", action),
            ("Version", version),
            ("Format", "JSON"),
            ("RegionId", "cn-beijing"),
            ("AccessKeyId", &self.key.0),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &time),
        ];
        all.extend_from_slice(params);
        all.sort_unstable();
        let query: Vec<String> =
            all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let query = query.join("&");
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(format!("{}&", self.key.1).as_bytes()).unwrap();
        mac.update(format!("POST&%2F&{}", encode(&query)).as_bytes());
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let url = format!("{}/?{query}&Signature={}", self.endpoint, encode(&signature));
        let answer: Value = self.http.post(url).send().await.unwrap().json().await.unwrap();
        assert!(answer.get("Code").is_none(), "{action}: {answer}");
        answer
    }

    async fn until(&self, action: &str, params: &[(&str, &str)], reached: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.call(action, params).await;
            if reached(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{action}: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes a network that lets SSH in, and a key pair whose private half it writes into `folder`.
    async fn prepare(&self, folder: &Path) -> (String, String) {
        let text = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
        let vpc = text(&self.call("CreateVpc", &[("CidrBlock", "172.16.0.0/16")]).await, "VpcId");
        self.until("DescribeVpcs", &[("VpcId", &vpc)], |answer| {
            answer["Vpcs"]["Vpc"][0]["Status"] == "Available"
        })
        .await;
        let params = [("VpcId", vpc.as_str()), ("CidrBlock", "172.16.0.0/24"), ("ZoneId", "cn-beijing-h")];
        let vswitch = text(&self.call("CreateVSwitch", &params).await, "VSwitchId");
        let group = text(&self.call("CreateSecurityGroup", &[("VpcId", &vpc)]).await, "SecurityGroupId");
        let rule = [
            ("SecurityGroupId", group.as_str()),
            ("IpProtocol", "tcp"),
            // 22, and the port on which instances of the loopback network listen.
            ("PortRange", "22/22022"),
            ("SourceCidrIp", "0.0.0.0/0"),
        ];
        self.call("AuthorizeSecurityGroup", &rule).await;
        let pair = self.call("CreateKeyPair", &[("KeyPairName", "packer_key")]).await;
        let file = folder.join("key");
        std::fs::write(&file, text(&pair, "PrivateKeyBody")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let ready = |answer: &Value| answer["VSwitches"]["VSwitch"][0]["Status"] == "Available";
        self.until("DescribeVSwitches", &[("VSwitchId", &vswitch)], ready).await;
        (vswitch, group)
    }

    async fn run(&self, image: &str, vswitch: &str, group: &str) -> String {
        let params = [
            ("ImageId", image),
            ("InstanceType", "ecs.t5-lc1m1.small"),
            ("VSwitchId", vswitch),
            ("SecurityGroupId", group),
            ("KeyPairName", "packer_key"),
        ];
        let answer = self.call("RunInstances", &params).await;
        let id = answer["InstanceIdSets"]["InstanceIdSet"][0].as_str().unwrap().to_owned();
        self.wait_status(&id, "Running").await;
        id
    }

    async fn wait_status(&self, id: &str, status: &str) -> Value {
        let ids = format!("[\"{id}\"]");
        let reached = |answer: &Value| answer["Instances"]["Instance"][0]["Status"] == status;
        let answer = self.until("DescribeInstances", &[("InstanceIds", &ids)], reached).await;
        answer["Instances"]["Instance"][0].clone()
    }

    async fn make_image(&self, instance: &str, name: &str) -> String {
        let answer = self.call("CreateImage", &[("InstanceId", instance), ("ImageName", name)]).await;
        let image = answer["ImageId"].as_str().unwrap().to_owned();
        let params = [("ImageId", image.as_str()), ("Status", "Creating,Available,CreateFailed")];
        let reached = |answer: &Value| {
            let status = &answer["Images"]["Image"][0]["Status"];
            assert_ne!(status, "CreateFailed");
            status == "Available"
        };
        self.until("DescribeImages", &params, reached).await;
        image
    }
}

/// Runs a command by OpenSSH's client and returns what it printed, trying again until something answers.
async fn ssh(folder: &Path, address: &str, port: u16, command: &str) -> Option<String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let output = tokio::process::Command::new("ssh")
            .args([
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "BatchMode=yes",
            ])
            .args(["-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-i"])
            .arg(folder.join("key"))
            .args(["-p", &port.to_string(), &format!("root@{address}"), command])
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        if output.status.success() {
            return Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        if output.status.code() != Some(255) || Instant::now() > deadline {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn start(options: CloudOptions) -> Option<Cloud> {
    if Command::new("ssh").arg("-V").stderr(Stdio::null()).status().is_err() {
        skip("no `ssh` on this host");
        return None;
    }
    match Cloud::start(options).await {
        Ok(cloud) => Some(cloud),
        Err(StartError::NoSandbox(error)) => {
            skip(&format!("{error}: {:?}", error.hints));
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

async fn dial(cloud: &Cloud, address: &str) -> u16 {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(at) = cloud.dial(address, 22) {
            return at.port();
        }
        assert!(Instant::now() < deadline, "nothing answers at `{address}`");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_holds_what_was_written_and_the_next_instance_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cloud) = start(options(50.0)).await else { return };
    let client = Client::new(&cloud);
    let (vswitch, group) = client.prepare(folder.path()).await;
    let id = client.run("centos_7_03_64_20G_alibase_20170818.vhd", &vswitch, &group).await;
    let private = |entry: &Value| {
        entry["VpcAttributes"]["PrivateIpAddress"]["IpAddress"][0].as_str().unwrap().to_owned()
    };
    let address = private(&client.wait_status(&id, "Running").await);
    let port = dial(&cloud, &address).await;
    let system =
        ssh(folder.path(), "127.0.0.1", port, "echo made > /root/made; . /etc/os-release; echo $NAME").await;
    assert_eq!(system.as_deref(), Some("CentOS"));
    let console = client.call("GetInstanceConsoleOutput", &[("InstanceId", &id)]).await;
    assert!(!console["ConsoleOutput"].as_str().unwrap().is_empty());
    client.call("StopInstance", &[("InstanceId", &id)]).await;
    client.wait_status(&id, "Stopped").await;
    assert_eq!(cloud.dial(&address, 22), None);
    let image = client.make_image(&id, "first").await;
    client.call("DeleteInstance", &[("InstanceId", &id)]).await;

    let second = client.run(&image, &vswitch, &group).await;
    let port = dial(&cloud, &private(&client.wait_status(&second, "Running").await)).await;
    let found = ssh(folder.path(), "127.0.0.1", port, "cat /root/made").await;
    assert_eq!(found.as_deref(), Some("made"));
    // Shutting down from inside is seen outside.
    ssh(folder.path(), "127.0.0.1", port, "poweroff >/dev/null 2>&1 & exit 0").await;
    client.wait_status(&second, "Stopped").await;
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_elastic_address_of_the_loopback_network_leads_to_its_instance() {
    let folder = tempfile::tempdir().unwrap();
    let options = CloudOptions { addresses: AddressMode::Loopback { port: 22022 }, ..options(50.0) };
    let Some(cloud) = start(options).await else { return };
    let client = Client::new(&cloud);
    let (vswitch, group) = client.prepare(folder.path()).await;
    let id = client.run("ubuntu_18_04_x64_20G_alibase_20210128.vhd", &vswitch, &group).await;
    let eip = client.call("AllocateEipAddress", &[]).await;
    let (eip, address) = (eip["AllocationId"].as_str().unwrap(), eip["EipAddress"].as_str().unwrap());
    let listed = |answer: &Value| answer["EipAddresses"]["EipAddress"][0]["Status"] == "Available";
    client.until("DescribeEipAddresses", &[("AllocationId", eip)], listed).await;
    client.call("AssociateEipAddress", &[("AllocationId", eip), ("InstanceId", &id)]).await;
    assert!(address.starts_with("127."));
    let name = ssh(folder.path(), address, 22022, ". /etc/os-release; echo $NAME").await;
    assert_eq!(name.as_deref(), Some("Ubuntu"));
    cloud.shutdown().await;
}

/// The program on its own, ended when the test is over.
struct Served(Child, Vec<(String, String)>);

impl Served {
    fn start(more: &[&str]) -> Served {
        let mut child = Command::new(PROGRAM)
            .args(["--speed", "50", "--allow-no-sandbox"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(5);
        let pairs = lines.map(|line| {
            line.unwrap().split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()
        });
        let pairs = pairs.collect();
        Served(child, pairs)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Runs a script with the provider's libraries against a cloud of its own.
fn official(script: &str, inventory: &str) {
    let Some(python) = std::env::var_os("KILN_TEST_PYTHON") else {
        return skip("KILN_TEST_PYTHON names no Python with the provider's libraries");
    };
    let folder = tempfile::tempdir().unwrap();
    let with = folder.path().join("inventory.json");
    std::fs::write(&with, inventory).unwrap();
    let served = Served::start(&["--with", with.to_str().unwrap()]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = Command::new(python).arg(script).envs(served.1.iter().cloned()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.lines().last(), Some("all well"), "{out}{err}");
}

#[test]
fn the_official_python_libraries_work_against_it() {
    // What the script takes for granted.
    let account = r#"{
        "images": [{"id": "m-base", "region": "cn-beijing", "name": "base", "family": "fam"}],
        "sold_out": [{"zone": "cn-beijing-h", "instance_type": "ecs.g7.large"}],
        "quotas": {"vpc": 1}
    }"#;
    official("official_sdk.py", account);
}

#[test]
fn the_official_python_libraries_sign_in_as_users_roles_and_machines() {
    let account =
        r#"{"roles": [{"name": "builder"}], "builder": {"role": "builder", "require_token": true}}"#;
    official("official_access.py", account);
}

#[test]
fn two_processes_cannot_use_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder_name = folder.path().to_str().unwrap();
    let _first = Served::start(&["--state-dir", folder_name]);
    let output =
        Command::new(PROGRAM).args(["--allow-no-sandbox", "--state-dir", folder_name]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use by another process"));
}
