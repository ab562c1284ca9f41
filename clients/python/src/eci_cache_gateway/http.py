"""An HTTP client that repeats what is safe to repeat, and raises what the gateway refuses."""

import email.utils
import random
import re
import threading
import time
import uuid

import httpx

from .errors import ProblemError
from .facts import KEYED

IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
REPEATED = {429, 502, 503, 504}
# Nothing was sent, or nothing arrived: the connection was never made.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
READ_SECONDS = 30


def retry_after(value, now=None):
    """Seconds of a `Retry-After`, which is a number or a date; None for anything else."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return max(0.0, moment.timestamp() - (time.time() if now is None else now))
    except (ValueError, TypeError, IndexError):
        return None


def patience(request):
    """How long the answer may take to begin: what the request asks the gateway to wait, and the usual."""
    wait = request.url.params.get("wait_seconds") or ("30" if request.url.path.endswith("/wait") else "0")
    prefer = re.search(r"wait=(\d+)", request.headers.get("Prefer", ""))
    asked = [int(text) for text in (wait, prefer and prefer[1]) if text and text.isdigit()]
    return READ_SECONDS + min(55, max(asked, default=0))


def problem_of(response):
    """The problem in a response, and whether there was one: proxies answer in their own words."""
    if "json" in response.headers.get("Content-Type", ""):
        try:
            problem = response.json()
        except ValueError:
            return {}
        return problem if isinstance(problem, dict) else {}
    return {}


class RetryingClient(httpx.Client):
    """`attempts` at most, and no waiting past `retry_for` seconds after the first.

    Requests are repeated in `send` rather than in a transport: with a transport of its own, httpx passes over the
    proxies of the environment.
    """

    def __init__(self, *, attempts, retry_for, cancel, **args):
        super().__init__(**args)
        self._attempts, self._retry_for = attempts, retry_for
        self._cancel = cancel or threading.Event()

    def send(self, request, **args):
        """Sends and repeats; raises ProblemError."""
        if request.method in ("POST", "PATCH") and "Idempotency-Key" not in request.headers:
            request.headers["Idempotency-Key"] = str(uuid.uuid4())
        # Whoever polls says until when, and is bound by that alone.
        polled_until = request.extensions.get("ecg_deadline")
        deadline = polled_until or time.monotonic() + self._retry_for
        attempts = float("inf") if polled_until else self._attempts
        attempt = 1
        while True:
            read = patience(request)
            if polled_until:
                read = max(1, min(read, polled_until - time.monotonic()))
            request.extensions["timeout"] = {"connect": min(10, read), "write": 30, "pool": 30, "read": read}
            failed, pause = self._attempt(request, args, attempt)
            if not isinstance(failed, Exception):
                return failed
            if pause is None or attempt >= attempts or time.monotonic() + pause > deadline:
                raise failed
            if self._cancel.wait(pause):
                raise failed
            attempt += 1

    def _attempt(self, request, args, attempt):
        """The response, or the error and after how many seconds to repeat, None for never."""
        backoff = random.uniform(0.5, 1) * min(8, 0.25 * 2 ** min(attempt, 9))
        try:
            response = super().send(request, **args)
        except httpx.TransportError as error:
            # The request holds the token, and some reports of errors print it.
            error.request = httpx.Request(request.method, request.url)
            return error, backoff if isinstance(error, UNSENT) or self._safe(request) else None
        if response.status_code < 400:
            return response, None
        response.read()
        problem = problem_of(response)
        error = ProblemError(response.status_code, problem)
        if not self._may_repeat(request, response.status_code, problem):
            return error, None
        asked = retry_after(response.headers.get("Retry-After"))
        return error, backoff if asked is None else asked + random.uniform(0, 0.25)

    def _may_repeat(self, request, status, problem):
        if status not in REPEATED or problem.get("retryable") is False:
            return False
        # With a problem the gateway says that it did nothing; without, something in between gave up on it.
        refused = status == 429 or (status == 503 and problem.get("retryable") is True)
        return refused or self._safe(request)

    @staticmethod
    def _safe(request):
        """The same once or twice: by its method, or by a key that the operation heeds."""
        call = f"{request.method} {request.url.path}"
        return request.method in IDEMPOTENT or any(re.match(pattern, call) for pattern in KEYED)
