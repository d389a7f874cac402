//! From the client's errors to the build's: Packer's lines as the message, what to do as hints.

use alicloud_api::ErrorKind as Api;
use kiln_core::diagnostic::Fault;
use kiln_core::error::{Error, ErrorKind, Result};

/// Says what was being done when a call or a wait failed.
pub(crate) trait Doing<T> {
    /// Returns the failure as `{doing}: {the cloud's lines}`, with advice for the codes that users meet.
    fn doing(self, doing: impl AsRef<str>) -> Result<T>;
}

impl<T> Doing<T> for alicloud_api::Result<T> {
    fn doing(self, doing: impl AsRef<str>) -> Result<T> {
        self.map_err(|error| told(doing.as_ref(), &error))
    }
}

fn told(doing: &str, error: &alicloud_api::Error) -> Error {
    if error.is_cancelled() {
        return Error::cancelled();
    }
    let text = match error.kind() {
        Api::Api { .. } | Api::Network(_) | Api::Decode => error.packer_lines().join("\n"),
        // What failed stands beneath: the source of the credentials, and why it gives none.
        Api::Credentials | Api::Config => with_causes(error),
        Api::Cancelled | Api::TimedOut | Api::Failed => error.to_string(),
    };
    let failure = Error::new(format!("{doing}: {text}")).kind(kind(error));
    match advice(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn with_causes(error: &alicloud_api::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

fn kind(error: &alicloud_api::Error) -> ErrorKind {
    match error.kind() {
        Api::Cancelled => ErrorKind::Cancelled,
        Api::TimedOut => ErrorKind::TimedOut,
        Api::Config | Api::Credentials => ErrorKind::Refused,
        Api::Api { code } if REFUSALS.iter().any(|refusal| code.starts_with(refusal)) => ErrorKind::Refused,
        Api::Api { .. } | Api::Network(_) | Api::Decode | Api::Failed => ErrorKind::Failed,
    }
}

/// Codes that no repetition changes.
const REFUSALS: [&str; 6] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "Forbidden.RAM",
    "NoPermission",
    "InvalidSecurityToken",
];

/// What to do about the failures users meet most; first match on the code's beginning.
const ADVICE: [(&str, &str); 31] = [
    (
        "InvalidParameter.NotMatch",
        "image and instance type do not suit each other: types of the newest generations want an image marked for \
         NVMe; take another `instance_type`, or another `source_image`",
    ),
    ("Zone.NotOnSale", "the zone sells nothing any more: leave `zone_id` out, or choose another"),
    ("Zone.NotOpen", "the zone is not open to this account: leave `zone_id` out, or choose another"),
    (
        "InvalidSystemDiskCategory",
        "type or zone do not have this disk: leave `disk_category` of `system_disk_mapping` out",
    ),
    ("InvalidDataDiskCategory", "type or zone do not have this disk: choose another `disk_category`"),
    ("InvalidDiskCategory", "type or zone do not have this disk: choose another `disk_category`, or none"),
    (
        "InvalidSpotPriceLimit",
        "the market's price is higher: raise `spot_price_limit`, or use `SpotAsPriceGo`",
    ),
    ("InvalidRamRole", "check `ecs_ram_role_name`: the role must exist, and trust the service ECS"),
    ("InvalidUserData", "check `user_data`: at most 32 KiB, and the image must understand it"),
    ("InvalidAccessKeyId", "check `access_key` or ALICLOUD_ACCESS_KEY: the cloud does not know this key"),
    (
        "SignatureDoesNotMatch",
        "check `secret_key` or ALICLOUD_SECRET_KEY: the key is known, its secret is another",
    ),
    ("InvalidSecurityToken", "the security token is not valid (any more); fetch new temporary credentials"),
    ("InvalidTimeStamp", "check this machine's clock: the cloud accepts 15 minutes of difference"),
    ("Forbidden.RAM", "the account may not do this; see the permissions a build needs in the builder's page"),
    ("NoPermission", "the account may not do this; see the permissions a build needs in the builder's page"),
    ("InvalidAccountStatus.NotEnoughBalance", "top up the account's balance"),
    (
        "OperationDenied.NoStock",
        "no stock in this zone: leave `zone_id` out, or choose another `instance_type`",
    ),
    ("InvalidResourceType.NotSupported", "choose another `instance_type` or another `zone_id`"),
    ("InvalidInstanceType", "check `instance_type`: this region does not offer it"),
    ("InvalidImageId", "check `source_image`: this region has no such image"),
    ("InvalidImageName.Duplicated", "choose another `image_name`, or set `image_force_delete`"),
    ("InvalidRegionId", "check `region`"),
    (
        "QuotaExceeded",
        "the account's quota is used up: delete what is not needed (`kiln gc` finds what builds left)",
    ),
    ("QuotaExceed", "the account's quota is used up: see the Quota Center, or take another `instance_type`"),
    ("InvalidZoneId", "check `zone_id`: this region has no such zone; without it, one with stock is chosen"),
    (
        "InvalidCidrBlock",
        "check `vpc_cidr_block`: the vSwitch of the build takes it (172.16.0.0/24 by default), and it must lie \
         within the VPC",
    ),
    (
        "InvalidPassword",
        "a password has 8 to 30 characters of at least three kinds: capital letters, small letters, digits, \
         characters such as ( ) ~ ! @ # $ % ^ & * - _ + =",
    ),
    ("InvalidVpcId", "check `vpc_id`: this region has no such VPC"),
    ("InvalidVSwitchId", "check `vswitch_id`: this region has no such vSwitch"),
    ("InvalidSecurityGroupId", "check `security_group_id`: this region has no such security group"),
    ("InvalidKeyPairName.NotFound", "check `ssh_keypair_name`: this region has no such key pair"),
];

fn advice(error: &alicloud_api::Error) -> Option<String> {
    if let Api::Network(_) = error.kind() {
        return Some(
            "the cloud's endpoint cannot be reached: check the network, the proxy variables and ALICLOUD_*_ENDPOINT"
                .to_owned(),
        );
    }
    let code = error.code()?;
    ADVICE.iter().find(|(prefix, _)| code.starts_with(prefix)).map(|(_, advice)| (*advice).to_owned())
}

/// Returns a failure found while preparing as a fault of the template.
pub(crate) fn fault(error: &Error) -> Fault {
    let fault = Fault::new(error.chain());
    match error.hints.first() {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}
