"""The provider's own client libraries, of both generations, against the cloud whose address is in the environment.

Needs: alibabacloud_ecs20140526 alibabacloud_vpc20160428 aliyun-python-sdk-core aliyun-python-sdk-ecs
"""

import json
import os
import time

from alibabacloud_ecs20140526 import models as ecs_models
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as Vpc
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkecs.request.v20140526 import (
    CreateKeyPairRequest,
    CreateVpcRequest,
    DeleteVpcRequest,
    DescribeImagesRequest,
    DescribeVpcsRequest,
)

ENDPOINT = os.environ["ALICLOUD_ECS_ENDPOINT"].removeprefix("http://")
KEY = os.environ["ALICLOUD_ACCESS_KEY"]
SECRET = os.environ["ALICLOUD_SECRET_KEY"]
REGION = "cn-beijing"


def config(secret=SECRET):
    return Config(
        access_key_id=KEY, access_key_secret=secret, endpoint=ENDPOINT, protocol="http", region_id=REGION
    )


def wait(describe):
    for _ in range(200):
        if describe() == "Available":
            return
        time.sleep(0.02)
    raise AssertionError("not available in time")


def newer_generation():
    ecs, vpc = Ecs(config()), Vpc(config())
    images = ecs.describe_images(ecs_models.DescribeImagesRequest(region_id=REGION, page_size=100)).body
    ids = [image.image_id for image in images.images.image]
    assert images.total_count == len(ids) and "centos_7_03_64_20G_alibase_20170818.vhd" in ids, ids

    made = vpc.create_vpc(
        vpc_models.CreateVpcRequest(region_id=REGION, cidr_block="172.16.0.0/16", vpc_name="from-python")
    ).body.vpc_id

    def describe():
        request = vpc_models.DescribeVpcsRequest(region_id=REGION, vpc_id=made)
        return vpc.describe_vpcs(request).body.vpcs.vpc[0].status

    wait(describe)
    vpc.delete_vpc(vpc_models.DeleteVpcRequest(region_id=REGION, vpc_id=made))
    left = vpc.describe_vpcs(vpc_models.DescribeVpcsRequest(region_id=REGION)).body
    assert left.total_count == 0, left

    for client_of, code in [
        (lambda: Ecs(config("wrong")).describe_regions(ecs_models.DescribeRegionsRequest()), "SignatureDoesNotMatch"),
        (
            lambda: vpc.delete_vpc(vpc_models.DeleteVpcRequest(region_id=REGION, vpc_id="vpc-none")),
            "InvalidVpcID.NotFound",
        ),
    ]:
        try:
            client_of()
        except Exception as error:  # The library has several classes for refusals, all with a code.
            assert error.code == code, error
        else:
            raise AssertionError(f"{code} was expected")


