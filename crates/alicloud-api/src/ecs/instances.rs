//! Instances: `Pending`, `Starting`, `Running`, `Stopping`, `Stopped`.

use serde::{Deserialize, Serialize};

use super::{Ecs, Tag};
use crate::{
    Acknowledged, AllocationId, ImageId, InstanceId, RegionId, Secret, SecurityGroupId, SnapshotId, UserData,
    VSwitchId, VpcId, ZoneId, action::action, answer::nested, page::paged_by_number, params::json_list,
};

/// The system disk of a new instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SystemDisk {
    /// `cloud_essd`, `cloud_efficiency`, `cloud_ssd` …
    pub category: Option<String>,
    /// GiB; at least the image's.
    pub size: Option<u32>,
    /// Its name.
    pub disk_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// `PL0` … `PL3`, for `cloud_essd`.
    pub performance_level: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// The key to encrypt with.
    #[serde(rename = "KMSKeyId")]
    pub kms_key_id: Option<String>,
}

/// A data disk of a new instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DataDisk {
    /// `cloud_essd`, `cloud_efficiency`, `cloud_ssd` …
    pub category: Option<String>,
    /// GiB.
    pub size: Option<u32>,
    /// Its content.
    pub snapshot_id: Option<SnapshotId>,
    /// Its name.
    pub disk_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Where it is attached: `/dev/xvdb`.
    pub device: Option<String>,
    /// Whether it dies with its instance (the API's default).
    pub delete_with_instance: Option<bool>,
    /// `PL0` … `PL3`, for `cloud_essd`.
    pub performance_level: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// The key to encrypt with.
    #[serde(rename = "KMSKeyId")]
    pub kms_key_id: Option<String>,
}

/// Makes instances and starts them. With a password or user data all parameters travel in the body, never in the URL.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunInstances {
    /// Makes a repetition harmless; at most 64 ASCII characters.
    pub client_token: Option<String>,
    /// The image; this or the family.
    pub image_id: Option<ImageId>,
    /// The newest image of this family.
    pub image_family: Option<String>,
    /// Such as `ecs.g7.large`.
    pub instance_type: Option<String>,
    /// Its name.
    pub instance_name: Option<String>,
    /// Its host name.
    pub host_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// How many; the API's default is 1.
    pub amount: Option<u32>,
    /// Its zone; that of the vSwitch if unset.
    pub zone_id: Option<ZoneId>,
    /// Its vSwitch, and thereby its VPC.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: Option<VSwitchId>,
    /// Its security group.
    pub security_group_id: Option<SecurityGroupId>,
    /// Its address within the vSwitch.
    pub private_ip_address: Option<String>,
    /// `PayByTraffic` or `PayByBandwidth`.
    pub internet_charge_type: Option<String>,
    /// Mbit/s; more than 0 gives it a public address.
    pub internet_max_bandwidth_out: Option<u32>,
    /// The key pair for root.
    pub key_pair_name: Option<String>,
    /// The administrator's password.
    #[serde(serialize_with = "Secret::to_wire")]
    pub password: Option<Secret>,
    /// Whether the image's own password stays.
    pub password_inherit: Option<bool>,
    /// What the first boot runs.
    pub user_data: Option<UserData>,
    /// The RAM role it may assume.
    pub ram_role_name: Option<String>,
    /// `Active` or `Deactive` (Alibaba's security agent).
    pub security_enhancement_strategy: Option<String>,
    /// `none` or `optimized`.
    pub io_optimized: Option<String>,
    /// The system disk.
    pub system_disk: Option<SystemDisk>,
    /// The data disks.
    #[serde(rename = "DataDisk")]
    pub data_disks: Vec<DataDisk>,
    /// When the cloud deletes it by itself: UTC, `YYYY-MM-DDThh:mm:ssZ`, at least 30 minutes ahead.
    pub auto_release_time: Option<String>,
    /// `PostPaid` (the API's default) or `PrePaid`.
    pub instance_charge_type: Option<String>,
    /// `NoSpot`, `SpotWithPriceLimit` or `SpotAsPriceGo`.
    pub spot_strategy: Option<String>,
    /// The highest price per hour, for `SpotWithPriceLimit`.
    pub spot_price_limit: Option<f64>,
    /// `optional` or `required`: whether its metadata service insists on a token.
    pub http_tokens: Option<String>,
    /// `Standard` or `Unlimited`, for burstable types.
    pub credit_specification: Option<String>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Only check whether it could be done; success answers `DryRunOperation`, an error.
    pub dry_run: Option<bool>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// The new instances.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunInstancesAnswer {
    /// Their ids.
    #[serde(rename = "InstanceIdSets", deserialize_with = "nested")]
    pub instance_ids: Vec<InstanceId>,
}

action!(
    /// Makes instances and starts them.
    Ecs.run_instances(RunInstances) -> RunInstancesAnswer, Token, 86 s, private: ["Password", "UserData"]
);

