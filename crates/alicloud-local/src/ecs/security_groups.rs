//! Security groups and their rules.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::api::{Action, Answer, ApiError, Cx, PAGE_50, ecs_tags, proper_name, read, refuse, write};
use crate::model::{Account, Direction, Instance, Rule, SecurityGroup};

/// The actions of security groups.
pub const ACTIONS: &[Action] = &[
    write("CreateSecurityGroup", &["RegionId"], create),
    read("DescribeSecurityGroups", &["RegionId"], describe),
    read("DescribeSecurityGroupAttribute", &["RegionId", "SecurityGroupId"], describe_attribute),
    write("AuthorizeSecurityGroup", &["RegionId", "SecurityGroupId"], authorize_ingress),
    write("AuthorizeSecurityGroupEgress", &["RegionId", "SecurityGroupId"], authorize_egress),
    write("RevokeSecurityGroup", &["RegionId", "SecurityGroupId"], revoke_ingress),
    write("RevokeSecurityGroupEgress", &["RegionId", "SecurityGroupId"], revoke_egress),
    write("DeleteSecurityGroup", &["RegionId", "SecurityGroupId"], delete),
];

fn create(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let name = cx.params.text("SecurityGroupName");
    if !name.is_empty() && !proper_name(&name) {
        return Err(refuse("InvalidSecurityGroupName.Malformed"));
    }
    let vpc_id = cx.params.text("VpcId");
    if vpc_id.is_empty() {
        return Err(refuse("OperationDenied.NotInVpc")
            .saying("Classic networks can no longer be used: name a VpcId."));
    }
    let vpc = cx.account().vpcs.get(&vpc_id).filter(|vpc| vpc.region == region.id);
    let vpc = vpc.ok_or_else(|| refuse("InvalidVpcId.NotFound"))?;
    if vpc.stage.now != crate::model::NetworkStatus::Available {
        return Err(refuse("IncorrectVpcStatus"));
    }
    let tags = cx.params.tags()?;
    let has = cx.account().security_groups.values().filter(|group| group.region == region.id).count();
    cx.within_quota("security_group", 100, has, "QuotaExceed.SecurityGroup")?;
    let group = SecurityGroup {
        id: cx.new_id("sg", region),
        region: region.id.clone(),
        vpc_id,
        name,
        description: cx.params.text("Description"),
        group_type: cx.params.get("SecurityGroupType").unwrap_or("normal").to_owned(),
        rules: Vec::new(),
        tags,
        created: cx.now(),
    };
    let answer = json!({"SecurityGroupId": group.id});
    cx.account_mut().security_groups.insert(group.id.clone(), group);
    Ok(answer)
}

fn describe(cx: &mut Cx<'_>) -> Answer {
    let region = cx.region()?;
    let params = cx.params;
    let ids = params.json_list("SecurityGroupIds")?;
    let account = cx.account();
    let groups = account.security_groups.values().filter(|group| {
        group.region == region.id
            && params.get("SecurityGroupId").is_none_or(|id| id == group.id)
            && ids.as_ref().is_none_or(|ids| ids.contains(&group.id))
            && params.get("VpcId").is_none_or(|vpc| vpc == group.vpc_id)
            && params.get("SecurityGroupName").is_none_or(|name| name == group.name)
            && params.wants(&group.tags)
    });
    let items: Vec<Value> = groups
        .map(|group| {
            let members =
                account.instances.values().filter(|instance| instance.security_groups.contains(&group.id));
            json!({
                "SecurityGroupId": group.id, "SecurityGroupName": group.name, "VpcId": group.vpc_id,
                "Description": group.description, "SecurityGroupType": group.group_type,
                "CreationTime": group.created.to_seconds(), "EcsCount": members.count(),
                "ResourceGroupId": "", "ServiceManaged": false, "Tags": ecs_tags(&group.tags),
            })
        })
        .collect();
    let mut answer = cx.page("SecurityGroups", "SecurityGroup", items, PAGE_50)?;
    answer["RegionId"] = json!(region.id);
    Ok(answer)
}

