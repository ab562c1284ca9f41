"""What one version makes and the other takes up, with both at work on one database: `one` and `other` are their doors."""

import base64
import hashlib
import hmac
import itertools
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from house import ask
from story import wait_for

NUMBERS = itertools.count()


def together(*acts):
    """Does them at once: their answers."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return [begun.result() for begun in [pool.submit(act) for act in acts]]


def new(what):
    number = next(NUMBERS)
    return {"name": f"{what}-{number}", "region": "cn-hangzhou", "images": [f"busybox:1.{number}"]}


def one_key_at_both(lives, one, other):
    body = new("key")
    create = lambda door: lives.doors.ask(  # noqa: E731
        "POST", "/v1/image-caches", body, at=door, statuses=(201, 202, 409), Idempotency_Key=body["name"]
    )
    answers = together(*[lambda door=door: create(door) for door in (one, other) * 2])
    # While the first is in hand, the others may be told so.
    made = {answer.json["id"] for answer in answers if answer.status != 409}
    assert len(made) == 1, answers
    assert all(answer.json["code"] == "idempotency_in_flight" for answer in answers if answer.status == 409), answers
    assert {create(door).json["id"] for door in (one, other)} == made
    lives.made[made.pop()] = {"name": body["name"], "generation": 1, "status": "ready"}


def ensure_at_both(lives, one, other):
    body = new("ensure")
    ensure = lambda door: lives.doors.ask(  # noqa: E731
        "POST", "/v1/image-caches/ensure", body, at=door, statuses=(200, 201, 202)
    ).json
    answers = together(*[lambda door=door: ensure(door) for door in (one, other) * 2])
    made = {answer["image_cache"]["id"] for answer in answers}
    outcomes = sorted(answer["outcome"] for answer in answers)
    assert len(made) == 1 and outcomes.count("created") == 1, answers
    lives.made[made.pop()] = {"name": body["name"], "generation": 1, "status": "ready"}


def waiting_is_told(lives, one, other):
    """Who waits at one hears of what was made at the other, and of its Ready."""
    body = new("wait")
    cursor = lives.doors.ask("GET", "/v1/events?limit=100", at=other).json["next_cursor"]
    made = lives.doors.ask("POST", "/v1/image-caches", body, at=one, statuses=(201, 202)).json["id"]
    lives.made[made] = {"name": body["name"], "generation": 1, "status": "ready"}
    seen = lives.doors.ask("GET", f"/v1/image-caches/{made}/wait", at=other).json["image_cache"]
    assert seen["status"] == "ready", seen
    kinds, doors = [], itertools.cycle((one, other))
    end = time.monotonic() + 30
    # A cursor of one is taken by the other. (How long to wait has another name there.)
    while "image_cache.ready" not in kinds:
        assert time.monotonic() < end, kinds
        page = lives.doors.ask("GET", f"/v1/events?image_cache_id={made}&cursor={cursor}", at=next(doors)).json
        kinds += [event["type"] for event in page["items"]]
        cursor = page["next_cursor"]
    return made


def lists_go_on(lives, one, other):
    """Pages of one list, in turn."""
    cursor, found, doors = "", [], itertools.cycle((one, other))
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = lives.doors.ask("GET", f"/v1/image-caches?name=key-0&limit=1{more}", at=next(doors)).json
        found += [item["id"] for item in page["items"]]
        cursor = page.get("next_cursor")
    assert len(found) == 1, found


def api_key(lives, one, other):
    made = lives.doors.ask("POST", "/v1/api-keys", {"name": "ci", "scopes": ["read"]}, at=one, statuses=(201,)).json
    me = lambda key: ask(other, "GET", "/v1/me", Authorization=f"Bearer {key}")  # noqa: E731
    assert me(made["key"]).status == 200
    path = f"/v1/api-keys/{made['id']}"
    fresh = lives.doors.ask("POST", f"{path}/rotate", {"keep_old_hours": 1}, at=other).json
    assert me(fresh["key"]).status == 200 and me(made["key"]).status == 200
    lives.doors.ask("DELETE", path, at=one, statuses=(204,))
    wait_for("a revocation at the other", lambda: me(fresh["key"]).status == 401, 5)


def most_gib(door):
    """The limit has another name in the API since d95839f; it is stored under the old one."""
    members = ask(door, "GET", "/openapi.json").json["components"]["schemas"]["Policy"]["properties"]
    return "max_size_gib" if "max_size_gib" in members else "largest_size_gib"


def policy(lives, one, other):
    """What is set at one is judged by at the other."""
    team = f"team-{next(NUMBERS)}"
    lives.doors.ask("POST", "/v1/teams", {"id": team, "display_name": team}, at=one, statuses=(201,))
    path = f"/v1/teams/{team}/policy"
    lives.doors.ask("PUT", path, {"registries": ["registry.example.com"], most_gib(other): 40}, at=other)
    read = lives.doors.ask("GET", path, at=one).json
    assert read["policy"][most_gib(one)] == 40, read
    lives.doors.ask("PATCH", f"/v1/teams/{team}", {"display_name": "other"}, at=one)
    assert lives.doors.ask("GET", f"/v1/teams/{team}", at=other).json["display_name"] == "other"


def endpoint(lives, one, other):
    """An endpoint made at one is tested, paused, resumed, rotated and removed at the other."""
    body = {"url": lives.hook_url, "event_types": ["image_cache.deleted"], "name_pattern": "nobody"}
    made = lives.doors.ask("POST", "/v1/webhook-endpoints", body, at=one, statuses=(201,)).json
    path = f"/v1/webhook-endpoints/{made['id']}"
    for act in ("test", "pause", "resume", "rotate-secret", "test"):
        told = lives.doors.ask("POST", f"{path}/{act}", {} if act == "rotate-secret" else None, at=other).json
        assert act != "test" or told["outcome"] == "delivered", told
    lives.doors.ask("PATCH", path, {"description": "changed"}, at=one)
    assert lives.doors.ask("GET", path, at=other).json["description"] == "changed"
    lives.doors.ask("DELETE", path, at=other, statuses=(204,))
    lives.doors.ask("GET", path, at=one, statuses=(404,))


def signed(key, action, **parameters):
    """The query of a call of the cloud's own API, signed as V1 says."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    common = {
        "Action": action, "Version": "2018-08-08", "Format": "JSON", "AccessKeyId": key["id"], "Timestamp": now,
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": f"{time.time_ns()}-{next(NUMBERS)}",
    }  # fmt: skip
    quote = lambda text: urllib.parse.quote(text, safe="~")  # noqa: E731
    pairs = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted({**common, **parameters}.items()))
    text = f"GET&%2F&{quote(pairs)}".encode()
    mac = hmac.new(f"{key['access_key_secret']}&".encode(), text, hashlib.sha1).digest()
    return f"/?{pairs}&Signature={quote(base64.b64encode(mac).decode())}"


