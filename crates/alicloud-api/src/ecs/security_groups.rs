//! Security groups and their rules. In a VPC a new group lets everything out and nothing in.

use serde::{Deserialize, Serialize};

use super::{Ecs, Tag};
use crate::{
    Acknowledged, SecurityGroupId, SecurityGroupRuleId, VpcId, action::action, answer::nested,
    page::paged_by_number, params::json_list,
};

/// Makes a security group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateSecurityGroup {
    /// Makes a repetition harmless; at most 64 ASCII characters.
    pub client_token: Option<String>,
    /// Its name.
    pub security_group_name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its VPC.
    pub vpc_id: Option<VpcId>,
    /// `normal` or `enterprise`.
    pub security_group_type: Option<String>,
    /// Its resource group.
    pub resource_group_id: Option<String>,
    /// Its tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
}

/// The new group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateSecurityGroupAnswer {
    /// Its id.
    pub security_group_id: SecurityGroupId,
}

action!(
    /// Makes a security group.
    Ecs.create_security_group(CreateSecurityGroup) -> CreateSecurityGroupAnswer, Token, 10 s
);

/// A rule to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Permission {
    /// `TCP`, `UDP`, `ICMP`, `GRE` or `ALL`.
    pub ip_protocol: String,
    /// `22/22`; `-1/-1` for protocols without ports.
    pub port_range: String,
    /// For incoming traffic: from where, such as `203.0.113.7/32`.
    pub source_cidr_ip: Option<String>,
    /// The same for IPv6.
    #[serde(rename = "Ipv6SourceCidrIp")]
    pub ipv6_source_cidr_ip: Option<String>,
    /// For outgoing traffic: to where.
    pub dest_cidr_ip: Option<String>,
    /// `accept` (the API's default) or `drop`.
    pub policy: Option<String>,
    /// 1 (first) to 100.
    pub priority: Option<String>,
    /// Leave it out in a VPC: only `intranet` is right there.
    pub nic_type: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// Adds rules for incoming traffic; at most 100.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuthorizeSecurityGroup {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// The group.
    pub security_group_id: SecurityGroupId,
    /// The rules.
    pub permissions: Vec<Permission>,
}

/// Adds rules for outgoing traffic; at most 100.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuthorizeSecurityGroupEgress {
    /// Makes a repetition harmless.
    pub client_token: Option<String>,
    /// The group.
    pub security_group_id: SecurityGroupId,
    /// The rules.
    pub permissions: Vec<Permission>,
}

action!(
    /// Adds rules for incoming traffic. A rule that exists is left as it is.
    Ecs.authorize_security_group(AuthorizeSecurityGroup) -> Acknowledged, Safe, 10 s
);
action!(
    /// Adds rules for outgoing traffic. A rule that exists is left as it is.
    Ecs.authorize_security_group_egress(AuthorizeSecurityGroupEgress) -> Acknowledged, Safe, 10 s
);

/// Lists security groups. Read it whole with [`Ecs::all`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSecurityGroups {
    /// Only this one.
    pub security_group_id: Option<SecurityGroupId>,
    /// Only these, at most 100.
    #[serde(serialize_with = "json_list")]
    pub security_group_ids: Vec<SecurityGroupId>,
    /// Only of this VPC.
    pub vpc_id: Option<VpcId>,
    /// Only with this name.
    pub security_group_name: Option<String>,
    /// Only with all of these tags.
    #[serde(rename = "Tag")]
    pub tags: Vec<Tag>,
    /// Which page, from 1.
    pub page_number: Option<u32>,
    /// Entries per page, at most 50.
    pub page_size: Option<u32>,
}

/// One page of security groups.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeSecurityGroupsAnswer {
    /// The groups.
    #[serde(deserialize_with = "nested")]
    pub security_groups: Vec<SecurityGroup>,
    /// How many there are on all pages.
    pub total_count: u32,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecurityGroup {
    /// Its id.
    pub security_group_id: SecurityGroupId,
    /// Its name.
    pub security_group_name: String,
    /// Its VPC.
    pub vpc_id: VpcId,
    /// When it was made.
    pub creation_time: String,
    /// Its tags.
    #[serde(deserialize_with = "nested")]
    pub tags: Vec<Tag>,
}

action!(
    /// Returns one page of security groups.
    Ecs.describe_security_groups(DescribeSecurityGroups) -> DescribeSecurityGroupsAnswer, Read, 10 s
);
paged_by_number!(DescribeSecurityGroups, security_groups: SecurityGroup, 50);

/// Lists the rules of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSecurityGroupAttribute {
    /// The group.
    pub security_group_id: SecurityGroupId,
    /// `ingress`, `egress` or `all` (the API's default).
    pub direction: Option<String>,
}

/// A group's rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeSecurityGroupAttributeAnswer {
    /// The rules.
    #[serde(deserialize_with = "nested")]
    pub permissions: Vec<SecurityGroupRule>,
}

/// A rule of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecurityGroupRule {
    /// Its id.
    pub security_group_rule_id: SecurityGroupRuleId,
    /// `ingress` or `egress`.
    pub direction: String,
    /// As [`Permission::ip_protocol`].
    pub ip_protocol: String,
    /// As [`Permission::port_range`].
    pub port_range: String,
    /// From where.
    pub source_cidr_ip: String,
    /// To where.
    pub dest_cidr_ip: String,
    /// `Accept` or `Drop`.
    pub policy: String,
    /// 1 (first) to 100.
    pub priority: String,
}

action!(
    /// Returns the rules of a group.
    Ecs.describe_security_group_attribute(DescribeSecurityGroupAttribute) -> DescribeSecurityGroupAttributeAnswer,
    Read, 10 s
);

/// Deletes a security group. `DependencyViolation` while an instance is in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteSecurityGroup {
    /// Its id.
    pub security_group_id: SecurityGroupId,
}

action!(
    /// Deletes a security group.
    Ecs.delete_security_group(DeleteSecurityGroup) -> Acknowledged, Safe, 10 s
);
