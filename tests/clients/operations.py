"""The operations that a client must have: what the document lists under /v1.

Used by the two Python stories. A generator that drops an operation makes its story fail, and so does an
operation that the story does not call.
"""

import json

# Server-sent events never end by themselves, and these clients read an answer to its end before they give it back. The
# clients have the operations; whoever listens uses a client of event streams (EventSource, or `curl -N`).
STREAMS = {"stream_events", "stream_image_cache_events"}

# A key set as a provider publishes it; the key is that of RFC 7517, A.1.
KEY_SET = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        }
    ]
}


def under_v1(document_path):
    """The operation ids of all paths under /v1."""
    with open(document_path, encoding="utf-8") as file:
        paths = json.load(file)["paths"]
    return {
        operation["operationId"]
        for path, item in paths.items()
        if path.startswith("/v1/")
        for operation in item.values()
        if isinstance(operation, dict) and "operationId" in operation
    }


def report(document_path, called):
    """Fail where an operation was not called; else say how many were."""
    wanted = under_v1(document_path) - STREAMS
    if wanted - called:
        raise SystemExit(f"not called: {', '.join(sorted(wanted - called))}")
    if called - wanted:
        raise SystemExit(f"not in the document: {', '.join(sorted(called - wanted))}")
    print(f"{len(called)} of {len(wanted)} operations called")
