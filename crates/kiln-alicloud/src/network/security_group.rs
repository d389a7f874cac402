//! The security group: one the account owns, or a temporary one that lets the communicator's port in and nothing else.

use alicloud_api::SecurityGroupId;
use alicloud_api::ecs::{AuthorizeSecurityGroup, CreateSecurityGroup, DescribeSecurityGroups, Permission};
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

async fn owned(site: &Site<'_>, id: &str, vpc: &Part) -> Result<Part> {
    let request = DescribeSecurityGroups {
        security_group_id: Some(id.into()),
        vpc_id: Some(vpc.id.as_str().into()),
        ..Default::default()
    };
    let answer = site.cloud.ecs().describe_security_groups(&request).await;
    let groups = answer.doing("Failed querying security group")?.security_groups;
    let found = groups.into_iter().map(|group| group.security_group_id).find(|found| found.as_str() == id);
    found.map(Part::owned).ok_or_else(|| {
        Error::new(format!("The specified security group {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint("check `security_group_id`, and that it belongs to the VPC of the build")
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