/// Makes one instance, which stays `Stopped`. The older call; [`RunInstances`] is the newer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateInstance {
    /// Makes a repetition harmless; at most 64 ASCII characters.
    pub client_token: Option<String>,
    /// The image; this or the family.
    pub image_id: Option<ImageId>,
    /// The newest image of this family.
    pub image_family: Option<String>,
    /// Such as `ecs.g7.large`.
    pub instance_type: String,
    /// Its name.
    pub instance_name: Option<String>,
    /// Its host name.
    pub host_name: Option<String>,
    /// Its zone; that of the vSwitch if unset.
    pub zone_id: Option<ZoneId>,
    /// Its vSwitch, and thereby its VPC.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: Option<VSwitchId>,
    /// Its security group.
    pub security_group_id: Option<SecurityGroupId>,
    /// `PayByTraffic` or `PayByBandwidth`.
    pub internet_charge_type: Option<String>,
    /// Mbit/s.
    pub internet_max_bandwidth_out: Option<u32>,
    /// The key pair for root.
    pub key_pair_name: Option<String>,
    /// The administrator's password.
    #[serde(serialize_with = "Secret::to_wire")]
    pub password: Option<Secret>,
    /// What the first boot runs.
    pub user_data: Option<UserData>,
    /// The RAM role it may assume.
    pub ram_role_name: Option<String>,
    /// `Active` or `Deactive` (Alibaba's security agent).
    pub security_enhancement_strategy: Option<String>,
    /// `none` or `optimized`.
    pub io_optimized: Option<String>,
    /// The system disk.
    pub system_disk: Option<SystemDisk>,
    /// The data disks.
    #[serde(rename = "DataDisk")]
    pub data_disks: Vec<DataDisk>,
    /// `PostPaid` (the API's default) or `PrePaid`.
    pub instance_charge_type: Option<String>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// The new instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateInstanceAnswer {
    /// Its id.
    pub instance_id: InstanceId,
}

action!(
    /// Makes one instance, which stays `Stopped`.
    Ecs.create_instance(CreateInstance) -> CreateInstanceAnswer, Token, 86 s, private: ["Password", "UserData"]
);

/// Lists instances. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeInstances {
    /// Only these, at most 100.
    #[serde(serialize_with = "json_list")]
    pub instance_ids: Vec<InstanceId>,
    /// Only of this VPC.
    pub vpc_id: Option<VpcId>,
    /// Only of this vSwitch.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: Option<VSwitchId>,
    /// Only in this security group.
    pub security_group_id: Option<SecurityGroupId>,
    /// Only in this state.
    pub status: Option<String>,
    /// Only with this name; `*` may stand at either end.
    pub instance_name: Option<String>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 100.
    pub page_size: Option<u32>,
}

/// One page of instances.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeInstancesAnswer {
    /// The instances.
    #[serde(deserialize_with = "nested")]
    pub instances: Vec<Instance>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// An instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Instance {
    /// Its id.
    pub instance_id: InstanceId,
    /// Its name.
    pub instance_name: String,
    /// See the top of this file.
    pub status: String,
    /// Its region.
    pub region_id: RegionId,
    /// Its zone.
    pub zone_id: ZoneId,
    /// Its type.
    pub instance_type: String,
    /// Its image.
    pub image_id: ImageId,
    /// The key pair bound to it.
    pub key_pair_name: String,
    /// When it was made.
    pub creation_time: String,
    /// When the cloud will delete it by itself; empty if never.
    pub auto_release_time: String,
    /// Its public address, without an elastic one.
    #[serde(deserialize_with = "nested")]
    pub public_ip_address: Vec<String>,
    /// Its private address in the classic network.
    #[serde(deserialize_with = "nested")]
    pub inner_ip_address: Vec<String>,
    /// Its place in a VPC.
    pub vpc_attributes: VpcAttributes,
    /// Its elastic address.
    pub eip_address: InstanceEip,
    /// Its security groups.
    #[serde(deserialize_with = "nested")]
    pub security_group_ids: Vec<SecurityGroupId>,
    /// Why it is locked: `financial`, `security`, `Recycling` …
    #[serde(deserialize_with = "nested")]
    pub operation_locks: Vec<OperationLock>,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

impl Instance {
    /// Returns the address by which the world reaches it: the elastic one, else its own public one.
    pub fn public_address(&self) -> Option<&str> {
        let eip = Some(self.eip_address.ip_address.as_str()).filter(|address| !address.is_empty());
        eip.or_else(|| self.public_ip_address.first().map(String::as_str))
    }

    /// Returns its address within its VPC, else within the classic network.
    pub fn private_address(&self) -> Option<&str> {
        self.vpc_attributes.private_ip_address.iter().chain(&self.inner_ip_address).next().map(String::as_str)
    }
}

/// An instance's place in a VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VpcAttributes {
    /// The VPC.
    pub vpc_id: VpcId,
    /// The vSwitch.
    #[serde(rename = "VSwitchId")]
    pub vswitch_id: VSwitchId,
    /// Its addresses there.
    #[serde(deserialize_with = "nested")]
    pub private_ip_address: Vec<String>,
}

