"""Webhooks as they arrive: verified by https://www.standardwebhooks.com, then read by their type."""

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass

from .errors import SignatureError
from .facts import EVENTS, TypedEvent
from .generated.models import Event

TOLERANCE_SECONDS = 300


@dataclass(frozen=True)
class Challenge:
    """The question to a new endpoint: answer 200 with `challenge` as the body."""

    challenge: str


def verify(secrets, headers, body, now=None):
    """Raises SignatureError unless the bytes of `body` were signed with one of `secrets` within five minutes.

    `secrets` is one `whsec_…` or several, `body` the bytes as they arrived, never JSON written again. The same message
    may arrive twice: remember each `webhook-id` for four days.
    """
    if not isinstance(body, (bytes, bytearray)):
        raise TypeError("body must be the bytes as they arrived")
    given = {str(name).lower(): str(value) for name, value in dict(headers).items()}
    message, timestamp, signatures = (
        given.get(f"webhook-{part}", "").strip() for part in ("id", "timestamp", "signature")
    )
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not message:
        raise SignatureError("webhook-id or webhook-timestamp is missing or malformed")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureError("webhook-timestamp is not within five minutes of now")
    signed = f"{message}.{timestamp}.".encode() + bytes(body)
    # All are compared, as bytes: text that is not ASCII is no reason to fail otherwise.
    found = False
    for secret in [secrets] if isinstance(secrets, str) else secrets:
        digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
        wanted = b"v1," + base64.b64encode(digest)
        for signature in signatures.split():
            found |= hmac.compare_digest(signature.encode(), wanted)
    if not found:
        raise SignatureError("no signature is by this secret")


def receive(secrets, headers, body, now=None) -> TypedEvent | Event | Challenge:
    """Verifies, and gives the event as the class of its type; one of a later version is an `Event`."""
    verify(secrets, headers, body, now)
    message = json.loads(body)
    if message["type"] == "webhook_endpoint.challenge":
        return Challenge(message["data"]["challenge"])
    return EVENTS.get(message["type"], Event).from_dict(message)


def _key(secret):
    try:
        return base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("the secret is not whsec_ and base64") from None
