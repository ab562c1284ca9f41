"""Where the token comes from: given, or exchanged for that of the job, and renewed before it expires."""

import os
import threading
import time

import httpx

from .errors import GatewayError

JWT = "urn:ietf:params:oauth:token-type:jwt"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
AUDIENCE = "eci-cache-gateway"
# Renewed this long before its end: for what is on its way, and for clocks. Never more than half of its life.
MARGIN_SECONDS = 120


def github_token(audience=AUDIENCE):
    """The id token of a job of GitHub Actions (`permissions: id-token: write`)."""
    url, token = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"], os.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    where = httpx.URL(url).copy_merge_params({"audience": audience})
    answer = httpx.get(where, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    if answer.status_code != 200:
        raise GatewayError(f"GitHub gave no id token: {answer.status_code}")
    return answer.json()["value"]


def subject_of_environment(variable="ECG_SUBJECT_TOKEN"):
    """A function that gives the job's own token, or None where there is none: GitHub's, or GitLab's `id_tokens`."""
    if os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        return github_token
    return (lambda: os.environ[variable]) if os.environ.get(variable) else None


class BearerAuth(httpx.Auth):
    """Adds the token to each request to the gateway. It shows nothing of it."""

    def __init__(self, token):
        self._token = token

    def auth_flow(self, request):
        """Each attempt has the token of its time."""
        request.headers["Authorization"] = f"Bearer {self._token()}"
        yield request


class ExchangedToken:
    """Exchanges the token of `subject` for one of the gateway; one exchange at a time."""

    def __init__(self, http, subject, team=None):
        self._http, self._subject, self._team = http, subject, team
        self._lock = threading.Lock()
        self._token, self._until = None, 0.0

    def __call__(self):
        with self._lock:
            if self._token is None or time.monotonic() >= self._until:
                self._exchange()
            return self._token

    def _exchange(self):
        form = {"grant_type": GRANT, "subject_token_type": JWT, "subject_token": self._subject()}
        if self._team:
            form["team"] = self._team
        asked_at = time.monotonic()
        issued = self._http.post("/v1/token-exchange", data=form, auth=None).json()
        life = float(issued["expires_in"])
        # By how long it lives and not when it ends: this machine's clock may be wrong.
        self._until = asked_at + max(life / 2, life - MARGIN_SECONDS)
        self._token = issued["access_token"]