def own_api(lives, one, other):
    """The cloud's own API: created at one, repeated, described and deleted at the other."""
    key = lives.doors.ask("POST", "/v1/access-keys", {}, at=one, statuses=(201,)).json
    body = new("rpc")

    def call(door, action, **parameters):
        answer = ask(door, "GET", signed(key, action, RegionId="cn-hangzhou", **parameters))
        assert answer.status == 200, f"{action} at {door}: {answer}"
        return answer.json

    create = {"ImageCacheName": body["name"], "Image.1": body["images"][0], "ClientToken": body["name"]}
    made = call(one, "CreateImageCache", **create)["ImageCacheId"]
    assert call(other, "CreateImageCache", **create)["ImageCacheId"] == made
    described = lambda: call(other, "DescribeImageCaches", ImageCacheId=made)["ImageCaches"]  # noqa: E731
    wait_for("Ready through the cloud's own API", lambda: described()[0]["Status"] == "Ready", 30)
    identifier = lives.doors.ask("GET", f"/v1/image-caches?eci_cache_id={made}").json["items"][0]["id"]
    lives.made[identifier] = {"name": body["name"], "generation": 1, "status": "deleted"}
    call(other, "DeleteImageCache", ImageCacheId=made)
    lives.doors.until(identifier, "deleted", 1)
    assert not described()


def adopt(lives, one, other):
    """A cache that the worker of either found is adopted at one and removed at the other."""
    name = f"stray-{next(NUMBERS)}"
    put = {"put": [{"region": "cn-hangzhou", "name": name, "age_seconds": 100, "build_seconds": 1}]}
    stray = lives.house.cloud("caches", put)["put"][0]
    body = {"region": "cn-hangzhou", "eci_cache_id": stray}
    adopted = lives.doors.ask("POST", "/v1/image-caches/adopt", body, at=one).json["adopted"]
    made = adopted[0]["image_cache_id"]
    lives.doors.ask("DELETE", f"/v1/image-caches/{made}", at=other, statuses=(200, 202))
    lives.doors.until(made, "deleted", 1)
    lives.adopted.add(stray)


MEETINGS = (
    one_key_at_both, ensure_at_both, waiting_is_told, lists_go_on, api_key, policy, endpoint, own_api, adopt,
)  # fmt: skip


def meet(lives, one, other):
    for meeting in MEETINGS:
        print(f"{meeting.__name__}: {one}, {other}", flush=True)
        meeting(lives, one, other)
        lives.check()
