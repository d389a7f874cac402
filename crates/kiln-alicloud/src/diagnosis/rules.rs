//! Whether the security groups of an instance let this machine in.

use std::net::Ipv4Addr;

use alicloud_api::ecs::{DescribeInstances, DescribeSecurityGroupAttribute, SecurityGroupRule};
use alicloud_api::{InstanceId, SecurityGroupId, own_address};

use crate::build::Site;
use crate::sources;

/// Says from where the groups let `port` in, and whether this machine is among that.
pub(super) async fn tell(site: &Site<'_>, id: &InstanceId, port: u16) -> Vec<String> {
    let (rules, own) = futures_util::join!(rules(site, id), own(site));
    match rules {
        Err(error) => vec![format!("The rules of the security groups cannot be read: {error}")],
        Ok((groups, rules)) => vec![judge(&groups, &rules, port, own)],
    }
}

async fn rules(
    site: &Site<'_>,
    id: &InstanceId,
) -> alicloud_api::Result<(Vec<SecurityGroupId>, Vec<SecurityGroupRule>)> {
    let ecs = site.cloud.ecs();
    let look = DescribeInstances { instance_ids: vec![id.clone()], ..Default::default() };
    let found = ecs.describe_instances(&look).await?.instances.into_iter().next().unwrap_or_default();
    let mut rules = Vec::new();
    // An instance is in five groups at most, unless the quota was raised.
    for group in found.security_group_ids.iter().take(5) {
        let direction = Some("ingress".to_owned());
        let request = DescribeSecurityGroupAttribute { security_group_id: group.clone(), direction };
        rules.extend(ecs.describe_security_group_attribute(&request).await?.permissions);
    }
    Ok((found.security_group_ids, rules))
}

/// This machine's public address, where somebody may be asked for it and the way to the instance begins with it.
async fn own(site: &Site<'_>) -> Option<Ipv4Addr> {
    let url = sources::address_url(site.plan)?;
    own_address(&url).await.ok()
}

fn judge(
    groups: &[SecurityGroupId],
    rules: &[SecurityGroupRule],
    port: u16,
    own: Option<Ipv4Addr>,
) -> String {
    let names: Vec<String> = groups.iter().map(|group| format!("`{group}`")).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let from = |policy: &str| -> Vec<&str> {
        let ours = rules.iter().filter(|rule| rule.policy.eq_ignore_ascii_case(policy) && covers(rule, port));
        ours.map(|rule| rule.source_cidr_ip.as_str()).filter(|source| !source.is_empty()).collect()
    };
    let (accepted, dropped) = (from("accept"), from("drop"));
    if accepted.is_empty() {
        return format!(
            "Security group ({names}) lets nobody in on port {port}: add a rule, or leave `security_group_id` out."
        );
    }
    let listed = accepted.join(", ");
    let besides = match dropped.is_empty() {
        true => String::new(),
        false => format!(", and drops {}", dropped.join(", ")),
    };
    match own {
        Some(own) if !accepted.iter().any(|block| sources::contains(block, own)) => format!(
            "Security group ({names}) lets port {port} in from {listed}{besides}; this machine is seen as {own}, which \
             is not among them."
        ),
        Some(own) => format!(
            "Security group ({names}) lets port {port} in from {listed}{besides}; this machine is seen as {own}."
        ),
        None => format!("Security group ({names}) lets port {port} in from {listed}{besides}."),
    }
}

/// Whether the rule speaks of TCP on `port`; `-1/-1` is every port.
fn covers(rule: &SecurityGroupRule, port: u16) -> bool {
    let is_incoming = rule.direction.is_empty() || rule.direction.eq_ignore_ascii_case("ingress");
    let is_tcp = ["tcp", "all"].iter().any(|name| rule.ip_protocol.eq_ignore_ascii_case(name));
    let within = match rule.port_range.split_once('/') {
        Some(("-1", _)) => true,
        Some((low, high)) => match (low.parse::<u16>(), high.parse::<u16>()) {
            (Ok(low), Ok(high)) => (low..=high).contains(&port),
            _ => false,
        },
        None => false,
    };
    is_incoming && is_tcp && within
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(policy: &str, protocol: &str, ports: &str, source: &str) -> SecurityGroupRule {
        SecurityGroupRule {
            direction: "ingress".to_owned(),
            policy: policy.to_owned(),
            ip_protocol: protocol.to_owned(),
            port_range: ports.to_owned(),
            source_cidr_ip: source.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn a_group_lets_in_or_does_not() {
        let groups = ["sg-1".into()];
        let own = Some(Ipv4Addr::new(203, 0, 113, 7));
        let open =
            [rule("Accept", "TCP", "22/22", "203.0.113.0/24"), rule("Accept", "UDP", "22/22", "0.0.0.0/0")];
        assert_eq!(
            judge(&groups, &open, 22, own),
            "Security group (`sg-1`) lets port 22 in from 203.0.113.0/24; this machine is seen as 203.0.113.7."
        );
        assert!(judge(&groups, &open, 2222, own).contains("lets nobody in on port 2222"));
        let elsewhere =
            [rule("accept", "ALL", "-1/-1", "198.51.100.1"), rule("drop", "TCP", "1/65535", "10.0.0.0/8")];
        let told = judge(&groups, &elsewhere, 22, own);
        assert!(
            told.contains(
                "from 198.51.100.1, and drops 10.0.0.0/8; this machine is seen as 203.0.113.7, which is not"
            ),
            "{told}"
        );
        assert!(!judge(&groups, &elsewhere, 22, None).contains("this machine"));
    }
}
