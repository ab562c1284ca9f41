"""Webhooks of a running gateway, verified with the `standardwebhooks` package from PyPI.

One image cache that becomes ready, one that fails. Argument: where to record the deliveries, so that other
libraries can verify the same bytes. Environment: ECG_URL, ECG_TOKEN.
"""

import json
import os
import queue
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

PATIENCE_SECONDS = 90
RECEIVED = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    """Echoes the challenge; keeps headers and exact bytes of every other message, and answers 204."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        message = json.loads(body)
        if message["type"] == "webhook_endpoint.challenge":
            echo = message["data"]["challenge"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(echo)))
            self.end_headers()
            self.wfile.write(echo)
            return
        RECEIVED.put((headers, body.decode()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Silence: what counts is printed by the story."""


def rest(method, path, body=None):
    """One request to the gateway."""
    request = urllib.request.Request(
        os.environ["ECG_URL"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["ECG_TOKEN"],
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def must_refuse(webhook, body, headers, what):
    """A message that was tampered with must not verify."""
    try:
        webhook.verify(body, headers)
    except WebhookVerificationError:
        return
    raise AssertionError(f"verified in spite of {what}")


def await_webhook(secret, cache_id, wanted):
    """Verify every message that arrives, until the wanted one about this image cache."""
    webhook = Webhook(secret)
    while True:
        headers, body = RECEIVED.get(timeout=PATIENCE_SECONDS)
        message = webhook.verify(body, headers)
        about = message["data"]["image_cache"]
        if about["id"] == cache_id and message["type"] == wanted:
            must_refuse(webhook, body.replace(cache_id, cache_id[::-1]), headers, "another body")
            must_refuse(webhook, body, headers | {"webhook-id": "evt_0"}, "another id")
            return {"secret": secret, "headers": headers, "body": body}
        assert about["id"] != cache_id or about["status"] not in ("ready", "failed"), message


def build(endpoint, image, wanted):
    """Create an image cache of one image and give the recorded webhook of its end."""
    new = {"name": "sdk-webhooks", "region": "cn-hangzhou", "images": [image]}
    cache = rest("POST", "/v1/image-caches", new)
    recorded = await_webhook(endpoint["secret"], cache["id"], wanted)
    told = json.loads(recorded["body"])["data"]["image_cache"]
    print(f"verified {wanted} of {cache['id']} ({recorded['headers']['webhook-id']})")
    return recorded, told


def tell(port):
    """The ready path and the failing path, with one endpoint."""
    endpoint = rest("POST", "/v1/webhook-endpoints", {"url": f"http://127.0.0.1:{port}/hook"})
    try:
        ready, cache = build(endpoint, "registry.example.com/team/app:1", "image_cache.ready")
        assert cache["status"] == "ready" and cache["eci_cache_id"], cache
        failed, cache = build(endpoint, "registry.example.com/does-not-exist:1", "image_cache.failed")
        assert cache["status"] == "failed" and cache["failure"]["message"], cache
        shown = rest("GET", "/v1/image-caches/" + cache["id"])
        assert shown["failure"] == cache["failure"], (shown, cache)
        return [ready, failed]
    finally:
        rest("DELETE", "/v1/webhook-endpoints/" + endpoint["id"])


def main(record):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    recorded = tell(server.server_address[1])
    server.shutdown()
    with open(record, "w", encoding="utf-8") as file:
        json.dump(recorded, file)


main(sys.argv[1])
