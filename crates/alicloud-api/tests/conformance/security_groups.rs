//! Security groups and their rules.

use alicloud_api::ecs::{
    AuthorizeSecurityGroup, CreateSecurityGroup, DeleteSecurityGroup, DescribeSecurityGroupAttribute,
    DescribeSecurityGroups, Permission,
};

use super::place::{everywhere, refused};

#[tokio::test]
async fn a_rule_lets_in_whom_it_names_and_no_more() {
    everywhere(async |place| {
        let ecs = place.ecs();
        let request = CreateSecurityGroup {
            client_token: Some(format!("{}-group", place.run)),
            security_group_name: Some(place.run.clone()),
            vpc_id: Some(place.make_vpc().await),
            tags: place.tags(),
            ..Default::default()
        };
        let id = ecs.create_security_group(&request).await.unwrap().security_group_id;
        assert_eq!(ecs.create_security_group(&request).await.unwrap().security_group_id, id);
        let rules = AuthorizeSecurityGroup {
            security_group_id: id.clone(),
            permissions: vec![Permission {
                ip_protocol: "tcp".to_owned(),
                port_range: "22/22".to_owned(),
                source_cidr_ip: Some("203.0.113.7/32".to_owned()),
                description: Some("kiln conformance".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        };
        ecs.authorize_security_group(&rules).await.unwrap();
        // What is allowed already may be allowed again: so a lost answer is no trouble.
        ecs.authorize_security_group(&rules).await.unwrap();
        let look = DescribeSecurityGroupAttribute {
            security_group_id: id.clone(),
            direction: Some("ingress".to_owned()),
        };
        let found = ecs.describe_security_group_attribute(&look).await.unwrap().permissions;
        let [rule] = &found[..] else { panic!("{found:?}") };
        assert_eq!(rule.ip_protocol.to_lowercase(), "tcp");
        assert_eq!((&rule.port_range[..], &rule.source_cidr_ip[..]), ("22/22", "203.0.113.7/32"));
        assert_eq!(rule.policy.to_lowercase(), "accept");

        let by_tag =
            ecs.all(&DescribeSecurityGroups { tags: place.tags(), ..Default::default() }).await.unwrap();
        assert_eq!(by_tag.iter().map(|group| &group.security_group_id).collect::<Vec<_>>(), [&id]);
        let delete = DeleteSecurityGroup { security_group_id: id };
        place.delete("the security group to go", || ecs.delete_security_group(&delete)).await.unwrap();
        let error = refused(ecs.delete_security_group(&delete).await);
        assert!(error.is_not_found(), "{error}");
    })
    .await;
}
