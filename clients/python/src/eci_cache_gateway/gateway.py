"""The client: made from the environment, over the generated functions."""

import os
import time

import httpx

from .errors import GatewayError, NotReadyError
from .generated import Client
from .generated.models import Event, ImageCache, ImageCacheWait
from .http import RetryingClient
from .tokens import BearerAuth, ExchangedToken, subject_of_environment

POLL_SECONDS = 50


class Gateway:
    """A gateway, as one caller sees it.

    Without `url` and `token` those of `ECG_URL` and `ECG_TOKEN`; without either token that of the job in GitHub Actions
    or GitLab CI is exchanged. `attempts` and `retry_for` (seconds) bound each request. `cancel`, a `threading.Event`,
    ends waits between attempts. Threads may share it.
    """

    def __init__(self, url=None, token=None, *, team=None, attempts=6, retry_for=60, cancel=None, subject=None):
        self.url = (url or os.environ.get("ECG_URL") or "").rstrip("/")
        if not self.url:
            raise GatewayError("ECG_URL is not set: the address of the gateway")
        self.http = RetryingClient(
            attempts=attempts, retry_for=retry_for, cancel=cancel, base_url=self.url,
            headers={"User-Agent": "eci-cache-gateway-python/0.1.0", **({"X-Team": team} if team else {})},
        )
        self.http.auth = BearerAuth(self._source(token, subject, team))
        # What the generated functions take: `list_image_caches.sync(client=gateway.api)`.
        self.api = Client(base_url=self.url).set_httpx_client(self.http)

    def _source(self, token, subject, team):
        token = None if subject else (token or os.environ.get("ECG_TOKEN"))
        if token:
            return lambda: token
        subject = subject or subject_of_environment()
        if not subject:
            raise GatewayError("ECG_TOKEN is not set, and this is no job with an id token")
        return ExchangedToken(self.http, subject, team)

    def __repr__(self):
        return f"Gateway({self.url!r})"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends its connections."""
        self.http.close()

    def pages(self, function, **parameters):
        """All items of a list: `gateway.pages(list_image_caches, region="cn-hangzhou")`, by its generated module."""
        seen = set()
        while True:
            page = function.sync(client=self.api, **parameters)
            yield from page.items
            if not page.has_more:
                return
            if page.next_cursor in seen:
                raise GatewayError("the list does not advance: the same cursor again")
            seen.add(page.next_cursor)
            parameters["cursor"] = page.next_cursor

    def wait_until_ready(self, image_cache_id, timeout=1800) -> ImageCache:
        """The image cache once it is ready. NotReadyError as soon as it cannot become so, TimeoutError after `timeout`
        seconds; restarts and cuts of the gateway in between are waited out."""
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            answer = self._poll(f"/v1/image-caches/{image_cache_id}/wait", {"wait_seconds": _poll_seconds(left)}, until)
            if answer["done"]:
                if answer["condition_met"]:
                    return ImageCacheWait.from_dict(answer).image_cache
                raise NotReadyError(answer["image_cache"])
        raise TimeoutError(f"{image_cache_id} is not ready after {timeout} s")

    def events(self, cursor=None, *, types=(), image_cache_id=None, timeout=None):
        """Each event of the feed with the cursor after it, `(event, cursor)`: keep it, and go on from there with
        `cursor`. It has no end but `timeout` seconds. Without `cursor` it begins with the oldest that is kept."""
        until = time.monotonic() + timeout if timeout is not None else float("inf")
        fixed = {"type": list(types)} | ({"image_cache_id": image_cache_id} if image_cache_id else {})
        while (left := until - time.monotonic()) > 0:
            # One event each, so that each has its cursor.
            asked = fixed | {"limit": 1, "wait_seconds": _poll_seconds(left)} | ({"cursor": cursor} if cursor else {})
            page = self._poll("/v1/events", asked, until)
            cursor = page["next_cursor"]
            yield from ((Event.from_dict(item), cursor) for item in page["items"])

    def _poll(self, path, parameters, until):
        """An answer; it is asked for again until then, which is longer than for other requests."""
        request = self.http.build_request("GET", path, params=parameters)
        request.extensions["ecg_deadline"] = until
        try:
            return self.http.send(request).json()
        except httpx.TransportError:
            raise TimeoutError(f"no answer from {self.url}") from None


def _poll_seconds(left):
    return max(0, int(min(POLL_SECONDS, left)))
