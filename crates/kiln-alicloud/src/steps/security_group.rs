//! The security group: one the account owns, or a temporary one that lets the communicator's port in and nothing else.

use alicloud_api::ecs::{AuthorizeSecurityGroup, CreateSecurityGroup, DescribeSecurityGroups, Permission};
use alicloud_api::{SecurityGroupId, VpcId};
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::run::Acquired;

use crate::build::Site;
use crate::config::given;
use crate::failure::Doing as _;
use crate::lanes::Lane;
use crate::reclaim::Kind;
use crate::tags;

pub(crate) async fn find_or_make(site: &Site<'_>, lane: &Lane, vpc_id: VpcId) -> Result<SecurityGroupId> {
    match given(&site.plan.config.launch.security_group_id) {
        Some(id) => existing(site, id, vpc_id).await,
        None => make(site, lane, vpc_id).await,
    }
}

async fn existing(site: &Site<'_>, id: &str, vpc_id: VpcId) -> Result<SecurityGroupId> {
    let request = DescribeSecurityGroups {
        security_group_id: Some(id.into()),
        vpc_id: Some(vpc_id),
        ..Default::default()
    };
    let answer = site.cloud.ecs().describe_security_groups(&request).await;
    let groups = answer.doing("Failed querying security group")?.security_groups;
    let found = groups.into_iter().map(|group| group.security_group_id).find(|found| found.as_str() == id);
    found.ok_or_else(|| {
        Error::new(format!("The specified security group {{{id}}} doesn't exist."))
            .kind(ErrorKind::Refused)
            .hint("check `security_group_id`, and that it belongs to the VPC of the build")
    })
}

async fn make(site: &Site<'_>, lane: &Lane, vpc_id: VpcId) -> Result<SecurityGroupId> {
    lane.say("Creating security group...").await;
    let ecs = site.cloud.ecs();
    let config = &site.plan.config;
    let intent = site.intent(Kind::SecurityGroup, &[Kind::Vpc]);
    let request = CreateSecurityGroup {
        client_token: Some(intent.token.clone()),
        security_group_name: given(&config.launch.security_group_name).map(str::to_owned),
        vpc_id: Some(vpc_id),
        tags: tags::temporary(site.cx.run.id(), &intent.token, &config.launch.run_tags),
        ..Default::default()
    };
    let create = || async {
        let made = ecs.create_security_group(&request).await.doing("Failed creating security group")?;
        Ok(Acquired::id(made.security_group_id))
    };
    let held = site.cx.run.acquire(intent, create).await?;
    let rule = ingress(held.id.as_str().into(), site.plan.login.connect.port, site.cx.run.token("ingress"));
    ecs.authorize_security_group(&rule).await.doing("Failed authorizing security group")?;
    lane.message(format!("Created security group: {}", held.id)).await;
    Ok(held.id.into())
}

/// Outgoing traffic is open by default, so one rule is enough.
fn ingress(security_group_id: SecurityGroupId, port: u16, token: String) -> AuthorizeSecurityGroup {
    let permission = Permission {
        ip_protocol: "tcp".to_owned(),
        port_range: format!("{port}/{port}"),
        source_cidr_ip: Some("0.0.0.0/0".to_owned()),
        policy: Some("accept".to_owned()),
        priority: Some("1".to_owned()),
        ..Default::default()
    };
    AuthorizeSecurityGroup { client_token: Some(token), security_group_id, permissions: vec![permission] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_the_communicator_is_let_in() {
        let request = ingress("sg-1".into(), 2222, "token".to_owned());
        assert_eq!(request.permissions.len(), 1);
        assert_eq!(request.permissions[0].port_range, "2222/2222");
        assert_eq!(request.permissions[0].ip_protocol, "tcp");
    }
}