fn owned<'a>(cx: &'a Cx<'_>) -> Result<&'a SecurityGroup, ApiError> {
    let region = cx.region()?;
    let group = cx.params.get("SecurityGroupId").and_then(|id| cx.account().security_groups.get(id));
    group.filter(|group| group.region == region.id).ok_or_else(|| refuse("InvalidSecurityGroupId.NotFound"))
}

fn describe_attribute(cx: &mut Cx<'_>) -> Answer {
    let direction = cx.params.get("Direction").unwrap_or("all").to_ascii_lowercase();
    let group = owned(cx)?;
    let permissions: Vec<Value> = group
        .rules
        .iter()
        .filter(|rule| match rule.direction {
            Direction::Ingress => direction != "egress",
            Direction::Egress => direction != "ingress",
        })
        .map(|rule| {
            let outward = rule.direction == Direction::Egress;
            let side = |value: &str, here: bool| if here { value.to_owned() } else { String::new() };
            json!({
                "Direction": rule.direction, "IpProtocol": rule.protocol, "PortRange": rule.ports,
                "SourceCidrIp": side(&rule.cidr, !outward), "DestCidrIp": side(&rule.cidr, outward),
                "SourceGroupId": side(&rule.group, !outward), "DestGroupId": side(&rule.group, outward),
                "Policy": rule.policy, "Priority": rule.priority.to_string(), "NicType": "intranet",
                "Description": rule.description,
            })
        })
        .collect();
    Ok(json!({
        "SecurityGroupId": group.id, "SecurityGroupName": group.name, "VpcId": group.vpc_id, "RegionId": group.region,
        "Description": group.description, "InnerAccessPolicy": "Accept", "Permissions": {"Permission": permissions},
    }))
}

/// Reads the rules a call speaks of: `Permissions.N.*`, or the older form with one rule in the call itself.
fn rules(cx: &Cx<'_>, direction: Direction) -> Result<Vec<Rule>, ApiError> {
    let numbered = cx.params.indexes("Permissions");
    let prefixes: Vec<String> = if numbered.is_empty() {
        vec![String::new()]
    } else {
        numbered.iter().map(|at| format!("Permissions.{at}.")).collect()
    };
    let (cidr_name, group_name) = match direction {
        Direction::Ingress => ("SourceCidrIp", "SourceGroupId"),
        Direction::Egress => ("DestCidrIp", "DestGroupId"),
    };
    let mut rules = Vec::new();
    for prefix in prefixes {
        let value = |name: &str| cx.params.get(&format!("{prefix}{name}"));
        let wanted = |name: &str| value(name).ok_or_else(|| ApiError::missing(name));
        let protocol = wanted("IpProtocol")?.to_ascii_uppercase();
        if !["TCP", "UDP", "ICMP", "ICMPV6", "GRE", "ALL"].contains(&protocol.as_str()) {
            return Err(ApiError::invalid("IpProtocol"));
        }
        let ports = wanted("PortRange")?.to_owned();
        let bounds: Option<Vec<i32>> = ports.split('/').map(|port| port.parse().ok()).collect();
        let has_ports = protocol == "TCP" || protocol == "UDP";
        match bounds.as_deref() {
            Some([-1, -1]) if !has_ports => {}
            Some([low, high]) if has_ports && 1 <= *low && low <= high && *high <= 65535 => {}
            _ => return Err(ApiError::invalid("PortRange")),
        }
        let cidr = value(cidr_name)
            .map(|text| if text.contains('/') { text.to_owned() } else { format!("{text}/32") });
        if cidr.as_deref().is_some_and(|cidr| cidr.parse::<IpNet>().is_err()) {
            return Err(ApiError::invalid(cidr_name));
        }
        let group = value(group_name).unwrap_or_default().to_owned();
        if cidr.is_none() && group.is_empty() {
            return Err(ApiError::missing(cidr_name));
        }
        let policy = match value("Policy").unwrap_or("accept").to_ascii_lowercase().as_str() {
            "accept" => "Accept",
            "drop" => "Drop",
            _ => return Err(ApiError::invalid("Policy")),
        };
        let priority: u32 = match value("Priority").map(str::parse) {
            None => 1,
            Some(Ok(priority)) if (1..=100).contains(&priority) => priority,
            Some(_) => return Err(ApiError::invalid("Priority")),
        };
        rules.push(Rule {
            direction,
            protocol,
            ports,
            cidr: cidr.unwrap_or_default(),
            group,
            policy: policy.to_owned(),
            priority,
            description: value("Description").unwrap_or_default().to_owned(),
        });
    }
    Ok(rules)
}

