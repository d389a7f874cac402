//! The instances of the embedded cloud: a Linux sandbox behind a real SSH server, which needs no
//! program of the host but `/bin/sh` and what the guest's scripts call.
//!
//! | file | holds |
//! | --- | --- |
//! | `spec` | what a machine is made of, and the errors |
//! | `host`, `base` | whether sandboxes work here; the lowest layers of guests |
//! | `machine`, `sandbox` | a machine's life: boot, reboot, stop, capture, destroy |
//! | `console` | what it writes meanwhile |
//! | `first_boot`, `user_data`, `yaml` | cloud-init's part: keys, users, files, scripts |
//! | `ssh/`, `process`, `keys` | the SSH server; processes on its channels; host keys |
//! | `simulated`, `data/` | the programs that are played |
//! | `helper/` | this program executed again: namespaces, mounts, the file servers |
//! | `tree`, `sys` | copying trees; system calls |
//!
//! # What confines a guest
//! User, mount, process, host name and IPC namespaces; a root file system by allow-list; no
//! CAP_SYS_ADMIN, no module loading, no raw I/O; host switches in `/proc` read-only or hidden; no
//! `/sys`; device nodes that cannot be changed. Everything ends with this process.
//!
//! # What does not
//! - The network is the host's: package managers that the host has really download, and a script
//!   may reach whatever the host reaches, its loopback and abstract sockets included. Ports below
//!   1024 cannot be opened.
//! - Memory, processor time and the number of processes are not limited; the disk is only if the
//!   machine has a limit.
//! - System calls are not filtered: a fault of the kernel is a fault of the wall.
//! - As root, ids are not shifted: root of a guest owns host files of root that it can see (it
//!   sees `/usr` and the package lists, read-only).
//! - Inside, every user becomes root by `sudo` without a password, as on the real cloud's images.
//! - World-readable files of `/usr` and, copied, of `/etc` can be read.
//!
//! # What differs from a real machine
//! Services do not run (what `systemctl` is told is recorded), forwarded ports and agents are
//! refused, and a terminal has no name in the guest's `/dev/pts` (`tty` says "not a tty", while
//! everything that asks the terminal itself works). Without root only one user id exists: every
//! user is root, owners cannot be changed, and host files below `/usr` can be replaced (deleted
//! and written anew) but not written in place.

mod base;
mod console;
mod first_boot;
mod helper;
mod host;
mod keys;
mod machine;
mod process;
mod sandbox;
mod simulated;
mod spec;
mod ssh;
mod sys;
mod tree;
mod user_data;
mod yaml;

pub use helper::helper_main;
pub use host::MachineHost;
pub use machine::Machine;
pub use spec::{Gate, HelperProgram, MachineError, MachineSpec, NoSandbox, Platform};
pub(crate) use ssh::silence;
