"""The whole life of an image cache, told to an SDK: against the gateway's RPC front, or straight against the stand-in.

Parameters are dictionaries under the cloud's own names; a module for each SDK turns them into that SDK's requests.
Environment: ECG_URL and the access key of a team, ECG_STANDIN_URL and the stand-in's access key (the env file of `dev`).
"""

import json
import os
import sys
import time
import urllib.request
import uuid

REGION = "cn-beijing"
PATIENCE_SECONDS = 60
# The default of the SDKs for Python: an answer must come within it. (Those for Node.js wait 3 s, see story.mjs.)
READ_TIMEOUT_SECONDS = 10


class Refused(Exception):
    """An error that an SDK made of an answer."""

    def __init__(self, code, status, message):
        super().__init__(f"{status} {code}: {message}")
        self.code, self.status, self.message = code, status, message


class Place:
    """Where an SDK is pointed, and with which key."""

    def __init__(self, name, url, key_id, secret):
        self.name, self.url, self.key_id, self.secret = name, url, key_id, secret
        self.host = url.removeprefix("http://")

    def with_key(self, key_id, secret):
        return Place(self.name, self.url, key_id, secret)


def places():
    env = os.environ
    front = Place("RPC front", env["ECG_URL"], env["ECG_ACCESS_KEY_ID"], env["ECG_ACCESS_KEY_SECRET"])
    key = (env["ECG_STANDIN_ACCESS_KEY_ID"], env["ECG_STANDIN_ACCESS_KEY_SECRET"])
    return [front, Place("stand-in", env["ECG_STANDIN_URL"], *key)]


