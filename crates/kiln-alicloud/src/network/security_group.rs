//! The security group: one the account owns, or a temporary one that lets the communicator's port in and nothing else.

use alicloud_api::ecs::{
    AuthorizeSecurityGroup, CreateSecurityGroup, DescribeSecurityGroups, Permission, SecurityGroup,
};
use alicloud_api::{SecurityGroupId, VpcId};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::run::Acquired;

use super::{Part, intent, share};
use crate::build::Site;
use crate::config::given;
use crate::failure::Doing as _;
use crate::lanes::Lane;
use crate::reclaim::Kind;
use crate::{sources, tags};

pub(super) async fn find_or_make(site: &Site<'_>, lane: &Lane, vpc: &Part) -> Result<Part> {
    match given(&site.plan.config.launch.security_group_id) {
        Some(id) => owned(site, id, vpc).await,
        None => make(site, lane, vpc).await,
    }
}

/// Returns the VPC of the group the template names, where it names neither a VPC nor a vSwitch.
pub(crate) async fn vpc(site: &Site<'_>) -> Result<Option<VpcId>> {
    let launch = &site.plan.config.launch;
    let named = [&launch.vpc_id, &launch.vswitch_id].iter().any(|id| given(id).is_some());
    let Some(id) = given(&launch.security_group_id).filter(|_| !named) else {
        return Ok(None);
    };
    let vpc_id = look(site, id).await?.vpc_id;
    match vpc_id.as_str() {
        "" => Err(Error::new(format!("The specified security group {{{id}}} is not in a VPC."))
            .kind(ErrorKind::Refused)
            .hint("instances are only made in VPCs: name a security group of one, or leave `security_group_id` out")),
        _ => Ok(Some(vpc_id)),
    }
}

async fn owned(site: &Site<'_>, id: &str, vpc: &Part) -> Result<Part> {
    let found = look(site, id).await?;
    if found.vpc_id.as_str() == vpc.id {
        return Ok(Part::owned(found.security_group_id));
    }
    let error = Error::new(format!("The specified security group {{{id}}} doesn't exist."));
    let hint =
        format!("it is in VPC `{}`, and the build in `{}`: name a group of that VPC", found.vpc_id, vpc.id);
    Err(error.kind(ErrorKind::Refused).hint(hint))
}

async fn look(site: &Site<'_>, id: &str) -> Result<SecurityGroup> {
    let request = DescribeSecurityGroups { security_group_id: Some(id.into()), ..Default::default() };
    let answer = site.cloud.ecs().describe_security_groups(&request).await;
    let groups = answer.doing("Failed querying security group")?.security_groups;
    groups.into_iter().find(|group| group.security_group_id.as_str() == id).ok_or_else(|| {
        Error::new(format!("The specified security group {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint(format!("check `security_group_id`: `{}` has no such security group", site.plan.region))
    })
}

async fn make(site: &Site<'_>, lane: &Lane, vpc: &Part) -> Result<Part> {
    lane.say("Creating security group...").await;
    let launch = &site.plan.config.launch;
    let name = given(&launch.security_group_name);
    let sources = sources::sources(site).await?;
    let port = site.plan.login.connect.port;
    let tags = serde_json::to_string(&launch.run_tags).unwrap_or_default();
    let settings = [&vpc.id, name.unwrap_or_default(), &port.to_string(), &sources.join(","), &tags];
    let intent = intent(site, Kind::SecurityGroup, &settings, Some(vpc));
    let request = CreateSecurityGroup {
        client_token: Some(intent.token.clone()),
        security_group_name: name.map(str::to_owned),
        vpc_id: Some(vpc.id.as_str().into()),
        tags: tags::temporary(site.cx.run.id(), &intent.token, &launch.run_tags),
        ..Default::default()
    };
    let create = || async {
        let made = site.cloud.ecs().create_security_group(&request).await;
        Ok(Acquired::id(made.doing("Failed creating security group")?.security_group_id))
    };
    let key = intent.key.clone();
    let group = share(site, intent, create).await?;
    let rules =
        ingress(group.id.as_str().into(), port, &sources, site.cx.commons.token(&format!("{key} | in")));
    let open = || async {
        let opened = site.cloud.ecs().authorize_security_group(&rules).await;
        opened.map(drop).doing("Failed authorizing security group")
    };
    site.cx.commons.once(&key, &site.cx.cancel, open).await?;
    lane.message(format!("Created security group: {}", group.id)).await;
    Ok(group)
}

/// Outgoing traffic is open by default, so what comes in is all there is to say.
fn ingress(
    security_group_id: SecurityGroupId,
    port: u16,
    sources: &[String],
    token: String,
) -> AuthorizeSecurityGroup {
    let permission = |source: &String| {
        let rule = Permission {
            ip_protocol: "tcp".to_owned(),
            port_range: format!("{port}/{port}"),
            policy: Some("accept".to_owned()),
            priority: Some("1".to_owned()),
            ..Default::default()
        };
        match source.contains(':') {
            true => Permission { ipv6_source_cidr_ip: Some(source.clone()), ..rule },
            false => Permission { source_cidr_ip: Some(source.clone()), ..rule },
        }
    };
    let permissions = sources.iter().map(permission).collect();
    AuthorizeSecurityGroup { client_token: Some(token), security_group_id, permissions }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_the_communicator_is_let_in() {
        let sources = ["192.0.2.7/32".to_owned(), "2001:db8::/64".to_owned()];
        let request = ingress("sg-1".into(), 2222, &sources, "token".to_owned());
        assert_eq!(request.permissions.len(), 2);
        assert_eq!(request.permissions[0].source_cidr_ip.as_deref(), Some("192.0.2.7/32"));
        assert_eq!(request.permissions[1].ipv6_source_cidr_ip.as_deref(), Some("2001:db8::/64"));
        assert_eq!(request.permissions[0].port_range, "2222/2222");
        assert_eq!(request.permissions[0].ip_protocol, "tcp");
    }
}
