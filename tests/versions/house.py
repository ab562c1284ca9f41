"""What the story of two versions is played in: Postgres with the two roles of deploy/postgres/roles.sql, the stand-in,
and gateways and workers of either version, each with a log of its own."""

import base64
import glob
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from story import wait_for

KEY, SECRET = "LTAIversions", "versions-secret"
TOKENS = "a secret for the tokens of the two versions, 32 bytes or more"
MASTER = "dHdvIHZlcnNpb25zIHR3byB2ZXJzaW9ucyB0d28gISE="
# A cache takes two seconds, so that there are always some under way.
SPEED = 5
# The gateway promises to be gone within 20 s.
STOPS_WITHIN = 25


def folder_of_postgres():
    """Where `dev` would find it on a machine like those of CI."""
    named = [os.environ["ECG_PG_BIN"]] if os.environ.get("ECG_PG_BIN") else []
    versions = glob.glob("/usr/lib/postgresql/*/bin")
    versions.sort(key=lambda path: int(path.split("/")[4].partition(".")[0]), reverse=True)
    on_path = [str(pathlib.Path(found).resolve().parent)] if (found := shutil.which("initdb")) else []
    return pathlib.Path((named + versions + on_path)[0])


class Postgres:
    """A server on a socket alone."""

    def __init__(self, folder):
        self.bin, self.folder = folder_of_postgres(), folder / "postgres"
        # It refuses to be root.
        self.account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self.folder.mkdir()
        if self.account:
            shutil.chown(self.folder, "postgres", "postgres")
        data = self.folder / "data"
        self.run("initdb", "-U", "eci", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D", data)
        self.log = open(folder / "postgres.log", "w")
        settings = ["-c", "listen_addresses=", "-c", "max_connections=300"]
        command = [self.bin / "postgres", "-D", data, "-k", self.folder, *settings]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd="/", **self.account)
        wait_for("Postgres", lambda: self.sql("SELECT 1", database="postgres", check=False).returncode == 0)
        for role in ("eci_owner", "eci_runtime"):
            self.sql(f"CREATE ROLE {role} LOGIN", database="postgres")
        self.sql("CREATE DATABASE eci OWNER eci_owner", database="postgres")
        self.sql("ALTER SCHEMA public OWNER TO eci_owner")

    def run(self, program, *arguments, check=True):
        command = [self.bin / program, *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self.account)
        assert not check or ended.returncode == 0, f"{program}: {ended.stderr}"
        return ended

    def sql(self, statement, database="eci", check=True):
        arguments = ["-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "eci", "-d", database]
        return self.run("psql", *arguments, "-c", statement, check=check)

    def value(self, statement):
        return self.sql(statement).stdout.strip()

    def url(self, role):
        return f"postgres://{role}@/eci?host={urllib.parse.quote(str(self.folder), safe='')}"

    def stop(self):
        # Fast: sessions are ended.
        self.process.send_signal(2)
        self.process.wait(30)


class Program:
    """A process that says in its log where it listens."""

    def __init__(self, name, command, environment, log, finds):
        self.name, self.log, self.has_stale_plans = name, log, False
        with open(log, "w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        self.url = wait_for(name, lambda: self.listens(finds))

    def listens(self, finds):
        text = self.log.read_text()
        assert self.process.poll() is None, f"{self.name} ended with code {self.process.returncode}: {text[-3000:]}"
        # The last line may be half written.
        return next((url for line in text.split("\n")[:-1] if (url := finds(line))), None)

    def stop(self):
        """Tells it to end, which it must do well and in time."""
        if self.process.poll() is None:
            self.process.terminate()
            code = self.process.wait(STOPS_WITHIN)
            assert code == 0, f"{self.name} was told to stop and ended with code {code}"

    def kill(self):
        self.process.kill()
        self.process.wait()


def of_sim(line):
    return line.rpartition(" at ")[2] if line.startswith("The stand-in speaks") else None


def of_gateway(line):
    line = json.loads(line) if line.startswith("{") else {}
    address = line.get("address") or line.get("health")
    return f"http://{address}" if line.get("message") in ("serving", "working") else None


class Answer:
    """What came back: the status, the JSON, the headers in small letters."""

    def __init__(self, status, text, headers):
        self.status, self.text = status, text
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.json = json.loads(text) if text[:1] in (b"{", b"[") else None

    def __repr__(self):
        return f"{self.status} {self.text[:2000]!r}"


def ask(url, method, path, body=None, **headers):
    """One request on a connection of its own; none may be left without an answer."""
    request = urllib.request.Request(url + path, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=70) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as refused:
        return Answer(refused.code, refused.read(), refused.headers)


class House:
    """Everything, in an empty folder. `binaries`: the path of each version's program."""

    def __init__(self, folder, binaries):
        self.folder, self.binaries, self.programs, self.cloud_url = folder, binaries, [], ""
        self.postgres = Postgres(folder)
        self.journal = folder / "journal.ndjson"
        key = ["--access-key-id", KEY, "--access-key-secret", SECRET]
        sim = ["sim", "--listen=127.0.0.1:0", f"--speed={SPEED}", "--journal", str(self.journal), *key]
        self.cloud_url = self.start("new", "sim", sim, of_sim).url
        self.cloud("settings", {"quota": 1_000_000, "creates_per_minute": 1_000_000})

    def environment(self):
        return {
            "PATH": os.environ["PATH"],
            "ECG_DATABASE_URL": self.postgres.url("eci_runtime"),
            # Few, so that each has prepared everything before the tables are altered.
            "ECG_DATABASE_POOL_SIZE": "3",
            "ECG_LISTEN": "127.0.0.1:0",
            "ECG_METRICS_LISTEN": "127.0.0.1:0",
            "ECG_CLOUD_ENDPOINT": self.cloud_url,
            "ECG_CLOUD_ACCESS_KEY_ID": KEY,
            "ECG_CLOUD_ACCESS_KEY_SECRET": SECRET,
            "ECG_CLOUD_LIST_LAG_SECONDS": "2",
            "ECG_CLOUD_LOOK_MILLISECONDS": "1000",
            "ECG_AUTH_ISSUER": "versions",
            "ECG_AUTH_AUDIENCE": "eci-cache-gateway",
            "ECG_AUTH_HS256_SECRET": TOKENS,
            "ECG_KEYS_MASTER": MASTER,
            "ECG_KEYS_AUDIT": MASTER,
            "ECG_WEBHOOK_ALLOW_LOOPBACK": "true",
            "ECG_WEBHOOK_ALLOW_HTTP": "true",
            # As docs/compose.md says: cursors that both versions read.
            "ECG_CLEAR_CURSORS": "true",
            "ECG_LIMITS_GRACE_SECONDS": "1",
            "ECG_RECONCILE_EVERY_SECONDS": "60",
        }

    def token(self, team):
        """A token that both versions read, each the scopes that it knows."""
        now = int(time.time())
        scopes = "read write webhooks audit admin keys platform:read platform:policy platform:accounts platform:security"
        claims = {
            "iss": "versions", "aud": "eci-cache-gateway", "sub": "versions", "team": team, "scope": scopes,
            "iat": now, "exp": now + 2 * 3600, "jti": "versions",
        }
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        message = b".".join(parts)
        signature = hmac.new(TOKENS.encode(), message, hashlib.sha256).digest()
        return b".".join([message, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()

    def start(self, version, name, arguments, finds):
        log = self.folder / f"{len(self.programs):02}-{version}-{name}.log"
        command = [self.binaries[version], *arguments]
        program = Program(f"{version} {name}", command, self.environment(), log, finds)
        self.programs.append(program)
        return program

    def run(self, version, *arguments):
        """A command of that version, as the database's owner: its exit code and what it said."""
        owner = {"ECG_MIGRATE_DATABASE_URL": self.postgres.url("eci_owner")}
        ended = subprocess.run(
            [self.binaries[version], *arguments], env={**self.environment(), **owner}, capture_output=True, text=True,
            timeout=60, check=False,
        )
        print("+", version, *arguments, f"exit code {ended.returncode}", ended.stdout, ended.stderr, flush=True)
        return ended.returncode, ended.stdout + ended.stderr

    def cloud(self, door, body):
        answer = ask(self.cloud_url, "POST", f"/_admin/{door}", body)
        assert answer.status == 200, answer
        return answer.json

    def acts(self):
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    def end(self):
        for program in reversed(self.programs):
            program.kill()
        self.postgres.stop()


class Pair:
    """A gateway and a worker of one version, as docker-compose.yml has them."""

    def __init__(self, house, version):
        self.version = version
        self.gateway = house.start(version, "gateway", ["serve", "--no-worker"], of_gateway)
        self.worker = house.start(version, "worker", ["worker"], of_gateway)
        self.url = self.gateway.url

    def stop(self):
        self.worker.stop()
        self.gateway.stop()
