//! The errors of the API: codes with their usual status and message, as data.

/// A refusal as the API answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The code clients decide on.
    pub code: String,
    /// The message for people.
    pub message: String,
    /// What was denied to whom by what, in the answer's `AccessDeniedDetail`.
    pub detail: Option<Box<serde_json::Value>>,
}

impl ApiError {
    /// Replaces the usual message.
    pub fn saying(mut self, message: impl Into<String>) -> ApiError {
        self.message = message.into();
        self
    }

    /// Replaces the usual status.
    pub fn with_status(mut self, status: u16) -> ApiError {
        self.status = status;
        self
    }

    /// Adds what was denied to whom by what.
    pub fn with_detail(mut self, detail: serde_json::Value) -> ApiError {
        self.detail = Some(Box::new(detail));
        self
    }

    /// A parameter that the gateway wants for the action is absent.
    pub fn missing(name: &str) -> ApiError {
        ApiError {
            status: 400,
            code: format!("Missing{}", name.replace('.', "")),
            message: format!("{name} is mandatory for this action."),
            detail: None,
        }
    }

    /// A parameter that the action does not have. The code is ours: the real gateway passes over such parameters.
    pub fn unknown(name: &str, action: &str) -> ApiError {
        ApiError {
            status: 400,
            code: "InvalidParameter.Unknown".to_owned(),
            message: format!("{action} has no parameter \"{name}\"."),
            detail: None,
        }
    }

    /// A parameter whose value makes no sense.
    pub fn invalid(name: &str) -> ApiError {
        ApiError {
            status: 400,
            code: format!("InvalidParameter.{name}"),
            message: format!("The specified parameter \"{name}\" is not valid."),
            detail: None,
        }
    }
}

/// Refuses with a code, its usual status and its usual message.
pub fn refuse(code: &str) -> ApiError {
    let (status, message) = KNOWN
        .iter()
        .find(|(known, _, _)| *known == code)
        .map_or((400, "The request was refused."), |(_, status, message)| (*status, *message));
    ApiError { status, code: code.to_owned(), message: message.to_owned(), detail: None }
}

const STATUS: &str = "The current status of the resource does not support this operation.";
const DEPENDENT: &str = "Specified object has dependent resources.";

