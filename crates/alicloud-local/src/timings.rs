//! How long each state lasts in the real cloud. The clock divides these by its speed.
//!
//! The figures are typical ones, as seen from outside by watching the states of small resources; the real cloud
//! varies. They matter for their ratios: what is slow there is slow here.

use std::time::Duration;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// VPC: `Pending` until `Available`.
pub const VPC_CREATE: Duration = seconds(2);
/// vSwitch: `Pending` until `Available`.
pub const VSWITCH_CREATE: Duration = seconds(2);
/// vSwitch: from the call that deletes it until the VPC no longer counts it.
pub const VSWITCH_DELETE: Duration = seconds(1);
/// EIP: from allocation until it is listed as `Available`.
pub const EIP_ALLOCATE: Duration = seconds(1);
/// EIP: `Associating` until `InUse`.
pub const EIP_ASSOCIATE: Duration = seconds(3);
/// EIP: `Unassociating` until `Available`.
pub const EIP_UNASSOCIATE: Duration = seconds(2);
/// Instance: `Pending`, while its disks are made.
pub const INSTANCE_CREATE: Duration = seconds(4);
/// Instance: `Starting` until `Running`.
pub const INSTANCE_START: Duration = seconds(16);
/// Instance: from `Running` until something answers on its SSH port.
pub const INSTANCE_BOOT: Duration = seconds(8);
/// Instance: `Stopping` until `Stopped`.
pub const INSTANCE_STOP: Duration = seconds(10);
/// Instance: `Stopping` until `Stopped` when stopped by force.
pub const INSTANCE_FORCE_STOP: Duration = seconds(4);
/// Instance: from the call that deletes it until it is gone.
pub const INSTANCE_DELETE: Duration = seconds(5);
/// Spot instance: from being told that it is taken back until it is (documented: five minutes).
pub const SPOT_NOTICE: Duration = seconds(300);
/// Snapshot: `progressing` until `accomplished`.
pub const SNAPSHOT_CREATE: Duration = seconds(30);
/// Image: `Creating` until `Available`.
pub const IMAGE_CREATE: Duration = seconds(60);
/// Image copied to another region, or encrypted: `Creating` until `Available`.
pub const IMAGE_COPY: Duration = seconds(90);

/// How much ahead of the moment it must answer a sandbox is started, in unscaled time: about what a sandbox takes.
pub const SANDBOX_LEAD: Duration = Duration::from_millis(250);
