"""Clients that go on through everything: each makes an image cache, follows it to its Ready, updates it, and removes every
second one, with each request at the next of the doors that are open. Nothing is asked twice: the first answer must be right."""

import itertools
import threading
import time

from house import ask
from story import wait_for

CLIENTS = 3
# How long one cache may take to be ready, updated or gone.
PATIENCE = 60
# What is read in each life, so that every session has prepared it before the tables are altered.
LOOKS = (
    "/v1/me", "/v1/usage?region=cn-hangzhou", "/v1/policy", "/v1/default-policy", "/v1/teams", "/v1/teams/web",
    "/v1/region-profiles", "/v1/cloud-accounts", "/v1/api-keys", "/v1/access-keys", "/v1/revocations",
    "/v1/found-image-caches", "/v1/webhook-endpoints", "/v1/deliveries?limit=5", "/v1/image-caches?status=ready&limit=5",
    "/v1/events?limit=5", "/v1/audit-entries?limit=5", "/v1/audit-checkpoints?limit=5", "/readyz",
)  # fmt: skip


class Doors:
    """The gateways that clients know, in turn."""

    def __init__(self, token):
        self.token, self.open, self.turn = token, [], itertools.count()

    def next(self):
        doors = self.open
        return doors[next(self.turn) % len(doors)]

    def ask(self, method, path, body=None, at=None, statuses=(200,), **headers):
        door = at or self.next()
        answer = ask(door, method, path, body, Authorization=f"Bearer {self.token}", **headers)
        assert answer.status in statuses, f"{method} {path} at {door}: {answer}"
        return answer

    def until(self, identifier, status, generation):
        """Waits until the image cache is there, at whichever door."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            seen = self.ask("GET", f"/v1/image-caches/{identifier}").json
            if (seen["status"], seen["generation"]) == (status, generation):
                return seen
            assert seen["status"] not in ("failed", "update_failed", "lost", "evicted", "expired"), seen
            if status == "ready":
                self.ask("GET", f"/v1/image-caches/{identifier}/wait")
            else:
                time.sleep(0.1)
        raise AssertionError(f"{identifier} is not {status} after {PATIENCE} s: {seen}")


class Lives:
    """What the clients made, and how each of it should stand at the end."""

    def __init__(self, house, doors, hook_url):
        self.house, self.doors, self.hook_url = house, doors, hook_url
        self.numbers, self.over, self.failure = itertools.count(), False, None
        # The id of each image cache: what was asked of it; the cloud's ids of those that were adopted and removed.
        self.made, self.adopted, self.ended = {}, set(), 0
        # Paths that are not read at present.
        self.passed_over = []
        self.threads = [threading.Thread(target=self.go_on, daemon=True) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def go_on(self):
        while not self.over and not self.failure:
            try:
                self.one(next(self.numbers))
            except BaseException as failure:  # noqa: BLE001: told by whoever waits
                self.failure = failure
            else:
                self.ended += 1

    def one(self, number):
        doors, key = self.doors, f"life-{number}"
        new = {"name": key, "region": "cn-hangzhou", "images": [f"nginx:1.{number}"]}
        made = doors.ask("POST", "/v1/image-caches", new, statuses=(201, 202), Idempotency_Key=key).json
        identifier = made["id"]
        self.made[identifier] = {"name": key, "generation": 1, "status": "ready"}
        again = doors.ask("POST", "/v1/image-caches", new, statuses=(201, 202), Idempotency_Key=key).json
        assert again["id"] == identifier, (made, again)
        doors.until(identifier, "ready", 1)
        for path in LOOKS:
            if path not in self.passed_over:
                doors.ask("GET", path)
        listed = doors.ask("GET", f"/v1/image-caches?name={key}").json["items"]
        assert [one["id"] for one in listed] == [identifier], listed
        gate = doors.ask("GET", f"/v1/gate?region=cn-hangzhou&image=nginx:1.{number}")
        assert gate.json["image_cache"]["id"] == identifier, gate
        doors.ask("GET", f"/v1/image-caches/{identifier}/provider-record")
        self.change(identifier, number)

    def change(self, identifier, number):
        doors, made = self.doors, self.made[identifier]
        path = f"/v1/image-caches/{identifier}"
        tag = doors.ask("GET", path).headers["etag"]
        body = {"images": [f"nginx:1.{number}", f"redis:7.{number}"]}
        doors.ask("PATCH", path, body, statuses=(200, 202), If_Match=tag)
        made["generation"] = 2
        doors.until(identifier, "ready", 2)
        if number % 2:
            doors.ask("DELETE", path, statuses=(200, 202))
            made["status"] = "deleted"
            doors.until(identifier, "deleted", 2)

    def check(self):
        if self.failure:
            raise self.failure

    def more(self, count=CLIENTS):
        """Lets further lives begin and end under what is open now."""
        # Those in hand began before.
        wanted = self.ended + CLIENTS + count

        def enough():
            self.check()
            return self.ended >= wanted

        wait_for(f"{count} more lives", enough, 2 * PATIENCE)

    def stop(self):
        self.over = True
        for thread in self.threads:
            thread.join(3 * PATIENCE)
        self.check()
