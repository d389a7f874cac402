//! How a cloud is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::faults::FaultRule;
use crate::instance::HelperProgram;
use crate::inventory::Inventory;
use crate::metadata::Builder;

/// How instances get addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressMode {
    /// Realistic addresses; [`Cloud::dial`](crate::Cloud::dial) tells where they really lead.
    Mapped,
    /// Addresses of the loopback network (127.x.y.z), on which the instances listen themselves.
    Loopback {
        /// The SSH port; 22 needs root.
        port: u16,
    },
}

/// How a cloud is started.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// How many times as fast as in the real cloud states pass; 1 is real time.
    pub speed: f64,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where everything is kept from one process to the next; without it, a folder that is removed at shutdown.
    pub state_dir: Option<PathBuf>,
    /// What the accounts own already.
    pub inventory: Option<Inventory>,
    /// How instances get addresses.
    pub addresses: AddressMode,
    /// The machine that runs the build, as the cloud is to see it; what the inventory says of it comes first.
    pub builder: Builder,
    /// Where the metadata service listens.
    pub metadata_listen: SocketAddr,
    /// What ids and random values are made from.
    pub seed: u64,
    /// How to start this program again as the helper of instances.
    pub helper: HelperProgram,
    /// What is to go wrong, besides what the inventory says.
    pub faults: Vec<FaultRule>,
    /// Whether parameters that an action does not have are passed over, as the real gateway does, and not refused.
    pub ignore_unknown_parameters: bool,
    /// Whether to serve the API where no sandbox can be had: instances then have no machine.
    pub allow_no_sandbox: bool,
}

impl CloudOptions {
    /// Returns the usual options: real state times, a free port, nothing kept, a random seed.
    pub fn new(helper: HelperProgram) -> CloudOptions {
        CloudOptions {
            speed: 1.0,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state_dir: None,
            inventory: None,
            addresses: AddressMode::Mapped,
            builder: Builder::default(),
            metadata_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: rand::random(),
            helper,
            faults: Vec::new(),
            ignore_unknown_parameters: false,
            allow_no_sandbox: false,
        }
    }
}