/// An instance's elastic address; both fields are empty if it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InstanceEip {
    /// The address.
    pub ip_address: String,
    /// Its id.
    pub allocation_id: AllocationId,
}

/// A lock on an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OperationLock {
    /// Why.
    pub lock_reason: String,
}

action!(
    /// Returns one page of instances.
    Ecs.describe_instances(DescribeInstances) -> DescribeInstancesAnswer, Read, 10 s
);
paged_by_number!(DescribeInstances, instances: Instance, 100);

/// Starts a stopped instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StartInstance {
    /// The instance.
    pub instance_id: InstanceId,
}

action!(
    /// Starts a stopped instance. A second try after a lost answer may say `IncorrectInstanceStatus`.
    Ecs.start_instance(StartInstance) -> Acknowledged, Safe, 46 s
);

/// Stops an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StopInstance {
    /// The instance.
    pub instance_id: InstanceId,
    /// As if the power were cut.
    pub force_stop: Option<bool>,
    /// `KeepCharging` or `StopCharging` (its place may then be gone).
    pub stopped_mode: Option<String>,
}

action!(
    /// Stops an instance. A second try after a lost answer may say `IncorrectInstanceStatus`.
    Ecs.stop_instance(StopInstance) -> Acknowledged, Safe, 27 s
);

/// Restarts an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RebootInstance {
    /// The instance.
    pub instance_id: InstanceId,
    /// As if the power were cut.
    pub force_stop: Option<bool>,
}

action!(
    /// Restarts an instance.
    Ecs.reboot_instance(RebootInstance) -> Acknowledged, None, 10 s
);

/// Deletes an instance, with those disks that die with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteInstance {
    /// The instance.
    pub instance_id: InstanceId,
    /// Also when it runs.
    pub force: Option<bool>,
}

action!(
    /// Deletes an instance.
    Ecs.delete_instance(DeleteInstance) -> Acknowledged, Safe, 10 s
);

/// Sets when the cloud deletes an instance by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModifyInstanceAutoReleaseTime {
    /// The instance.
    pub instance_id: InstanceId,
    /// UTC, `YYYY-MM-DDThh:mm:ssZ`, at least 30 minutes ahead; unset means never.
    pub auto_release_time: Option<String>,
}

action!(
    /// Sets when the cloud deletes an instance by itself.
    Ecs.modify_instance_auto_release_time(ModifyInstanceAutoReleaseTime) -> Acknowledged, Safe, 10 s
);

/// Reads what an instance wrote to its console.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetInstanceConsoleOutput {
    /// The instance.
    pub instance_id: InstanceId,
    /// Whether special characters are taken out.
    pub remove_symbols: Option<bool>,
}

/// An instance's console.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetInstanceConsoleOutputAnswer {
    /// The instance.
    pub instance_id: InstanceId,
    /// The output, base64.
    pub console_output: String,
    /// When it was last read.
    pub last_update_time: String,
}

impl GetInstanceConsoleOutputAnswer {
    /// Returns the output as text; what is no UTF-8 is replaced. Output that is no base64 is returned as it is.
    pub fn text(&self) -> String {
        use base64::{Engine, prelude::BASE64_STANDARD};
        match BASE64_STANDARD.decode(self.console_output.trim()) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => self.console_output.clone(),
        }
    }
}

action!(
    /// Returns what an instance wrote to its console.
    Ecs.get_instance_console_output(GetInstanceConsoleOutput) -> GetInstanceConsoleOutputAnswer, Read, 10 s
);

/// Asks for a picture of an instance's screen. The instance must run; one call in ten seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetInstanceScreenshot {
    /// The instance.
    pub instance_id: InstanceId,
    /// Whether a sleeping screen is woken.
    pub wake_up: Option<bool>,
}

/// A picture of an instance's screen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GetInstanceScreenshotAnswer {
    /// The instance.
    pub instance_id: InstanceId,
    /// The picture, a JPEG as base64.
    pub screenshot: String,
}

impl GetInstanceScreenshotAnswer {
    /// Returns the JPEG; `None` if there is none or it is no base64.
    pub fn jpeg(&self) -> Option<Vec<u8>> {
        use base64::{Engine, prelude::BASE64_STANDARD};
        BASE64_STANDARD.decode(self.screenshot.trim()).ok().filter(|bytes| !bytes.is_empty())
    }
}

action!(
    /// Returns a picture of an instance's screen.
    Ecs.get_instance_screenshot(GetInstanceScreenshot) -> GetInstanceScreenshotAnswer, Read, 10 s
);

/// Gives an instance of the classic network a public address.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocatePublicIpAddress {
    /// The instance.
    pub instance_id: InstanceId,
}

/// The public address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocatePublicIpAddressAnswer {
    /// The address.
    pub ip_address: String,
}

action!(
    /// Gives an instance of the classic network a public address.
    Ecs.allocate_public_ip_address(AllocatePublicIpAddress) -> AllocatePublicIpAddressAnswer, None, 10 s
);
