//! An embedded cloud of ours in a process of its own (`kiln cloud serve`), for any number of programs, looked into and
//! told what to do wrong over HTTP, as any program on this machine may.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Key of the account, in every cloud served here.
pub const KEY: &str = "LTAI5tServedKeyId";
/// Its secret.
pub const SECRET: &str = "servedSecret0123456789";

/// The APIs that are pointed at it.
const PRODUCTS: [&str; 4] = ["ECS", "VPC", "STS", "RAM"];

/// How long an answer may take; a list of a hundred thousand calls takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a cloud is served.
#[derive(Debug, Clone)]
pub struct How {
    /// Where the API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where instances listen; a free port if absent.
    pub ssh_port: Option<u16>,
    /// How many times faster states pass than in the real cloud.
    pub speed: f64,
    /// What the account owns besides its key, as `kiln cloud serve -with` reads it.
    pub owns: Value,
}

impl Default for How {
    fn default() -> How {
        How { listen: ([127, 0, 0, 1], 0).into(), ssh_port: None, speed: 1.0, owns: json!({}) }
    }
}

/// The running cloud. Ended when dropped.
#[derive(Debug)]
pub struct Served {
    process: Child,
    /// Held open: a program whose reader has gone leaves as well.
    _stdout: BufReader<ChildStdout>,
    address: SocketAddr,
    ssh_port: u16,
}

impl Served {
    /// Starts it; `dir` gets the file that says what the account owns, and what the cloud says besides.
    pub fn start(kiln: &Path, dir: &Path, how: &How) -> Result<Served> {
        let mut owns = how.owns.clone();
        owns["access_keys"] = json!({ KEY: SECRET });
        let with = dir.join("account.json");
        fs::write(&with, owns.to_string())?;
        // Clouds side by side may give their instances the same loopback addresses, so each needs a port of its own.
        let ssh_port = match how.ssh_port {
            Some(port) => port,
            None => TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
        };
        let mut command = Command::new(kiln);
        command.args(["cloud", "serve", "-listen", &how.listen.to_string()]);
        command.args(["-loopback-ssh-port", &ssh_port.to_string(), "-speed", &how.speed.to_string()]);
        command.arg("-with").arg(&with);
        let log = dir.join("cloud.log");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&log)?);
        let mut process = command.spawn().context("start the cloud")?;
        let stdout = process.stdout.take().context("the cloud has no output")?;
        let mut stdout = BufReader::new(stdout);
        let (mut address, mut said) = (how.listen, String::new());
        loop {
            let mut line = String::new();
            if stdout.read_line(&mut line)? == 0 {
                let status = process.wait()?;
                let log = fs::read_to_string(&log)?;
                bail!("the cloud did not start on {} ({status}): {said}{log}", how.listen);
            }
            said.push_str(&line);
            if let Some((_, there)) = line.trim_end().split_once("ALICLOUD_ECS_ENDPOINT=http://") {
                address = there.parse()?;
            }
            if line.starts_with("Serving") {
                return Ok(Served { process, _stdout: stdout, address, ssh_port });
            }
        }
    }

    /// Returns where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where instances listen, on addresses of their own.
    pub fn ssh_port(&self) -> u16 {
        self.ssh_port
    }

    /// Lets `command` (kiln, or a program that knows its variables) work in this cloud.
    pub fn lead<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for product in PRODUCTS {
            command.env(format!("ALICLOUD_{product}_ENDPOINT"), format!("http://{}", self.address));
        }
        command.env("ALICLOUD_ACCESS_KEY", KEY).env("ALICLOUD_SECRET_KEY", SECRET)
    }

    /// Returns what exists.
    pub fn inventory(&self) -> Result<Value> {
        self.ask("GET", "inventory", None)
    }

    /// Returns the calls so far, oldest first.
    pub fn calls(&self) -> Result<Vec<Value>> {
        match self.ask("GET", "calls", None)? {
            Value::Array(calls) => Ok(calls),
            other => bail!("the cloud's calls are no list but {other}"),
        }
    }

    /// Adds a fault rule.
    pub fn add_fault(&self, rule: &Value) -> Result<()> {
        self.ask("POST", "faults", Some(rule)).map(drop)
    }

    /// Forgets all fault rules.
    pub fn clear_faults(&self) -> Result<()> {
        self.ask("DELETE", "faults", None).map(drop)
    }

    /// Returns the peak memory of the process so far, in KiB, its instances' not counted.
    pub fn peak_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let figure = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
        Ok(figure.parse()?)
    }

    fn ask(&self, method: &str, what: &str, body: Option<&Value>) -> Result<Value> {
        let mut stream = TcpStream::connect(self.address).context("reach the cloud")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!("{method} /_local/{what} HTTP/1.0\r\nHost: {}\r\n", self.address);
        let kind = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &kind + &body).as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a body")?;
        let status = head.split_whitespace().nth(1).unwrap_or_default();
        match status {
            "200" => Ok(serde_json::from_str(body)?),
            "204" => Ok(Value::Null),
            _ => bail!("the cloud answered {what} with {status}: {body}"),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It ends its instances and removes its temporary folder itself.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
