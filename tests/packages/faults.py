"""A proxy before the gateway with faults, each once: what a client of a package must get over.

    faults.py http://127.0.0.1:8080 address-file

429 with a `Retry-After` of seconds and of a date; 503 without a problem after a create that was carried out; a poll and
a page of events whose answer is cut in the middle, and a connection that ends without an answer. A wait for `ID~failed`
is answered as for one that failed. `GET /faults` lists the faults that did not happen yet.
"""

import email.utils
import http.client
import json
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAILURE = {
    "code": "X", "message": "x", "cause": "registry_login", "explanation": "x", "hint": "log in", "retryable": False,
}
# Path suffix and method of the request that each happens to.
FAULTS = {
    "429": ("GET", "/v1/me"), "429-date": ("GET", "/v1/policy"), "503-done": ("POST", "/v1/image-caches"),
    "cut-wait": ("GET", "/wait"), "reset-wait": ("GET", "/wait"), "cut-events": ("GET", "/v1/events"),
}


class Proxy(BaseHTTPRequestHandler):
    """One connection of a client; `left` are the faults to come."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream = None
    left = dict(FAULTS)

    def forward(self):
        """Passes the request on, and does with the answer what is its turn."""
        path = urllib.parse.urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path == "/faults":
            return self.answer(200, json.dumps(list(self.left)).encode())
        fault = next((name for name, at in self.left.items() if at[0] == self.command and path.endswith(at[1])), None)
        self.left.pop(fault, None)
        if fault in ("429", "429-date"):
            pause = "1" if fault == "429" else email.utils.formatdate(time.time() + 1, usegmt=True)
            return self.answer(429, b"slow down", {"Retry-After": pause}, "text/plain")
        if fault == "reset-wait":
            self.close_connection = True
            return None
        gateway = http.client.HTTPConnection(self.upstream)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        gateway.request(self.command, self.path.replace("~failed", ""), body or None, headers)
        given = gateway.getresponse()
        content = given.read()
        if fault == "503-done":
            return self.answer(503, b"<html>gone</html>", {}, "text/html")
        if "~failed" in path:
            wait = json.loads(content)
            wait |= {"done": True, "condition_met": False}
            wait["image_cache"] |= {"status": "failed", "failure": FAILURE}
            content = json.dumps(wait).encode()
        wanted = ("location", "etag", "retry-after")
        kept = {name: value for name, value in given.getheaders() if name.lower() in wanted}
        return self.answer(given.status, content, kept, given.getheader("Content-Type", ""), cut=fault is not None)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def answer(self, status, content, headers=None, kind="application/json", cut=False):
        """Writes an answer, or half of it and the end of the connection."""
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut

    def log_message(self, *_):
        """Silence."""


def main(gateway, address_file):
    """Serves until it is ended."""
    Proxy.upstream = urllib.parse.urlsplit(gateway).netloc
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    with open(address_file, "w", encoding="utf-8") as file:
        file.write(f"http://127.0.0.1:{server.server_address[1]}")
    server.serve_forever()


main(*sys.argv[1:])
