//! The policies that the provider keeps, by their names and with what they allow. The real cloud has hundreds; here are
//! those that builds of images have a use for. One that is not here cannot be attached.

/// Name, actions allowed (on everything).
const POLICIES: &[(&str, &[&str])] = &[
    ("AdministratorAccess", &["*"]),
    ("ReadOnlyAccess", &["*:Describe*", "*:Get*", "*:List*"]),
    ("AliyunECSFullAccess", &["ecs:*", "vpc:DescribeVpcs", "vpc:DescribeVSwitches"]),
    (
        "AliyunECSReadOnlyAccess",
        &["ecs:Describe*", "ecs:Get*", "ecs:List*", "vpc:DescribeVpcs", "vpc:DescribeVSwitches"],
    ),
    ("AliyunVPCFullAccess", &["vpc:*"]),
    ("AliyunVPCReadOnlyAccess", &["vpc:Describe*", "vpc:Get*", "vpc:List*"]),
    ("AliyunEIPFullAccess", &["vpc:*Eip*"]),
    ("AliyunOSSFullAccess", &["oss:*"]),
    ("AliyunOSSReadOnlyAccess", &["oss:Get*", "oss:List*"]),
    ("AliyunRAMFullAccess", &["ram:*"]),
    ("AliyunRAMReadOnlyAccess", &["ram:Get*", "ram:List*"]),
    ("AliyunSTSAssumeRoleAccess", &["sts:AssumeRole"]),
    (
        "AliyunECSImageImportRolePolicy",
        &["oss:GetObject", "oss:GetBucketLocation", "oss:ListObjects", "oss:GetBucketInfo"],
    ),
    (
        "AliyunECSImageExportRolePolicy",
        &[
            "oss:GetObject",
            "oss:PutObject",
            "oss:DeleteObject",
            "oss:GetBucketLocation",
            "oss:AbortMultipartUpload",
        ],
    ),
];

/// Returns the document of a policy.
pub fn policy(name: &str) -> Option<String> {
    let (_, actions) = POLICIES.iter().find(|(known, _)| *known == name)?;
    let statement = serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    Some(serde_json::json!({"Version": "1", "Statement": [statement]}).to_string())
}

/// Returns the names.
pub fn names() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|(name, _)| *name)
}
