"""The Python package through faults.py, and its signatures."""

import base64
import hashlib
import hmac
import json
import time
import types
import urllib.request

import httpx

from eci_cache_gateway import (
    Challenge,
    Gateway,
    GatewayError,
    NotReadyError,
    ProblemError,
    SignatureError,
    receive,
    verify,
)
from eci_cache_gateway.generated.api.image_caches import create_image_cache, list_image_caches
from eci_cache_gateway.generated.api.policies import get_policy
from eci_cache_gateway.generated.api.me import get_me
from eci_cache_gateway.generated.models import ImageCacheCreate
from eci_cache_gateway.http import retry_after
from eci_cache_gateway.tokens import ExchangedToken

NAME = f"package-python-{time.time_ns()}"


def refused(kind, function, *args):
    """The error of this kind that a call must end with."""
    try:
        function(*args)
    except kind as error:
        return error
    raise AssertionError(f"{function} was not refused")


def faults():
    """Everything once, through all faults."""
    with Gateway() as gateway:
        get_me.sync(client=gateway.api)
        get_policy.sync(client=gateway.api)
        wanted = ImageCacheCreate(name=NAME, region="cn-hangzhou", images=["registry.example.com/team/python:1"])
        cache = create_image_cache.sync(client=gateway.api, body=wanted)
        assert [item.id for item in gateway.pages(list_image_caches, name=NAME, limit=1)] == [cache.id], "made twice"
        assert gateway.wait_until_ready(cache.id, 120).id == cache.id
        failed = refused(NotReadyError, gateway.wait_until_ready, cache.id + "~failed", 60)
        assert (failed.cause, failed.hint) == ("registry_login", "log in")
        kinds, cursors = [], []
        for event, cursor in gateway.events(image_cache_id=cache.id, timeout=60):
            kinds.append(event.type_)
            cursors.append(cursor)
            if event.type_ == "image_cache.ready":
                break
        assert kinds == ["image_cache.created", "image_cache.ready"], kinds
        again, _ = next(gateway.events(cursors[0], image_cache_id=cache.id, timeout=60))
        assert again.type_ == "image_cache.ready"
        images = ["registry.example.com/Team/App:1"]
        wrong = ImageCacheCreate(name=NAME, region="cn-hangzhou", images=images, size_gib=1)
        problem = refused(ProblemError, lambda: create_image_cache.sync(client=gateway.api, body=wrong))
        assert problem.pointers == ["/images/0", "/size_gib"] and problem.request_id, problem
        left = json.load(urllib.request.urlopen(gateway.url + "/faults"))
        assert left == [], f"these faults did not happen: {left}"


def strangers():
    """What others met with clients like this."""
    assert retry_after("Wed, 21 Oct 2015 07:28:05 GMT", 1445412480) == 5.0
    assert retry_after("120") == 120
    assert all(retry_after(text) is None for text in ("-1", "+5", "x"))
    secret = "token-that-nobody-sees"
    gateway = Gateway("http://127.0.0.1:1", secret, retry_for=0)
    error = refused(httpx.ConnectError, lambda: get_me.sync(client=gateway.api))
    assert secret not in repr(gateway) + repr(vars(error)) + repr(error.request.headers)
    same = types.SimpleNamespace(sync=lambda **_: types.SimpleNamespace(items=[1], has_more=True, next_cursor="a"))
    refused(GatewayError, list, gateway.pages(same))
    asked = []
    answer = types.SimpleNamespace(json=lambda: {"access_token": f"t{len(asked)}", "expires_in": 1800})
    token = ExchangedToken(types.SimpleNamespace(post=lambda *_, **form: asked.append(form) or answer), lambda: "job")
    assert token() == token() == "t1" and len(asked) == 1
    token._until = 0
    assert token() == "t2"


def signatures():
    """Good, two, wrong, old, ahead, tampered, and not ASCII."""
    body = b'{"type":"webhook_endpoint.challenge","data":{"challenge":"c"}}'
    key, now = b"k" * 32, 1_800_000_000
    secret = "whsec_" + base64.b64encode(key).decode()
    made = base64.b64encode(hmac.new(key, b"m.1800000000." + body, hashlib.sha256).digest()).decode()
    good = {"Webhook-Id": "m", "Webhook-Timestamp": str(now), "Webhook-Signature": f"v1a,x v1,AAAA v1,{made}"}
    assert receive(secret, good, body, now) == Challenge("c")
    verify(["whsec_" + base64.b64encode(b"o" * 32).decode(), secret], good, body, now + 299)
    for headers, content, at in (
        (good, body + b" ", now), (good, body, now + 301), (good, body, now - 301), ({}, body, now),
        (good | {"Webhook-Signature": "v1,é"}, body, now), (good | {"Webhook-Id": "n"}, body, now),
        (good | {"Webhook-Timestamp": "NaN"}, body, now), (good | {"Webhook-Signature": f"v2,{made}"}, body, now),
    ):
        refused(SignatureError, verify, secret, headers, content, at)
    refused(TypeError, verify, secret, good, body.decode(), now)


signatures()
strangers()
faults()
print("faults, strangers and signatures passed")
