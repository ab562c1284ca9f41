"""Walks through docker-compose.yml with the images that .ci/image has made. Argument: an empty folder to work in.

Lines that begin with three spaces are the report. Fails at the first thing that is not as it must be.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from story import Hook, say, start_hook, verified, wait_for

DOCKER = os.environ["DOCKER"].split()
COMPOSE = os.environ["COMPOSE"].split()
FOLDER = pathlib.Path(sys.argv[1])
PROJECT = "ecg-ci-story"
PORT = 18080
# How long a slow migration takes, in seconds, and the longest time without an answer during the upgrade.
SLOW, GAP = 14, 0.5
KEY, SECRET = "LTAIstory", "story-secret"
TOKENS = "a secret for the tokens of the story, 32 bytes or more"

ENV = f"""
ECG_CLOUD_ACCESS_KEY_ID={KEY}
ECG_CLOUD_ENDPOINT=http://cloud:9080
ECG_AUTH_ISSUER=https://issuer.example
ECG_AUTH_AUDIENCE=eci-cache-gateway
ECG_AUTH_HS256_SECRET={TOKENS}
ECG_WEBHOOK_ALLOW_HTTP=true
ECG_WEBHOOK_ALLOW_CIDRS=172.16.0.0/12,192.168.0.0/16,10.0.0.0/8
ECG_POLICY_CONTACT=whoever runs the story
ECG_PORT={PORT}
"""

OVERRIDE = f"""
services:
  postgres:
    image: ecg-ci-postgres
  migrate:
    image: ${{STORY_IMAGE:-ecg-ci-gateway}}
    # A migration that takes its time.
    entrypoint: [sh, -c, 'sleep "$$0"; exec /usr/local/bin/eci-cache-gateway migrate', "${{STORY_SLOW:-0}}"]
    command: []
  gateway:
    image: ${{STORY_IMAGE:-ecg-ci-gateway}}
  worker:
    image: ${{STORY_IMAGE:-ecg-ci-gateway}}
  # In place of Alibaba Cloud.
  cloud:
    image: ecg-ci-gateway
    command: [sim, "--listen=0.0.0.0:9080", --speed=20, --access-key-id={KEY}, --access-key-secret={SECRET}]
    networks: [outside]
    healthcheck:
      disable: true
"""


def run(*command, check=True, timeout=300, **variables):
    print("+", *command, flush=True)
    ended = subprocess.run(
        [str(word) for word in command], cwd=FOLDER, env={**os.environ, **variables}, capture_output=True, text=True,
        timeout=timeout, check=False,
    )
    print(ended.stdout, ended.stderr, f"exit code {ended.returncode}", flush=True)
    assert not check or ended.returncode == 0, f"{command}: exit code {ended.returncode}: {ended.stderr[-2000:]}"
    return ended


def compose(*arguments, **others):
    return run(*COMPOSE, *arguments, **others)


def ask(method, path, body=None, token=None, timeout=60):
    """The status and the JSON of an answer; 0 where there is none."""
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        text = refused.read()
        # The proxy's own refusals are pages.
        return refused.code, json.loads(text) if text.startswith(b"{") else None
    except OSError:
        return 0, None


class Watch(threading.Thread):
    """Asks again and again, and remembers the longest time without a good answer."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest, self.asked, self.failed, self.over = 0.0, 0, 0, False

    def run(self):
        good = time.monotonic()
        while not self.over:
            began = time.monotonic()
            status, _ = ask("GET", "/healthz", timeout=5)
            now = time.monotonic()
            self.asked += 1
            self.failed += status != 200
            if status != 200 or now - began > GAP:
                print(time.strftime("%H:%M:%S", time.gmtime()), f"{status} after {now - began:.2f} s", flush=True)
            self.longest = max(self.longest, now - good)
            if status == 200:
                good = now
            time.sleep(0.01)

    def stop(self):
        self.over = True
        self.join()
        return f"longest time without an answer {self.longest:.2f} s, {self.failed} of {self.asked} requests failed"


def lay_out():
    for name in ("docker-compose.yml", "deploy"):
        source, target = pathlib.Path(name), FOLDER / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    # The name of an image that is not there: here it is Debian's.
    proxy = FOLDER / "deploy/compose.proxy.yml"
    proxy.write_text(proxy.read_text().replace("haproxy:3.0", "ecg-ci-haproxy"))
    (FOLDER / "override.yml").write_text(OVERRIDE)
    env = f"COMPOSE_PROJECT_NAME={PROJECT}\nCOMPOSE_FILE=docker-compose.yml:override.yml\n"
    (FOLDER / ".env").write_text(env + ENV)
    run("deploy/make-secrets.sh")
    (FOLDER / "secrets/cloud_access_key_secret").write_text(SECRET)


def upgraded(image, **others):
    upgrade = run("deploy/upgrade.sh", "--no-build", STORY_IMAGE=image, timeout=300, **others)
    compose("ps", "--all", check=False)
    return upgrade


def revisions():
    """The labels of the gateways and workers that run."""
    containers = compose("ps", "--quiet", "gateway", "worker").stdout.split()
    form = '{{index .Config.Labels "org.opencontainers.image.revision"}}'
    return {run(*DOCKER, "inspect", "--format", form, container).stdout.strip() for container in containers}


def refused(what, file, text, words, service):
    """With a secret that is wrong `up --wait` fails, and the log says why; with the right one all is well again."""
    path = FOLDER / "secrets" / file
    good = path.read_text()
    path.write_text(text)
    began = time.monotonic()
    up = compose("up", "--wait", "--force-recreate", "--no-deps", service, check=False)
    took = time.monotonic() - began
    log = compose("logs", "--no-log-prefix", service).stdout
    path.write_text(good)
    compose("up", "--wait", "--force-recreate", "--no-deps", service)
    assert up.returncode != 0, f"{what}: `up --wait` should have failed"
    said = [word for word in words if word in log]
    say(f"{what}: `up --wait` failed after {took:.0f} s; the log says {said or 'nothing of it'}")
    return bool(said)


