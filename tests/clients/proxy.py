"""A gateway of a later version: the running one behind it, with answers that today's clients do not know.

    proxy.py http://127.0.0.1:8080 proxy-url

Each JSON object of an answer has a member that the document does not have, and each image cache that is ready has a
status that the document does not list. Requests may have the member, too, as a client may send back what it read.
Everything else passes unchanged: headers, `ETag`, problems, streams. It writes its own address to the file.
"""

import http.client
import json
import re
import sys
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LATER_MEMBER = "x_added_later"
LATER_STATUS = "thawing"
# Of one connection, or replaced by what is sent here.
OF_CONNECTION = {"connection", "content-length", "transfer-encoding"}
CHUNK = 65536


def members_that_stay(document):
    """The names of members whose value is a map, or is said to be complete: nothing may be added to these."""
    schemas = document["components"]["schemas"]
    closed = {f"#/components/schemas/{name}" for name, schema in schemas.items() if is_closed(schema)}
    open_ones = (schema for schema in schemas.values() if not is_closed(schema))
    members = (member for schema in open_ones for member in schema.get("properties", {}).items())
    return {name for name, schema in members if "additionalProperties" in schema or schema.get("$ref") in closed}


def is_closed(schema):
    """Whether a schema has the members that it lists and no others: what requests are made of."""
    return schema.get("additionalProperties") is False


def later(value, stay):
    """An answer as a later version gives it."""
    if isinstance(value, list):
        return [later(item, stay) for item in value]
    if not isinstance(value, dict):
        return value
    grown = {name: member if name in stay else later(member, stay) for name, member in value.items()}
    if str(value.get("id", "")).startswith("ic_") and value.get("status") == "ready":
        grown["status"] = LATER_STATUS
    return grown | {LATER_MEMBER: "unknown to the document"}


def earlier(value):
    """A request without what the running gateway does not know."""
    if isinstance(value, list):
        return [earlier(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: earlier(member) for name, member in value.items() if name != LATER_MEMBER}


def is_json(message):
    """Whether the body of a message is one JSON document (of problems, too)."""
    return re.match(r"application/(.+\+)?json\b", message.get("content-type", "")) is not None


class Proxy(BaseHTTPRequestHandler):
    """One connection of a client, which has one to the gateway."""

    protocol_version = "HTTP/1.1"
    # A head and its body are written apart: without it each answer waits for an acknowledgement.
    disable_nagle_algorithm = True
    upstream = None
    stay = frozenset()

    def setup(self):
        super().setup()
        self.gateway = http.client.HTTPConnection(self.upstream)

    def finish(self):
        self.gateway.close()
        super().finish()

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if body and is_json(self.headers):
            body = json.dumps(earlier(json.loads(body))).encode()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_CONNECTION}
        self.gateway.request(self.command, self.path, body or None, headers)
        answer = self.gateway.getresponse()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in OF_CONNECTION:
                self.send_header(name, value)
        if answer.status in (204, 304):
            answer.read()
            self.end_headers()
        elif is_json(answer.headers):
            self.send_whole(json.dumps(later(json.loads(answer.read()), self.stay)).encode())
        elif answer.length is not None:
            self.send_whole(answer.read())
        else:
            self.send_stream(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def send_whole(self, body):
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_stream(self, answer):
        """What is of no known length, as it comes; the end of the connection is its end."""
        self.send_header("Connection", "close")
        self.end_headers()
        while chunk := answer.read1(CHUNK):
            self.wfile.write(chunk)

    def log_message(self, *_):
        """Silence: the stories tell what counts."""


class Server(ThreadingHTTPServer):
    """Clients leave streams when they have what they want: no news."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main(gateway, address_file):
    with urllib.request.urlopen(gateway + "/openapi.json") as answer:
        Proxy.stay = members_that_stay(json.load(answer))
    Proxy.upstream = urllib.parse.urlsplit(gateway).netloc
    server = Server(("127.0.0.1", 0), Proxy)
    with open(address_file, "w", encoding="utf-8") as file:
        file.write(f"http://127.0.0.1:{server.server_address[1]}")
    server.serve_forever()


main(*sys.argv[1:])
