"""The provider's own libraries for Sts, Ram and credentials, against the cloud whose address is in the environment.

Needs: alibabacloud_sts20150401 alibabacloud_ram20150501 alibabacloud_credentials
"""

import json
import os

from alibabacloud_credentials.provider.ecs_ram_role import EcsRamRoleCredentialsProvider
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_ram20150501.client import Client as Ram
from alibabacloud_sts20150401 import models as sts_models
from alibabacloud_sts20150401.client import Client as Sts
from alibabacloud_tea_openapi.models import Config

ENDPOINT = os.environ["ALICLOUD_ECS_ENDPOINT"].removeprefix("http://")
ROOT = (os.environ["ALICLOUD_ACCESS_KEY"], os.environ["ALICLOUD_SECRET_KEY"], None)
METADATA = os.environ["ALICLOUD_METADATA_ENDPOINT"].removeprefix("http://")


def config(key, secret, token=None):
    return Config(
        access_key_id=key, access_key_secret=secret, security_token=token, endpoint=ENDPOINT, protocol="http",
        region_id="cn-hangzhou",
    )


def identity(key, secret, token=None):
    return Sts(config(key, secret, token)).get_caller_identity().body


def refused(call):
    try:
        call()
    except Exception as error:  # The libraries have a class of errors each.
        return error
    raise AssertionError("it was not refused")


def users_and_roles():
    ram = Ram(config(*ROOT))
    ram.create_user(ram_models.CreateUserRequest(user_name="ann"))
    key = ram.create_access_key(ram_models.CreateAccessKeyRequest(user_name="ann")).body.access_key
    ann = (key.access_key_id, key.access_key_secret)
    who = identity(*ann)
    assert who.identity_type == "RAMUser" and who.arn.endswith(":user/ann"), who
    denied = refused(lambda: Ram(config(*ann)).get_role(ram_models.GetRoleRequest(role_name="builder")))
    assert denied.code == "NoPermission", denied
    assert denied.access_denied_detail["AuthAction"] == "ram:GetRole", denied.access_denied_detail

    trust = {"RAM": [f"acs:ram::{who.account_id}:user/ann"]}
    document = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trust}]}
    role = ram.create_role(
        ram_models.CreateRoleRequest(role_name="Reader", assume_role_policy_document=json.dumps(document))
    ).body.role
    ram.attach_policy_to_role(
        ram_models.AttachPolicyToRoleRequest(
            policy_type="System", policy_name="AliyunRAMReadOnlyAccess", role_name="Reader"
        )
    )
    ram.attach_policy_to_user(
        ram_models.AttachPolicyToUserRequest(
            policy_type="System", policy_name="AliyunSTSAssumeRoleAccess", user_name="ann"
        )
    )
    asked = sts_models.AssumeRoleRequest(role_arn=role.arn, role_session_name="sdk", duration_seconds=900)
    given = Sts(config(*ann)).assume_role(asked).body.credentials
    session = (given.access_key_id, given.access_key_secret, given.security_token)
    assert identity(*session).identity_type == "AssumedRoleUser"
    found = Ram(config(*session)).list_policies_for_role(ram_models.ListPoliciesForRoleRequest(role_name="Reader"))
    assert [policy.policy_name for policy in found.body.policies.policy] == ["AliyunRAMReadOnlyAccess"]
    written = ram.get_policy(ram_models.GetPolicyRequest(policy_type="System", policy_name="AliyunRAMReadOnlyAccess"))
    assert "ram:Get*" in written.body.default_policy_version.policy_document
    asked = sts_models.AssumeRoleRequest(role_arn=role.arn, role_session_name="no spaces", duration_seconds=900)
    assert refused(lambda: Sts(config(*ann)).assume_role(asked)).code == "InvalidParameter.RoleSessionName"


def machine():
    """The library asks 100.100.100.200; here it is told the address of the cloud's own service."""
    provider = EcsRamRoleCredentialsProvider(disable_imds_v1=True)
    provider._EcsRamRoleCredentialsProvider__metadata_service_host = METADATA
    given = provider.get_credentials()
    who = identity(given.get_access_key_id(), given.get_access_key_secret(), given.get_security_token())
    assert who.arn.split(":")[-1].startswith("assumed-role/builder/i-"), who.arn


users_and_roles()
machine()
print("all well")
