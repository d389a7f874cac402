"""Makes acs3.json and rpc_v1.json: signatures computed by Alibaba Cloud's official Python SDKs.

How to run (only needed when cases are added):

    python3 -m venv venv
    venv/bin/pip install alibabacloud-tea-openapi==0.4.6 alibabacloud-openapi-util==0.2.4 aliyun-python-sdk-core==2.16.1
    venv/bin/python make_signature_vectors.py

Keys and tokens are made up. RPC v1 signatures are computed twice, by the newer SDK and by the core SDK; they must agree.
"""

import hashlib
import json
import pathlib
import urllib.parse

from alibabacloud_openapi_util.client import Client as OpenApiUtil
from alibabacloud_tea_openapi.utils import Utils
from aliyunsdkcore.auth.composer import rpc_signature_composer
from Tea.request import TeaRequest

HERE = pathlib.Path(__file__).parent
KEY, SECRET, TOKEN = "LTAI5tExampleKeyId01", "exampleSecret0123456789ABCDEFGH", "CAISexampleToken+/=="
FORM = "application/x-www-form-urlencoded"

# name, product host, action, version, parameters, token?, form?
CASES = [
    ("no parameters", "ecs.cn-beijing.aliyuncs.com", "DescribeRegions", "2014-05-26", {}, False, False),
    ("one parameter", "ecs.cn-beijing.aliyuncs.com", "DescribeZones", "2014-05-26", {"RegionId": "cn-beijing"}, False, False),
    ("token", "ecs.cn-beijing.aliyuncs.com", "DescribeZones", "2014-05-26", {"RegionId": "cn-beijing"}, True, False),
    ("chinese", "ecs.cn-beijing.aliyuncs.com", "CreateImage", "2014-05-26", {"ImageName": "打包 测试", "Description": "。，"}, False, False),
    ("emoji", "ecs.cn-beijing.aliyuncs.com", "CreateImage", "2014-05-26", {"Description": "🚀 lift-off 👩‍🚀"}, True, False),
    ("unreserved", "ecs.cn-beijing.aliyuncs.com", "CreateImage", "2014-05-26", {"Description": "aZ09-_.~"}, False, False),
    ("reserved", "ecs.cn-beijing.aliyuncs.com", "CreateImage", "2014-05-26", {"Description": "!#$&'()*+,/:;=?@[]% "}, False, False),
    ("quotes and controls", "ecs.cn-beijing.aliyuncs.com", "CreateImage", "2014-05-26", {"Description": "\"a\"\t<b>\\\r\n|^`{}"}, False, False),
    ("empty value", "ecs.cn-beijing.aliyuncs.com", "CreateImage", "2014-05-26", {"Description": "", "ImageName": "x"}, False, False),
    ("json list", "ecs.cn-beijing.aliyuncs.com", "DescribeInstances", "2014-05-26", {"InstanceIds": '["i-1","i-2"]', "PageSize": "100"}, False, False),
    ("order of numbered names", "ecs.cn-beijing.aliyuncs.com", "TagResources", "2014-05-26",
     {f"Tag.{n}.{part}": f"{part}{n}" for n in (1, 2, 9, 10, 11, 20) for part in ("Key", "Value")}, False, False),
    ("order of upper and lower case", "ecs.cn-beijing.aliyuncs.com", "Any", "2014-05-26", {"b": "1", "B": "2", "a": "3", "A.1": "4", "A1": "5", "A_": "6"}, False, False),
    ("encoded names", "ecs.cn-beijing.aliyuncs.com", "Any", "2014-05-26", {"Ключ 1": "значение", "a b": "c d"}, False, False),
    ("port in host", "127.0.0.1:8080", "DescribeVpcs", "2016-04-28", {"VpcId": "vpc-1"}, False, False),
    ("ipv6 host", "[::1]:8080", "DescribeVpcs", "2016-04-28", {"VpcId": "vpc-1"}, True, False),
    ("form", "vpc.aliyuncs.com", "DescribeVpcs", "2016-04-28", {"RegionId": "cn-beijing", "VpcId": "vpc-1"}, False, True),
    ("form with password", "ecs.cn-beijing.aliyuncs.com", "RunInstances", "2014-05-26", {"Password": "P&ss=w%rd +~*", "UserData": "IyEvYmluL3NoCg=="}, False, True),
    ("form with token", "ecs.cn-beijing.aliyuncs.com", "RunInstances", "2014-05-26", {"Password": "密码!", "Amount": "1", "DryRun": "true"}, True, True),
    ("long form", "ecs.cn-beijing.aliyuncs.com", "RunInstances", "2014-05-26", {"UserData": "QUJD" * 500}, False, True),
    ("assume role", "sts.cn-beijing.aliyuncs.com", "AssumeRole", "2015-04-01",
     {"RoleArn": "acs:ram::1234567890123456:role/Builder", "RoleSessionName": "packer-7f3a", "Policy": json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]})}, False, False),
    ("ram", "ram.aliyuncs.com", "GetRole", "2015-05-01", {"RoleName": "AliyunECSImageImportDefaultRole"}, True, False),
    ("trailing spaces", "ecs.cn-beijing.aliyuncs.com", "CreateImage", "2014-05-26", {"Description": "  both ends  "}, False, False),
]


