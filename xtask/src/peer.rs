//! The peer: Debian's packer 1.6.6 against an embedded cloud of ours in a process of its own.
//!
//! That version knows no endpoint option: it speaks plain http on port 80 to the cloud's usual host names. So it gets
//! an `/etc/hosts` of its own in a mount namespace, and instances listen on port 22 of loopback addresses.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::machine::find;

/// Where the cloud listens: not 127.0.0.1, whose port 80 may be somebody's.
const CLOUD: &str = "127.80.0.1";
/// The hosts it asks for cn-beijing. Before each call the location service, by https, which is refused here at once;
/// then it does as the endpoint table of its library says. Without a name here a resolver would be asked each time.
const HOSTS: [&str; 2] = ["ecs-cn-hangzhou.aliyuncs.com", "location-readonly.aliyuncs.com"];

/// `kiln cloud serve` in a process of its own, ended when dropped.
pub struct Cloud {
    process: Child,
    /// Held open: a program whose reader has gone leaves as well.
    _stdout: BufReader<ChildStdout>,
    hosts: PathBuf,
    /// Key and secret of its account.
    pub keys: (String, String),
}

impl Cloud {
    /// Starts it; its clock runs `speed` times as fast as ours.
    pub fn start(kiln: &Path, dir: &Path, speed: f64) -> Result<Cloud> {
        let hosts = dir.join("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost\n{CLOUD} {}\n", HOSTS.join(" ")))?;
        let with = dir.join("account.json");
        let keys = ("LTAI5tPeerKeyId".to_owned(), "peerSecret0123456789".to_owned());
        fs::write(&with, format!(r#"{{"access_keys": {{"{}": "{}"}}}}"#, keys.0, keys.1))?;
        let mut command = Command::new(kiln);
        command.args(["cloud", "serve", "-listen", &format!("{CLOUD}:80"), "-loopback-ssh-port", "22"]);
        command.arg("-speed").arg(speed.to_string()).arg("-with").arg(&with);
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("start the cloud")?;
        let stdout = process.stdout.take().context("the cloud has no output")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        while !line.starts_with("Serving") {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                process.wait()?;
                bail!("the cloud did not start (that takes root, and port 80 of {CLOUD})");
            }
        }
        Ok(Cloud { process, _stdout: stdout, hosts, keys })
    }

    /// Returns packer, to run against this cloud.
    pub fn packer(&self, args: &[&str]) -> Result<Command> {
        let packer = find("packer").context("Debian's packer is not installed")?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
        command.arg(&self.hosts).arg(packer).args(args);
        command.env("ALICLOUD_ACCESS_KEY", &self.keys.0).env("ALICLOUD_SECRET_KEY", &self.keys.1);
        command.env("CHECKPOINT_DISABLE", "1");
        Ok(command)
    }

    /// Returns kiln, to run against this cloud.
    pub fn kiln(&self, kiln: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(kiln);
        command.args(args);
        command.env("ALICLOUD_ACCESS_KEY", &self.keys.0).env("ALICLOUD_SECRET_KEY", &self.keys.1);
        for product in ["ECS", "VPC", "STS", "RAM"] {
            command.env(format!("ALICLOUD_{product}_ENDPOINT"), format!("http://{CLOUD}:80"));
        }
        command
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It holds nothing but its own temporary folder, which its own shutdown removes.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