/// Code, status, message.
const KNOWN: &[(&str, u16, &str)] = &[
    // The gateway.
    ("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found."),
    ("InvalidAccessKeyId.Inactive", 400, "Specified access key is disabled."),
    ("InvalidAction.NotFound", 404, "Specified api is not found, please check your url and method."),
    ("InvalidVersion", 400, "Specified parameter Version is not valid."),
    ("InvalidTimeStamp.Expired", 400, "Specified time stamp or date value is expired."),
    ("InvalidTimeStamp.Format", 400, "Specified time stamp or date value is not well formatted."),
    ("IncompleteSignature", 400, "The request signature does not conform to Aliyun standards."),
    ("SignatureNonceUsed", 400, "Specified signature nonce was used already."),
    ("SignatureDoesNotMatch", 400, "Specified signature is not matched with our calculation."),
    ("InvalidSecurityToken.Malformed", 400, "Specified SecurityToken is malformed."),
    ("InvalidSecurityToken.Expired", 400, "Specified SecurityToken is expired."),
    (
        "InvalidSecurityToken.MismatchWithAccessKey",
        400,
        "Specified SecurityToken mismatch with the AccessKey.",
    ),
    ("Throttling", 400, "Request was denied due to request throttling."),
    ("Throttling.User", 400, "Request was denied due to user flow control."),
    ("ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."),
    (
        "InternalError",
        500,
        "The request processing has failed due to some unknown error, exception or failure.",
    ),
    ("UnsupportedHTTPMethod", 400, "This http method is not supported."),
    (
        "IdempotentParameterMismatch",
        400,
        "The request uses the same client token as a previous, but non-identical request. Do not reuse a client token with different requests, unless the requests are identical.",
    ),
    ("DryRunOperation", 400, "Request validation has been passed with DryRun flag set."),
    (
        "Forbidden.RAM",
        403,
        "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
    ),
    // Regions, zones.
    ("InvalidRegionId.NotFound", 404, "The specified RegionId does not exist."),
    ("InvalidZoneId.NotFound", 404, "The specified zone does not exist."),
    // Tags.
    ("InvalidTagKey.Malformed", 400, "The specified Tag.n.Key is not valid."),
    ("InvalidTagValue.Malformed", 400, "The specified Tag.n.Value is not valid."),
    ("NumberExceed.Tags", 400, "The maximum number of Tags is exceeded."),
    ("Duplicate.TagKey", 400, "The Tag.N.Key contain duplicate key."),
    ("InvalidResourceType.NotFound", 404, "The ResourceType provided does not exist in our records."),
    ("InvalidResourceId.NotFound", 404, "The specified ResourceIds are not found in our records."),
    // Images.
    ("InvalidImageId.NotFound", 404, "The specified ImageId does not exist."),
    ("InvalidImageName.Duplicated", 400, "The specified Image name has already been used."),
    ("InvalidImageName.Malformed", 400, "The specified Image name is wrongly formed."),
    ("InvalidImageFamily.Malformed", 400, "The specified ImageFamily is wrongly formed."),
    ("ImageFamilyNotFound", 404, "The specified image family does not exist."),
    ("IncorrectImageStatus", 403, "The current status of the image does not support this operation."),
    // These of images are from the pages of DeleteImage, CopyImage, CreateImage and ModifyImageSharePermission.
    ("ImageUsingByInstance", 403, "The specified image has been used to create instances."),
    ("ImageUseShared", 403, "The specified image has been shared to others."),
    ("OperationDenied.ImageCopying", 403, "The image is currently being copied. Please try again later."),
    (
        "OperationDenied.ImageCopyConflict",
        400,
        "The same image cannot be copied concurrently. Please wait until the last copy is completed before performing the next operation.",
    ),
    (
        "OperationDenied.SameRegionOnly",
        403,
        "The image shared from others can not be copied to another region directly.",
    ),
    ("OperationDenied.CommunityImage", 400, "Community image does not support copy."),
    ("DestinationRegion.NotFound", 400, "The destination region not found."),
    ("IncorrectDestinationRegion", 403, "The destination region is not equal the target region."),
    (
        "InvalidParameter.EncryptedIllegal",
        400,
        "The specified parameter Encrypted must be true when kmsKeyId is not empty.",
    ),
    (
        "OperationDeined.EncryptedSnapshot",
        403,
        "The image contains encrypted snapshots, which do not support share.",
    ),
    (
        "InvalidOperation.ServiceKeyEncryptedImageUnsupported",
        403,
        "The specified service key encrypted image is not supported for this operation. Please switch to a CMK (Customer Master Key) encrypted image and retry.",
    ),
    (
        "OperationDenied.InvalidImageStatus",
        403,
        "The specified image cannot be shared when it is deprecated.",
    ),
    ("QuotaExceed.ShareImageUser", 403, "The shared Image user Quota exceeds."),
    (
        "InvalidAccount.NotFound",
        404,
        "The specified parameter \"AddAccount.n\" or \"RemoveAccount.n\" does not exist.",
    ),
    ("InvalidAccount.Forbbiden", 404, "The specified Account does not yourself."),
    ("Image.Public", 403, "The specified image is public image."),
    (
        "InvalidParameter.IsPublic",
        403,
        "The specified parameter IsPublic is conflicted with other parameters.",
    ),
    ("InvalidArchitecture.Malformed", 400, "The specified Architecture is wrongly formed."),
    ("InvalidDescription.Malformed", 400, "The specified description is wrongly formed."),
    ("InvalidDiskType.ValueNotSupported", 400, "The specified disk type is not supported."),
    (
        "InvalidSize.ValueNotSupported",
        400,
        "The specified parameter DiskDeviceMapping.n.Size beyond the permitted range.",
    ),
    ("InvalidDevice.InUse", 400, "The specified parameter DiskDeviceMapping.n.Device has been occupied."),
    ("QuotaExceed.Image", 403, "The maximum number of images is exceeded."),
    ("InvalidImageStatus.NotSupported", 400, "The specified image status is not supported."),
    // Snapshots, disks.
    ("InvalidSnapshotId.NotFound", 404, "The specified SnapshotId does not exist."),
    ("InvalidSnapshotName.Malformed", 400, "The specified Snapshot name is wrongly formed."),
    ("IncorrectSnapshotStatus", 403, STATUS),
    (
        "SnapshotCreatedImage",
        403,
        "The specified snapshot has already created image, please delete the image first.",
    ),
    ("QuotaExceed.Snapshot", 403, "The maximum number of snapshots is exceeded."),
    ("InvalidDiskId.NotFound", 404, "The specified disk does not exist."),
    ("IncorrectDiskStatus", 403, "The current disk status does not support this operation."),
    ("InvalidDiskCategory.NotSupported", 400, "The specified disk category is not support."),
    (
        "InvalidSystemDiskSize.LessThanImageSize",
        400,
        "The specified parameter SystemDisk.Size is less than the image size.",
    ),
    ("InvalidDiskSize.NotSupported", 400, "The specified disk size is not supported."),
    // Instances.
    ("InvalidInstanceId.NotFound", 404, "The specified InstanceId does not exist."),
    (
        "InvalidInstanceType.ValueNotSupported",
        400,
        "The specified InstanceType does not exist or beyond the permitted range.",
    ),
    ("InvalidInstanceType.NotFound", 404, "The specified InstanceType does not exist."),
    (
        "OperationDenied.NoStock",
        403,
        "The resource is out of stock in the specified zone. Please try other types, or choose other regions and zones.",
    ),
    ("IncorrectInstanceStatus", 403, STATUS),
    (
        "IncorrectInstanceStatus.Initializing",
        403,
        "The specified instance status does not support this operation.",
    ),
    ("InvalidInstanceName.Malformed", 400, "The specified parameter \"InstanceName\" is not valid."),
    ("InvalidHostName.Malformed", 400, "The specified parameter \"HostName\" is not valid."),
    ("InvalidPassword.Malformed", 400, "The specified parameter \"Password\" is not valid."),
    ("InvalidUserData.SizeExceeded", 400, "The specified parameter UserData exceeds the size limit."),
    ("InvalidUserData.Base64FormatInvalid", 400, "The specified UserData must be encoded in base64."),
    (
        "InvalidAutoReleaseTime.Malformed",
        400,
        "The specified parameter AutoReleaseTime is not valid: a time in UTC between half an hour and three years from now is wanted.",
    ),
    ("QuotaExceed.PostPaidInstance", 403, "Living postPaid instances quota exceeded."),
    ("InstanceIdNotSupport.NotVpc", 400, "The instance is not in a VPC."),
    ("InvalidParameter.Conflict", 400, "The specified parameters conflict with each other."),
    (
        "InvalidRamRole.NotEcsRole",
        400,
        "The specified ram role is not authorized for ecs, please check your role policy.",
    ),
    ("InvalidVSwitchId.NotFound", 404, "The VSwitchId provided does not exist in our records."),
    ("InvalidSecurityGroupId.NotFound", 404, "The specified SecurityGroupId does not exist."),
    (
        "InvalidSecurityGroupId.VPCMismatch",
        400,
        "The specified security group and the specified virtual switch are not in the same VPC.",
    ),
    (
        "InvalidParameter.ZoneMismatch",
        400,
        "The specified ZoneId is not the zone of the specified VSwitchId.",
    ),
    ("OperationDenied.NotInVpc", 403, "Classic networks can no longer be used: name a VSwitchId."),
    ("AllocatedAlready", 403, "A public address was already allocated to the specified instance."),
    // These of new instances are from the page of RunInstances.
    ("Zone.NotOnSale", 403, "The specified zone is not available for purchase."),
    (
        "QuotaExceed.ElasticQuota",
        403,
        "The number of vCPUs assigned to the ECS instances has exceeded the quota in the zone.",
    ),
    (
        "QuotaExceeded.PrivateIpAddress",
        403,
        "The internal IP address of the specified switch VSwitch is insufficient.",
    ),
    ("InvalidSpotStrategy", 400, "The specified SpotStrategy is not valid."),
    ("InvalidSpotPriceLimit", 400, "The specified SpotPriceLimitis not valid."),
    (
        "InvalidSpotPriceLimit.LowerThanPublicPrice",
        400,
        "The specified parameter \"spotPriceLimit\" can't be lower than current public price.",
    ),
    ("InvalidSpotDuration", 400, "The specified SpotDuration is not valid."),
    ("InvalidSpotPrepaid", 400, "The specified Spot type is not support PrePay Instance."),
    ("OperationDenied.PrepayNotAvailable", 403, "Prepay instance is not available now."),
    ("InstanceDiskNumLimitExceed", 403, "The number of specified disk in an instance exceeds."),
    (
        "OperationDenied.PerformanceLevelNotMatch",
        403,
        "The specified DataDisk.n.PerformanceLevel and DataDisk.n.Size do not match.",
    ),
    ("InvalidSnapshotId.NotDataDiskSnapshot", 403, "The specified snapshot is system disk snapshot."),
    ("InvalidSnapshotId.NotReady", 400, "The specified snapshot is not ready."),
    // The code is a guess: what is documented is the parameter.
    ("InvalidOperation.DeletionProtection", 403, "The operation is not allowed due to deletion protection."),
    // Key pairs.
    ("KeyPair.AlreadyExist", 400, "The key pair already exist."),
    ("InvalidKeyPairName.Malformed", 400, "The specified Key Pair Name is wrongly formed."),
    ("InvalidKeyPairName.NotFound", 404, "The specified KeyPairName does not exist in our records."),
    ("InvalidPublicKeyBody.Malformed", 400, "The specified PublicKeyBody is not valid."),
    (
        "InvalidParameter.KeypairAlreadyAttachedInstance",
        400,
        "The specified keypair is attached to an instance.",
    ),
    (
        "DependencyViolation.WindowsInstance",
        403,
        "The operation is not permitted due to an instance in use is the Windows type.",
    ),
    ("QuotaExceed.KeyPair", 403, "The maximum number of key pairs is exceeded."),
    // Security groups.
    (
        "InvalidSecurityGroupName.Malformed",
        400,
        "The specified parameter \"SecurityGroupName\" is not valid.",
    ),
    ("QuotaExceed.SecurityGroup", 403, "The maximum number of security groups is reached."),
    ("DependencyViolation", 403, DEPENDENT),
    // Networks.
    ("InvalidVpcID.NotFound", 404, "Specified VPC does not exist."),
    ("InvalidVpcId.NotFound", 404, "The VpcId provided does not exist in our records."),
    ("InvalidVpcName.Malformed", 400, "Specified VPC name is not valid."),
    ("InvalidCidrBlock.Malformed", 400, "Specified CidrBlock is not valid."),
    ("InvalidCidrBlock.Overlapped", 400, "Specified CIDR block overlapped with other subnets."),
    ("InvalidVSwitchName.Malformed", 400, "Specified virtual switch name is not valid."),
    ("InvalidVSwitchID.NotFound", 404, "Specified virtual switch does not exist."),
    ("IncorrectVpcStatus", 400, "Current VPC status does not support this operation."),
    ("IncorrectVSwitchStatus", 400, "Current VSwitch status does not support this operation."),
    ("QuotaExceeded.Vpc", 400, "VPC quota exceeded."),
    ("QuotaExceeded.VSwitch", 400, "VSwitch quota exceeded."),
    ("DependencyViolation.VSwitch", 400, DEPENDENT),
    ("DependencyViolation.SecurityGroup", 400, "Specified object has dependent resources SecurityGroup."),
    ("DependencyViolation.Instance", 400, DEPENDENT),
    // Elastic addresses.
    ("InvalidAllocationId.NotFound", 404, "Specified allocation ID is not found."),
    ("IncorrectEipStatus", 400, "Current elastic IP status does not support this operation."),
    ("IncorrectInstanceStatus.Eip", 400, "Current instance status does not support this operation."),
    ("InvalidInstanceId.NotFound.Eip", 404, "Specified instance does not exist."),
    (
        "EIP_CAN_NOT_ASSOCIATE_WITH_PUBLIC_IP",
        400,
        "EIP can not associate with the instance which has already has the public IP.",
    ),
    ("BIND_INSTANCE_HAVE_PORTMAP_OR_BIND_EIP", 400, "The instance already has an elastic IP address."),
    ("InvalidAssociation.Duplicated", 400, "Specified instance already is associated."),
    ("InvalidAssociation.NotFound", 400, "The EIP is not associated with the specified instance."),
    ("QuotaExceeded.Eip", 400, "Elastic IP address quota exceeded."),
    // Access.
    ("EntityNotExist.Role", 404, "The role not exists."),
    ("EntityAlreadyExists.Role", 409, "The role already exists."),
    ("EntityAlreadyExists.Role.Policy", 409, "The policy is already attached to the role."),
    ("EntityNotExist.Role.Policy", 404, "The policy is not attached to the role."),
    ("DeleteConflict.Role.Policy", 409, "The role cannot be deleted while policies are attached to it."),
    ("EntityNotExist.User", 404, "The user does not exist."),
    ("EntityAlreadyExists.User", 409, "The user already exists."),
    ("EntityAlreadyExists.User.Policy", 409, "The policy is already attached to the user."),
    ("EntityNotExist.User.Policy", 404, "The policy is not attached to the user."),
    ("DeleteConflict.User.Policy", 409, "The user cannot be deleted while policies are attached to it."),
    ("DeleteConflict.User.AccessKey", 409, "The user cannot be deleted while it has access keys."),
    ("EntityNotExist.User.AccessKey", 404, "The access key does not exist."),
    ("LimitExceeded.User.AccessKey", 409, "The count of access keys beyond the current limits."),
    ("EntityNotExist.Policy", 404, "The policy does not exist."),
    ("EntityAlreadyExists.Policy", 409, "The policy already exists."),
    ("DeleteConflict.Policy.User", 409, "The policy cannot be deleted while it is attached to users."),
    ("DeleteConflict.Policy.Role", 409, "The policy cannot be deleted while it is attached to roles."),
    ("NoPermission", 403, "You are not authorized to do this action. You should be authorized by RAM."),
    ("InvalidUser.PassRoleForbidden", 403, "The RAM user does not have the privilege to pass a RAM role."),
    ("InvalidParameter.DurationSeconds", 400, "The Min/Max value of DurationSeconds is 15min/1hr."),
    ("InvalidParameter.RoleArn", 400, "The parameter RoleArn is wrongly formed."),
    ("InvalidParameter.RoleSessionName", 400, "The parameter RoleSessionName is wrongly formed."),
    ("InvalidParameter.PolicyGrammar", 400, "The parameter Policy has not passed grammar check."),
    ("EntityNotExist.OIDCProvider", 404, "The OIDC provider does not exist."),
    ("AuthenticationFail.NoPermission", 403, "This operation is forbidden by RAM."),
    ("AuthenticationFail.OIDCToken.Invalid", 400, "The OIDC token is invalid."),
    ("AuthenticationFail.OIDCToken.Expired", 400, "The OIDC token is expired."),
];