def form_body(params):
    """A form as this project sends it: sorted, percent-encoded. What is signed is its hash."""
    return "&".join(
        f"{quote(name)}={quote(value)}" for name, value in sorted(params.items())
    )


def quote(text):
    return urllib.parse.quote(text, safe="~")


def acs3(number, name, host, action, version, params, token, form):
    body = form_body(params) if form else ""
    date, nonce = f"2026-01-02T03:04:{number:02}Z", hashlib.md5(name.encode()).hexdigest()
    request = TeaRequest()
    request.method, request.pathname = "POST", "/"
    request.query = {} if form else params
    request.headers = {
        "host": host, "x-acs-action": action, "x-acs-version": version, "x-acs-date": date,
        "x-acs-signature-nonce": nonce, "x-acs-content-sha256": hashlib.sha256(body.encode()).hexdigest(),
    }
    if token:
        request.headers["x-acs-security-token"] = TOKEN
    if form:
        request.headers["content-type"] = FORM
    authorization = Utils.get_authorization(
        request, "ACS3-HMAC-SHA256", request.headers["x-acs-content-sha256"], KEY, SECRET)
    return {"name": name, "host": host, "action": action, "version": version, "date": date, "nonce": nonce,
            "token": TOKEN if token else None, "params": params, "form": form, "authorization": authorization}


def rpc_v1(number, name, _host, action, version, params, token, form):
    method = "GET" if number % 5 == 0 else "POST"
    date, nonce = f"2026-01-02T03:04:{number:02}Z", hashlib.md5(name.encode()).hexdigest()
    common = {"AccessKeyId": KEY, "Action": action, "Version": version, "Format": "JSON", "SignatureMethod": "HMAC-SHA1",
              "SignatureVersion": "1.0", "SignatureNonce": nonce, "Timestamp": date}
    if token:
        common["SecurityToken"] = TOKEN
    newer = OpenApiUtil.get_rpcsignature({**common, **params}, method, SECRET)
    if not any(ord(c) > 127 for c in "".join(params)):
        # The core SDK adds an empty SignatureType; its own signing function without it must agree with the newer one.
        compose = getattr(rpc_signature_composer, "__compose_string_to_sign")
        sign = getattr(rpc_signature_composer, "__get_signature")
        assert sign(compose(method, {**common, **params}), SECRET) == newer, name
    return {"name": name, "method": method, "action": action, "version": version, "date": date, "nonce": nonce,
            "token": TOKEN if token else None, "params": params, "signature": newer}


# The SDK does not encode parameter *names* in V3, though the documentation does. No API has a name that needs it.
LEFT_OUT = [(acs3, "encoded names")]

for file, make in (("acs3.json", acs3), ("rpc_v1.json", rpc_v1)):
    vectors = [make(number, *case) for number, case in enumerate(CASES) if (make, case[0]) not in LEFT_OUT]
    document = {"access_key_id": KEY, "access_key_secret": SECRET, "vectors": vectors}
    (HERE / file).write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
