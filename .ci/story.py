"""What the stories that are told against whole processes share: reports, waiting, a receiver of webhooks."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time


def say(text):
    """Three spaces make a line of the report."""
    print(f"   {text}", flush=True)


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)
    return found


class Hook(http.server.BaseHTTPRequestHandler):
    """A receiver of webhooks on this machine: echoes the challenge, keeps the rest."""

    received = []

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(text)
        status, answer = 200, b"{}"
        if body["type"] == "webhook_endpoint.challenge":
            answer = json.dumps({"challenge": body["data"]["challenge"]}).encode()
        else:
            status = self.take(dict(self.headers), text)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def take(self, headers, text):
        """Keeps a message: the status to answer."""
        self.received.append((headers, text))
        return 200

    def log_message(self, *_):
        pass


def start_hook(address="0.0.0.0", handler=Hook):
    server = http.server.ThreadingHTTPServer((address, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def verified(secret, headers, text):
    """Whether a webhook is signed as Standard Webhooks says."""
    headers = {name.lower(): value for name, value in headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + text
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return wanted in headers["webhook-signature"].split()
