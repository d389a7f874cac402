//! Who reaches what: the addresses of instances, and the security groups before them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Inner;
use crate::ecs::security_groups;
use crate::instance::Gate;
use crate::model::{Account, EipStatus, Instance, InstanceStatus, State};
use crate::options::AddressMode;

/// What happens to a connection to a port of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It gets through: the machine answers here.
    Open(SocketAddr),
    /// The instance is there and lets the port in, but nothing listens on it, or not yet.
    Refused,
    /// Nothing ever answers: the security group lets nobody in, or the instance is off.
    Dropped,
    /// No instance has the address.
    Unknown,
}

/// Whether packets come as far as an instance's port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    NotYet,
    Closed,
}

/// Finds the instance that an address leads to.
fn instance_of<'a>(state: &'a State, address: &str) -> Option<(&'a Account, &'a Instance)> {
    state.accounts.values().find_map(|account| {
        let mut eips = account.eips.values();
        let by_eip = eips
            .find(|eip| eip.address == address && eip.stage.now == EipStatus::InUse)
            .and_then(|eip| account.instances.get(eip.instance_id.as_ref()?));
        let instance = by_eip.or_else(|| {
            account.instances.values().find(|instance| {
                instance.private_ip == address || instance.public_ip.as_deref() == Some(address)
            })
        })?;
        Some((account, instance))
    })
}

impl Inner {
    /// The port on which instances answer SSH, and which a security group has to let in.
    fn ssh_port(&self) -> u16 {
        match self.addresses {
            AddressMode::Mapped => 22,
            AddressMode::Loopback { port } => port,
        }
    }

    fn way(&self, account: &Account, instance: &Instance, source: IpAddr, port: u16) -> Way {
        if !security_groups::lets_in(account, instance, source, port) {
            return Way::Closed;
        }
        match instance.stage.now {
            InstanceStatus::Running if instance.reachable_at.is_some_and(|at| at <= self.clock.now()) => {
                Way::Open
            }
            InstanceStatus::Pending | InstanceStatus::Starting | InstanceStatus::Running => Way::NotYet,
            InstanceStatus::Stopping | InstanceStatus::Stopped | InstanceStatus::Deleted => Way::Closed,
        }
    }

    /// Returns what happens to a connection from this machine to a port of an address.
    pub(super) fn reach(self: &Arc<Self>, address: &str, port: u16) -> Reach {
        let source = self.builder_address();
        let found = self.with_state(|state| {
            let (account, instance) = instance_of(state, address)?;
            Some((instance.id.clone(), self.way(account, instance, source, port)))
        });
        match found {
            None => Reach::Unknown,
            Some((_, Way::Closed)) => Reach::Dropped,
            Some((_, Way::NotYet)) => Reach::Refused,
            Some((id, Way::Open)) if port == self.ssh_port() => {
                self.machines.address(&id).map_or(Reach::Refused, Reach::Open)
            }
            Some((_, Way::Open)) => Reach::Refused,
        }
    }

    /// Returns what happens to a connection to an instance's SSH port.
    pub(super) fn reach_instance(self: &Arc<Self>, id: &str, source: IpAddr) -> Reach {
        let port = self.ssh_port();
        let way = self.with_state(|state| {
            let (account, instance) = state.instance(id)?;
            Some(self.way(account, instance, source, port))
        });
        match way {
            Some(Way::Open) => self.machines.address(id).map_or(Reach::Refused, Reach::Open),
            Some(Way::NotYet) => Reach::Refused,
            Some(Way::Closed) | None => Reach::Dropped,
        }
    }

    /// Returns the gate before an instance's own SSH server, which its security groups keep.
    pub(super) fn gate(self: &Arc<Self>, id: &str) -> Gate {
        let (cloud, id) = (Arc::downgrade(self), id.to_owned());
        Gate::new(move |peer| {
            let Some(cloud) = cloud.upgrade() else { return false };
            let (source, port) = (cloud.seen_as(peer), cloud.ssh_port());
            cloud.with_state(|state| {
                state.instance(&id).is_some_and(|(account, instance)| {
                    security_groups::lets_in(account, instance, source, port)
                })
            })
        })
    }
}