def fault(**what):
    """The cloud's next call of an action goes wrong."""
    url = os.environ["ECG_STANDIN_URL"] + "/_admin/faults"
    request = urllib.request.Request(url, method="POST", data=json.dumps(what).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200, answer.status


def expect(holds, what):
    if not holds:
        sys.exit(f"expected {what}")


def refused(code, work):
    """Runs what must be refused with `code`, and returns the refusal."""
    try:
        answer = work()
    except Refused as error:
        expect(error.code == code, f"{code}, got {error}")
        expect(bool(error.message), f"a message with {code}")
        return error
    sys.exit(f"expected {code}, got {answer}")


def full(name):
    """A create with every parameter that both SDKs have."""
    return {
        "RegionId": REGION,
        "ImageCacheName": name,
        "SecurityGroupId": "sg-uf66jeqopgqa9hdn0001",
        "VSwitchId": "vsw-a,vsw-b",
        "ZoneId": "cn-beijing-g",
        "EipInstanceId": "eip-1",
        "ResourceGroupId": "rg-1",
        "Image": ["nginx:1.27", "docker.io/library/redis:7"],
        "ImageCacheSize": 30,
        "RetentionDays": 7,
        "AutoMatchImageCache": True,
        "Flash": False,
        "ImageRegistryCredential": [{"Server": "harbor.example.com", "UserName": "u ser", "Password": "p&ss=w+rd/*~"}],
        "AcrRegistryInfo": [
            {"InstanceId": "cri-1", "InstanceName": "n", "RegionId": REGION, "Domain": ["d1.example.com", "d2.example.com"]}
        ],
        "Tag": [{"Key": "story", "Value": name}, {"Key": "键", "Value": "值 +*~/"}],
        "PlainHttpRegistry": "harbor.example.com,192.168.0.1:5000",
        "InsecureRegistry": "h2.example.com",
        "StandardCopyCount": 2,
        "FlashCopyCount": 3,
        "EliminationStrategy": "LRU",
        "ClientToken": str(uuid.uuid4()),
    }


def until(call, cache, status):
    """Describes the cache by its id until it has the status, as Terraform does."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        found = call("DescribeImageCaches", {"RegionId": REGION, "ImageCacheId": cache})["ImageCaches"]
        expect(len(found) == 1 and found[0]["ImageCacheId"] == cache, f"exactly {cache}, got {found}")
        if found[0]["Status"] == status:
            return found[0]
        time.sleep(0.3)
    sys.exit(f"{cache} never was {status}: {found}")


def live(call, front):
    """Create with every parameter, describe, update, usage, delete."""
    name = f"story-{uuid.uuid4().hex[:8]}"
    create = full(name)
    made = call("CreateImageCache", create)
    cache = made["ImageCacheId"]
    expect(cache.startswith("imc-") and made["ContainerGroupId"].startswith("eci-") and made["RequestId"], f"ids: {made}")
    expect(call("CreateImageCache", create)["ImageCacheId"] == cache, "the same cache for the same token")
    other = {**create, "ImageCacheSize": 40}
    refused("IdempotentParameterMismatch", lambda: call("CreateImageCache", other))

    ready = until(call, cache, "Ready")
    expect(ready["ImageCacheName"] == name and ready["RegionId"] == REGION, f"name and region: {ready}")
    expect(ready["Images"] == create["Image"] and ready["ImageCacheSize"] == 30, f"images and size: {ready}")
    expect(ready["Progress"].endswith("%") and ready["SnapshotId"].startswith("s-"), f"a snapshot: {ready}")
    tags = {tag["Key"]: tag["Value"] for tag in ready["Tags"]}
    expect(tags == {"story": name, "键": "值 +*~/"}, f"the tags: {tags}")
    expect(ready["ResourceGroupId"] == "rg-1" and ready["EliminationStrategy"] == "LRU", f"group, strategy: {ready}")
    expect(ready["ExpireDateTime"].endswith("Z") and ready["Events"], f"an end and events: {ready}")
    filters(call, cache, name, ready["SnapshotId"])

    change = {"RegionId": REGION, "ImageCacheId": cache, "ImageCacheName": name, "Image": ["nginx:1.28"]}
    expect(call("UpdateImageCache", {**change, "RetentionDays": 3})["RequestId"], "an update")
    refused("ImageCache.IncorrectStatus", lambda: call("UpdateImageCache", change))
    updated = until_images(call, cache, ["nginx:1.28"])
    expect(updated["Images"] == ["nginx:1.28"], f"the new image: {updated}")

    usage = call("ListUsage", {"RegionId": REGION})["Attributes"]
    expect(usage["UsedImageCacheCount"] >= 1 and usage["MaxImageCacheCount"] > 1, f"a quota: {usage}")
    forbidden = {"kind": "error", "http": 403, "code": "Forbidden.RAM", "message": "You are not authorized to do this."}
    fault(action="DeleteImageCache", **forbidden)
    target = {"RegionId": REGION, "ImageCacheId": cache}
    # What the gateway's own key lacks is no fault of its caller's.
    code, status = ("ServiceUnavailable", 503) if front else ("Forbidden.RAM", 403)
    expect(refused(code, lambda: call("DeleteImageCache", target)).status in (status, None), f"HTTP {status}")
    expect(call("DeleteImageCache", target)["RequestId"], "a delete")
    expect(call("DescribeImageCaches", target)["ImageCaches"] == [], "that it is no longer listed")
    refused("InvalidParameter.NotFound", lambda: call("DeleteImageCache", target))
    refused("InvalidParameter.NotFound", lambda: call("UpdateImageCache", change))
    return usage


def until_images(call, cache, images):
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = until(call, cache, "Ready")
        if found["Images"] == images or time.monotonic() > end:
            return found
        time.sleep(0.3)


def filters(call, cache, name, snapshot):
    """Each filter finds the one cache, and nothing where it does not fit."""
    exactly = {"ImageFullMatch": True, "ImageCacheName": name}
    for given, wrong in [
        ({"MatchImage": ["nginx:1.27"], **exactly}, {"MatchImage": ["nginx:9"], **exactly}),
        ({"ImageCacheName": name}, {"ImageCacheName": name + "x"}),
        ({"SnapshotId": snapshot}, {"SnapshotId": "s-0"}),
        ({"Tag": [{"Key": "story", "Value": name}]}, {"Tag": [{"Key": "story", "Value": name + "x"}]}),
        ({"ResourceGroupId": "rg-1", "ImageCacheName": name}, {"ResourceGroupId": "rg-2", "ImageCacheName": name}),
        ({"Image": "nginx:1.27", "ImageCacheName": name}, {"Image": "nginx:9", "ImageCacheName": name}),
        ({"Limit": 1, "ImageCacheId": cache}, {"ImageCacheId": cache[:-1]}),
    ]:
        for filter_, expected in [(given, [cache]), (wrong, [])]:
            found = call("DescribeImageCaches", {"RegionId": REGION, **filter_})["ImageCaches"]
            expect([one["ImageCacheId"] for one in found] == expected, f"{expected} for {filter_}, got {found}")


def errors(call, sdk, place):
    """What else is refused, and what an SDK makes of it."""
    small = {"RegionId": REGION, "ImageCacheName": "small", "Image": ["nginx:1.27"], "ImageCacheSize": 19}
    wrong = refused("InvalidParameter", lambda: call("CreateImageCache", small))
    expect("ImageCacheSize" in wrong.message, f"the parameter's name: {wrong}")
    refused("MissingParameter", lambda: call("CreateImageCache", {"RegionId": REGION, "Image": ["nginx"]}))
    new = {**small, "ImageCacheSize": 20}
    fault(action="CreateImageCache", kind="error", http=403, code="QuotaExceeded", message="ImageCache quota exceeded.")
    refused("QuotaExceeded", lambda: call("CreateImageCache", new))
    describe = {"RegionId": REGION}
    unsigned = sdk(place.with_key(place.key_id, "wrong"))
    refused(sdk.BAD_SIGNATURE, lambda: unsigned("DescribeImageCaches", describe))
    nobody = sdk(place.with_key("LTAInobody", "wrong"))
    unknown = refused("InvalidAccessKeyId.NotFound", lambda: nobody("DescribeImageCaches", describe))
    # The cloud's status is 404, which Terraform takes for "the cache is gone"; the front's is another.
    expect(unknown.status in (404 if place.name == "stand-in" else 403, None), f"another status: {unknown}")
    if place.name == "stand-in":
        fault(action="DescribeImageCaches", kind="throttle")
        refused("Throttling.User", lambda: call("DescribeImageCaches", describe))
        return
    # The cloud does not answer: the front says so before the SDK gives up by itself.
    fault(action="CreateImageCache", kind="hang")
    refused("ServiceUnavailable", lambda: call("CreateImageCache", new))


def run(sdk):
    for place in places():
        call = sdk(place)
        usage = live(call, place.name == "RPC front")
        expect(("TeamUsedImageCacheCount" in usage) == (place.name == "RPC front"), f"the team's share: {usage}")
        errors(call, sdk, place)
        print(f"  {place.name}: as expected")