fn same(one: &Rule, other: &Rule) -> bool {
    let essence = |rule: &Rule| {
        let Rule { direction, protocol, ports, cidr, group, policy, .. } = rule.clone();
        (direction == Direction::Ingress, protocol, ports, cidr, group, policy)
    };
    essence(one) == essence(other)
}

fn authorize_ingress(cx: &mut Cx<'_>) -> Answer {
    authorize(cx, Direction::Ingress)
}

fn authorize_egress(cx: &mut Cx<'_>) -> Answer {
    authorize(cx, Direction::Egress)
}

fn authorize(cx: &mut Cx<'_>, direction: Direction) -> Answer {
    let id = owned(cx)?.id.clone();
    let rules = rules(cx, direction)?;
    if let Some(group) = cx.account_mut().security_groups.get_mut(&id) {
        for rule in rules {
            // Adding a rule that is there succeeds and changes nothing.
            if !group.rules.iter().any(|has| same(has, &rule)) {
                group.rules.push(rule);
            }
        }
    }
    Ok(json!({}))
}

fn revoke_ingress(cx: &mut Cx<'_>) -> Answer {
    revoke(cx, Direction::Ingress)
}

fn revoke_egress(cx: &mut Cx<'_>) -> Answer {
    revoke(cx, Direction::Egress)
}

fn revoke(cx: &mut Cx<'_>, direction: Direction) -> Answer {
    let id = owned(cx)?.id.clone();
    let rules = rules(cx, direction)?;
    if let Some(group) = cx.account_mut().security_groups.get_mut(&id) {
        group.rules.retain(|has| !rules.iter().any(|rule| same(has, rule)));
    }
    Ok(json!({}))
}

fn delete(cx: &mut Cx<'_>) -> Answer {
    let id = owned(cx)?.id.clone();
    let account = cx.account();
    let member = account.instances.values().any(|instance| instance.security_groups.contains(&id));
    let named = account
        .security_groups
        .values()
        .any(|other| other.id != id && other.rules.iter().any(|rule| rule.group == id));
    if member {
        return Err(refuse("DependencyViolation")
            .saying("There is still instance(s) in the specified security group."));
    }
    if named {
        return Err(refuse("DependencyViolation")
            .saying("The specified security group has been authorized in another one."));
    }
    cx.account_mut().security_groups.remove(&id);
    Ok(json!({}))
}

/// Returns whether an instance's groups let TCP in to a port from an address. Rules that name another group are about
/// its members, of which no caller here is one.
pub fn lets_in(account: &Account, instance: &Instance, source: IpAddr, port: u16) -> bool {
    let covers = |rule: &Rule| {
        let bounds: Option<Vec<i32>> = rule.ports.split('/').map(|bound| bound.parse().ok()).collect();
        match bounds.as_deref() {
            Some([-1, -1]) => true,
            Some([low, high]) => (*low..=*high).contains(&i32::from(port)),
            _ => false,
        }
    };
    let mut rules: Vec<&Rule> = instance
        .security_groups
        .iter()
        .filter_map(|id| account.security_groups.get(id))
        .flat_map(|group| &group.rules)
        .filter(|rule| rule.direction == Direction::Ingress)
        .filter(|rule| rule.cidr.parse::<IpNet>().is_ok_and(|block| block.contains(&source)))
        .filter(|rule| (rule.protocol == "TCP" || rule.protocol == "ALL") && covers(rule))
        .collect();
    // Among rules of the same priority those that drop come first.
    rules.sort_by_key(|rule| (rule.priority, rule.policy == "Accept"));
    rules.first().is_some_and(|rule| rule.policy == "Accept")
}
