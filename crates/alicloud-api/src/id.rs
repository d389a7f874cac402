//! Identities as types, so that a vSwitch cannot be given where a VPC is wanted. They are the cloud's own text,
//! unchecked: the cloud says which exist.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the cloud's text as it is.
            pub fn new(id: impl Into<String>) -> Self {
                $name(id.into())
            }

            /// Returns the cloud's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                $name(id.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                $name(id)
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    )*};
}

ids! {
    /// A region, such as `cn-beijing`.
    RegionId;
    /// A zone of a region, such as `cn-beijing-h`.
    ZoneId;
    /// A virtual private cloud, `vpc-…`.
    VpcId;
    /// A switch (subnet) of a VPC, `vsw-…`.
    VSwitchId;
    /// A security group, `sg-…`.
    SecurityGroupId;
    /// A rule of a security group, `sgr-…`.
    SecurityGroupRuleId;
    /// An instance, `i-…`.
    InstanceId;
    /// An image: `m-…` for own ones, a file name such as `ubuntu_22_04_x64_20G_alibase_….vhd` for public ones.
    ImageId;
    /// A snapshot, `s-…`.
    SnapshotId;
    /// A disk, `d-…`.
    DiskId;
    /// An elastic address, `eip-…`.
    AllocationId;
}