def story():
    lay_out()
    began = time.monotonic()
    compose("up", "--wait")
    say(f"up --wait: {time.monotonic() - began:.0f} s")

    token = compose("run", "--rm", "--no-TTY", "--no-deps", "gateway", "token", "--team", "web", "--scope", "read,write,webhooks").stdout.strip()
    hook = start_hook()
    gateway = compose("ps", "--quiet", "gateway").stdout.strip()
    form = "{{range .NetworkSettings.Networks}}{{.Gateway}} {{end}}"
    host = run(*DOCKER, "inspect", "--format", form, gateway).stdout.split()[-1]
    endpoint = {"url": f"http://{host}:{hook}/", "event_types": ["image_cache.ready"]}
    status, endpoint = ask("POST", "/v1/webhook-endpoints", endpoint, token)
    assert status == 201, endpoint

    def life(name):
        began = time.monotonic()
        status, cache = ask("POST", "/v1/image-caches", {"name": name, "region": "cn-hangzhou", "images": ["nginx:1.27"]}, token)
        assert status in (201, 202), cache
        status, ready = ask("GET", f"/v1/image-caches/{cache['id']}/wait?wait_seconds=55", token=token)
        assert status == 200 and ready["condition_met"], ready
        took, before = time.monotonic() - began, len(Hook.received)
        wait_for("the webhook", lambda: any(cache["id"].encode() in text for _, text in Hook.received))
        headers, text = next(one for one in Hook.received if cache["id"].encode() in one[1])
        assert verified(endpoint["secret"], headers, text), (headers, text, before)
        return cache["id"], took

    cache, took = life("first")
    say(f"create, ready, webhook verified: {took:.1f} s")
    worker = compose("ps", "--quiet", "worker").stdout.strip()
    health = run(*DOCKER, "exec", worker, "/usr/local/bin/eci-cache-gateway", "healthcheck", check=False)
    assert health.returncode == 0, "the worker's health check"
    assert ask("GET", "/metrics")[0] != 200, "metrics stand beside the API"

    # One gateway, no proxy: the migration costs nothing, the one container that is replaced its start.
    watch = Watch()
    watch.start()
    upgraded("ecg-ci-gateway:next", STORY_SLOW=str(SLOW))
    say(f"upgrade with a migration of {SLOW} s, one gateway: {watch.stop()}")
    assert watch.longest < SLOW, "nobody answered while the migration ran"
    assert revisions() == {"two"}

    # Behind the proxy: no gap at all.
    env = FOLDER / ".env"
    env.write_text(env.read_text().replace("override.yml", "override.yml:deploy/compose.proxy.yml"))
    compose("up", "--wait", "--scale", "gateway=2", STORY_IMAGE="ecg-ci-gateway:next")
    wait_for("the proxy", lambda: ask("GET", "/healthz")[0] == 200)
    time.sleep(5)
    watch = Watch()
    watch.start()
    upgraded("ecg-ci-gateway", STORY_SLOW=str(SLOW))
    time.sleep(3)
    say(f"upgrade with a migration of {SLOW} s, two gateways behind the proxy: {watch.stop()}")
    assert watch.longest < GAP, f"a gap of {watch.longest:.2f} s"
    assert revisions() == {"one"}
    _, took = life("second")

    # All of it goes down hard and comes back.
    began = time.monotonic()
    compose("kill", "--signal", "KILL")
    compose("up", "--wait", "--no-recreate", "--scale", "gateway=2")
    status, again = wait_for("an answer", lambda: (found := ask("GET", f"/v1/image-caches/{cache}", token=token))[0] == 200 and found)
    assert again["status"] == "ready", again
    say(f"killed, and up again: {time.monotonic() - began:.0f} s, nothing lost")

    compose("down", "--timeout", "5", check=False)
    env.write_text(env.read_text().replace(":deploy/compose.proxy.yml", ""))
    compose("up", "--wait")
    url = (FOLDER / "secrets/database_url").read_text()
    wrong = url.replace(url.split(":")[2].split("@")[0], "not-the-password-at-all")
    for service in ("gateway", "worker"):
        told = refused(f"wrong database password, {service}", "database_url", wrong, ["password", "28P01", "eci_runtime"], service)
        assert told, "nothing is said of a wrong password"
    key = hashlib.sha256(b"another").hexdigest()
    for file in ("master_key", "audit_key"):
        told = refused(f"another {file.replace('_', ' ')}", file, key, ["ECG_KEYS", "master key", "audit key"], "gateway")
        assert told, f"nothing is said of another {file}"
    settings = env.read_text()
    env.write_text(settings + "ECG_CLOUD_CALLS_PER_SECOND=none\n")
    bad = compose("up", "--wait", "gateway", check=False)
    log = compose("logs", "--no-log-prefix").stdout
    assert bad.returncode != 0 and "ECG_CLOUD_CALLS_PER_SECOND" in log, log[-2000:]
    env.write_text(settings)
    compose("up", "--wait")
    life("last")
    say("a wrong setting of .env: `up --wait` failed, the log names it; then all is well again")


FOLDER.mkdir()
try:
    story()
except BaseException:
    compose("ps", "--all", check=False)
    compose("logs", "--timestamps", "--tail", "80", check=False)
    raise
finally:
    compose("down", "--volumes", "--timeout", "2", check=False)
