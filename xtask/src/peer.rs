//! The peer: Debian's packer 1.6.6 against an embedded cloud of ours in a process of its own.
//!
//! That version knows no endpoint option: it speaks plain http on port 80 to the cloud's usual host names. So it gets
//! an `/etc/hosts` of its own in a mount namespace, and instances listen on port 22 of loopback addresses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::machine::find;
use crate::served::{How, KEY, SECRET, Served};

/// The hosts it asks for cn-beijing. Before each call the location service, by https, which is refused here at once;
/// then it does as the endpoint table of its library says. Without a name here a resolver would be asked each time.
const HOSTS: [&str; 2] = ["ecs-cn-hangzhou.aliyuncs.com", "location-readonly.aliyuncs.com"];

/// A cloud that packer finds, too.
#[derive(Debug)]
pub struct PeerCloud {
    /// The cloud itself.
    pub served: Served,
    hosts: PathBuf,
}

impl PeerCloud {
    /// Starts it; its clock runs `speed` times as fast as ours. Clouds side by side need a `number` each.
    ///
    /// # Errors
    ///
    /// It takes root, and port 80 of a loopback address.
    pub fn start(kiln: &Path, dir: &Path, number: u8, speed: f64, owns: Value) -> Result<PeerCloud> {
        // Not 127.0.0.1, whose port 80 may be somebody's.
        let listen = ([127, 84, 0, number], 80).into();
        let how = How { listen, ssh_port: Some(22), speed, owns };
        let served = Served::start(kiln, dir, &how).context("that takes root, and port 80 of 127.84.0.x")?;
        let hosts = dir.join("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost\n{} {}\n", listen.ip(), HOSTS.join(" ")))?;
        Ok(PeerCloud { served, hosts })
    }

    /// Lets `command`, which must have no arguments yet, become packer in this cloud.
    pub fn packer(&self, command: &mut Command, args: &[&str]) -> Result<()> {
        let packer = find("packer").context("Debian's packer is not installed")?;
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
        command.arg(&self.hosts).arg(packer).args(args);
        command.env("ALICLOUD_ACCESS_KEY", KEY).env("ALICLOUD_SECRET_KEY", SECRET);
        command.env("CHECKPOINT_DISABLE", "1");
        Ok(())
    }
}

/// The program that [`PeerCloud::packer`] makes packer of.
pub const WRAPPER: &str = "unshare";
