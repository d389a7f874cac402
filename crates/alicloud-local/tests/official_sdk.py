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


newer_generation()
older_generation()
print("all well")
