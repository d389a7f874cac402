//! What a machine has written to its console: the last part of it, as the real cloud keeps it.
//!
//! Lines of the machine itself stand as a kernel writes them (with the seconds since the boot), those of the services
//! played here (cloud-init, sshd) as they reach a console. Programs of the guest's own write what they like.

use std::time::{Duration, Instant};

use russh::keys::PrivateKey;

use super::keys;
use super::spec::MachineSpec;

/// What is kept; the real cloud returns 64 KiB too.
const KEPT_BYTES: usize = 64 * 1024;

/// A console.
pub(crate) struct Console {
    text: Vec<u8>,
    /// Since when the machine is up.
    booted: Instant,
    printed: Instant,
}

impl Default for Console {
    fn default() -> Console {
        let now = Instant::now();
        Console { text: Vec::new(), booted: now, printed: now }
    }
}

impl Console {
    /// Appends bytes as they are.
    pub fn print(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        let excess = self.text.len().saturating_sub(KEPT_BYTES);
        self.text.drain(..excess);
        self.printed = Instant::now();
    }

    /// Appends a line of the kernel.
    pub fn kernel(&mut self, line: &str) {
        let up = self.booted.elapsed();
        let text = format!("[{:5}.{:06}] {line}\n", up.as_secs(), up.subsec_micros());
        self.print(text.as_bytes());
    }

    /// Appends a line of a service.
    pub fn service(&mut self, name: &str, line: &str) {
        // What a client sends (a user's name) could hold anything.
        let line: String =
            line.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
        self.kernel(&format!("{name}: {line}"));
    }

    /// Appends what is seen of a boot; time counts from here.
    pub fn boot(&mut self, spec: &MachineSpec, remarks: &[String]) {
        self.booted = Instant::now();
        let platform = &spec.platform;
        self.kernel(&format!("Linux version {} (simulated; the kernel is the host's)", release()));
        self.kernel(&format!("machine: {} {} boots as `{}`", platform.name, platform.version, spec.id));
        self.kernel("overlay: system disk mounted read-write on /");
        for remark in remarks {
            self.kernel(&format!("machine: {remark}"));
        }
        self.kernel("systemd[1]: (simulated) Reached target Basic System.");
        self.kernel(&format!("systemd[1]: (simulated) Set hostname to <{}>.", spec.hostname));
    }

    /// Appends the host keys and the prompt: from here on the machine lets in.
    pub fn ready(&mut self, spec: &MachineSpec, host_keys: &[PrivateKey]) {
        match keys::console_blocks(host_keys) {
            Ok(blocks) => self.print(blocks.as_bytes()),
            Err(error) => self.kernel(&format!("machine: the host keys cannot be shown: {error}")),
        }
        self.service("cloud-init", "Cloud-init finished; the SSH server listens.");
        let platform = &spec.platform;
        self.print(
            format!("\n{} {}\n\n{} login: \n", platform.name, platform.version, spec.hostname).as_bytes(),
        );
    }

    /// Returns the text, and for how long nothing was added.
    pub fn read(&self) -> (Vec<u8>, Duration) {
        (self.text.clone(), self.printed.elapsed())
    }
}

fn release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}
