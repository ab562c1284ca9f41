"""The calls that Terraform's alicloud_eci_image_cache makes, with signatures made by hand (V1, all in the query of a POST).

Create without a ClientToken; describe by id until Ready, where Preparing and Creating alone may come before; update
nothing; delete with one call; describe until it is gone. Environment: as in story.py.
"""

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import story

PENDING = ["Preparing", "Creating"]


def quote(text):
    return urllib.parse.quote(text, safe="-_.~")


class Provider:
    """The Go SDK's way of calling, as the provider configures it."""

    def __init__(self, place):
        self.place = place

    def __call__(self, action, parameters):
        signed = {
            **parameters,
            "Action": action,
            "Version": "2018-08-08",
            "Format": "JSON",
            "AccessKeyId": self.place.key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureType": "",
            "SignatureNonce": uuid.uuid4().hex,
            "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        canonical = "&".join(f"{quote(key)}={quote(value)}" for key, value in sorted(signed.items()))
        text = f"POST&%2F&{quote(canonical)}"
        digest = hmac.new(f"{self.place.secret}&".encode(), text.encode(), hashlib.sha1).digest()
        signed["Signature"] = base64.b64encode(digest).decode()
        # On the wire a space is a plus: form encoding, not the one that was signed.
        url = f"{self.place.url}/?{urllib.parse.urlencode(signed)}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "x-sdk-invoke-type": "normal",
            "User-Agent": "AlibabaCloud (linux; amd64) Golang/1.20 Core/0.01 Extra/Terraform Provider/1.212.0",
        }
        request = urllib.request.Request(url, method="POST", data=b"", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=story.READ_TIMEOUT_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            body = json.load(error)
            raise story.Refused(body["Code"], error.code, body["Message"]) from error


def apply_and_destroy(call):
    name = f"terraform {uuid.uuid4().hex[:8]}"
    create = {
        "RegionId": story.REGION,
        "ImageCacheName": name,
        "SecurityGroupId": "sg-uf66jeqopgqa9hdn0001",
        "VSwitchId": "vsw-a",
        "Image.1": "nginx:1.27",
        "ImageCacheSize": "20",
        "RetentionDays": "1",
        "ImageRegistryCredential.1.Server": "harbor.example.com",
        "ImageRegistryCredential.1.UserName": "robot",
        "ImageRegistryCredential.1.Password": "p&ss w+rd",
    }
    cache = call("CreateImageCache", create)["ImageCacheId"]
    target = {"RegionId": story.REGION, "ImageCacheId": cache}
    end = time.monotonic() + story.PATIENCE_SECONDS
    while True:
        found = call("DescribeImageCaches", target)["ImageCaches"]
        # It takes the first item unchecked.
        status = found[0]["Status"]
        if status == "Ready":
            break
        story.expect(status in PENDING and time.monotonic() < end, f"{PENDING} before Ready, got {status}")
        time.sleep(0.5)
    read = found[0]
    story.expect(read["ImageCacheId"] == cache and read["ImageCacheName"] == name, f"the one that was made: {read}")
    story.expect(read["Images"] == ["nginx:1.27"] and read["ContainerGroupId"], f"what is kept in its state: {read}")
    call("DeleteImageCache", target)
    story.expect(call("DescribeImageCaches", target)["ImageCaches"] == [], "that it is gone")


for place in story.places():
    apply_and_destroy(Provider(place))
    print(f"  {place.name}: as expected")