def older_generation():
    def do(request, secret=SECRET):
        request.set_endpoint(ENDPOINT)
        request.set_protocol_type("http")
        request.set_accept_format("json")
        return json.loads(AcsClient(KEY, secret, REGION).do_action_with_exception(request))

    assert do(DescribeImagesRequest.DescribeImagesRequest())["TotalCount"] > 10
    request = CreateVpcRequest.CreateVpcRequest()
    request.set_CidrBlock("172.16.0.0/16")
    made = do(request)["VpcId"]

    def describe():
        request = DescribeVpcsRequest.DescribeVpcsRequest()
        request.set_VpcId(made)
        return do(request)["Vpcs"]["Vpc"][0]["Status"]

    wait(describe)
    request = DeleteVpcRequest.DeleteVpcRequest()
    request.set_VpcId(made)
    do(request)

    request = CreateKeyPairRequest.CreateKeyPairRequest()
    request.set_KeyPairName("from-python")
    assert do(request)["PrivateKeyBody"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    try:
        do(DescribeImagesRequest.DescribeImagesRequest(), "wrong")
    except ServerException as error:
        # This library compares what the server signed with what it signed: being equal, the secret is wrong.
        assert error.get_error_code() == "InvalidAccessKeySecret", error
    else:
        raise AssertionError("a wrong secret was accepted")


def refused(call):
    try:
        call()
    except Exception as error:  # The library has several classes for refusals, all with a code.
        return error.code
    raise AssertionError("a refusal was expected")


def images_and_stock():
    """The image m-base belongs to the account; g7.large is out of stock in zone h, and there can be one VPC."""
    ecs, vpc = Ecs(config()), Vpc(config())

    def status(region, image):
        request = ecs_models.DescribeImagesRequest(region_id=region, image_id=image, status="ALL")
        return ecs.describe_images(request).body.images.image[0]

    def copy(**more):
        request = ecs_models.CopyImageRequest(region_id=REGION, image_id="m-base", **more)
        return ecs.copy_image(request).body.image_id

    tag = ecs_models.CopyImageRequestTag(key="app", value="web")
    there = copy(
        destination_region_id="cn-shanghai", destination_image_name="copy", encrypted=True, kmskey_id="key-1", tag=[tag]
    )
    assert status("cn-shanghai", there).status == "Creating"
    wait(lambda: status("cn-shanghai", there).status)
    made = status("cn-shanghai", there)
    assert made.is_copied and made.image_family == "" and made.tags.tag[0].tag_value == "web", made
    assert made.disk_device_mappings.disk_device_mapping[0].encrypted, made
    code = refused(lambda: copy(destination_region_id="cn-hangzhou", kmskey_id="key-1"))
    assert code == "InvalidParameter.EncryptedIllegal", code

    features = ecs_models.ModifyImageAttributeRequestFeatures(nvme_support="supported", imds_support="v2")
    change = ecs_models.ModifyImageAttributeRequest(
        region_id="cn-shanghai", image_id=there, image_family="fam", boot_mode="UEFI", features=features
    )
    ecs.modify_image_attribute(change)
    made = status("cn-shanghai", there)
    assert (made.boot_mode, made.features.nvme_support) == ("UEFI", "supported"), made
    of_family = ecs_models.DescribeImageFromFamilyRequest(region_id="cn-shanghai", image_family="fam")
    assert ecs.describe_image_from_family(of_family).body.image.image_id == there
    share = ecs_models.ModifyImageSharePermissionRequest(
        region_id="cn-shanghai", image_id=there, add_account=["2000000000000001"]
    )
    ecs.modify_image_share_permission(share)
    shared = ecs_models.DescribeImageSharePermissionRequest(region_id="cn-shanghai", image_id=there)
    accounts = ecs.describe_image_share_permission(shared).body.accounts.account
    assert [account.aliyun_id for account in accounts] == ["2000000000000001"], accounts

    stock = ecs_models.DescribeAvailableResourceRequest(
        region_id=REGION, destination_resource="InstanceType", instance_type="ecs.g7.large"
    )
    zones = ecs.describe_available_resource(stock).body.available_zones.available_zone
    found = {zone.zone_id: zone.status_category for zone in zones}
    assert found["cn-beijing-h"] == "WithoutStock" and found["cn-beijing-a"] == "WithStock", found

    net = vpc_models.CreateVpcRequest(region_id=REGION)
    made = vpc.create_vpc(net).body.vpc_id
    assert refused(lambda: vpc.create_vpc(net)) == "QuotaExceeded.Vpc"
    wait(
        lambda: vpc.describe_vpcs(vpc_models.DescribeVpcsRequest(region_id=REGION, vpc_id=made)).body.vpcs.vpc[0].status
    )
    vpc.delete_vpc(vpc_models.DeleteVpcRequest(region_id=REGION, vpc_id=made))


def unknown_parameter():
    """The models have no field for it, so the call is made by hand with the library's own signature."""
    from alibabacloud_tea_openapi.client import Client as OpenApi
    from alibabacloud_tea_openapi.models import OpenApiRequest, Params
    from alibabacloud_tea_util.models import RuntimeOptions

    params = Params(
        action="CreateVpc", version="2016-04-28", protocol="HTTP", pathname="/", method="POST", auth_type="AK",
        style="RPC", req_body_type="formData", body_type="json",
    )
    request = OpenApiRequest(query={"RegionId": REGION, "VpcNam": "misspelt"})
    code = refused(lambda: OpenApi(config()).call_api(params, request, RuntimeOptions()))
    assert code == "InvalidParameter.Unknown", code


newer_generation()
older_generation()
images_and_stock()
unknown_parameter()
print("all well")
