"""The last landed version and this one on one database, in both orders; .ci/versions runs it. Arguments: an empty folder
to work in, the old program, the new one, the file that says which version is the old one.

Lines that begin with three spaces are the report. Fails at the first thing that is not as it must be; clients go on all
the time, and whatever they are answered counts.
"""

import pathlib
import sys
import time

from house import House, Pair
from judge import judge, metrics
from lives import Doors, Lives
from meetings import meet, new
from story import Hook, say, start_hook, wait_for

MIGRATIONS = pathlib.Path("migrations")
# What the file of the last version may excuse it from. Of these alone, at the places and times below:
# stale-plans PATH…       those paths are not read, and logs may say "cached plan", at processes of the old version that
#                         were there before the migration
# migrate-refuses-newer   `migrate` fails on a database that a newer version has migrated
EXCUSES = ("stale-plans", "migrate-refuses-newer")


class Receiver(Hook):
    """Can be away for a while, so that deliveries wait for the next try when a version goes."""

    away = False

    def take(self, headers, text):
        return 503 if Receiver.away else super().take(headers, text)


def excuses(file):
    """The lines of the form `excuse NAME WORD…  # why`: the words of each name."""
    lines = [line.partition("#")[0].split() for line in pathlib.Path(file).read_text().splitlines()]
    found = {words[1]: words[2:] for words in lines if words[:1] == ["excuse"]}
    assert set(found) <= set(EXCUSES), f"{file}: unknown: {set(found) - set(EXCUSES)}"
    return found


class Story:
    def __init__(self, folder, old, new_one, last):
        folder.mkdir()
        self.excused, self.begun = excuses(last), time.monotonic()
        self.house = House(folder, {"old": old, "new": new_one})

    def said(self, text):
        print(f"{time.monotonic() - self.begun:.0f} s", flush=True)
        say(text)

    def prepare(self):
        house = self.house
        code, said = house.run("old", "migrate")
        assert code == 0, said
        token = house.token("web")
        # Nobody's, for the workers to find.
        stray = {"region": "cn-hangzhou", "age_seconds": 100, "build_seconds": 1}
        house.cloud("caches", {"put": [{**stray, "name": f"found-{n}"} for n in range(3)]})
        self.old, self.doors = Pair(house, "old"), Doors(token)
        self.doors.open = [self.old.url]
        self.doors.ask("POST", "/v1/teams", {"id": "web", "display_name": "web"}, statuses=(201,))
        hook = f"http://127.0.0.1:{start_hook('127.0.0.1', Receiver)}/"
        endpoint = self.doors.ask("POST", "/v1/webhook-endpoints", {"url": hook}, statuses=(201,)).json
        self.secret = endpoint["secret"]
        self.lives = Lives(house, self.doors, hook)
        self.lives.more()
        checkpoint = lambda: house.run("old", "audit", "checkpoint")  # noqa: E731
        (house.folder / "checkpoint").write_text(wait_for("a checkpoint", lambda: (c := checkpoint())[0] == 0 and c[1]))
        self.said("the old version migrates, serves and works")

    def migrations(self):
        return int(self.house.postgres.value("SELECT count(*) FROM _sqlx_migrations WHERE success"))

    def migrate(self):
        """While the old version goes on, as deploy/upgrade.sh does it."""
        before = self.migrations()
        self.lives.passed_over = self.excused.get("stale-plans", [])
        code, said = self.house.run("new", "migrate")
        assert code == 0, said
        assert self.migrations() == len(list(MIGRATIONS.glob("*.sql")))
        self.lives.more()
        metrics(self.old.gateway.url)
        if "stale-plans" in self.excused:
            self.renew_old()
        self.said(f"the new version migrates ({self.migrations() - before} new), the old one goes on")

    def renew_old(self):
        """Another pair of the old version, with nothing prepared."""
        before, self.old = self.old, Pair(self.house, "old")
        self.doors.open = [self.old.url]
        before.stop()
        before.gateway.has_stale_plans = before.worker.has_stale_plans = True
        self.lives.passed_over = []
        self.lives.more()

    def side_by_side(self):
        self.doors.open = [self.old.url, self.new.url]
        self.lives.more()
        meet(self.lives, self.old.url, self.new.url)
        meet(self.lives, self.new.url, self.old.url)
        for pair in (self.old, self.new):
            metrics(pair.gateway.url)
            metrics(pair.worker.url)

    def hand_over(self, leaving, staying):
        """What the one began, and cannot end because cloud and receiver are away, the other ends."""
        region = "cn-shanghai"
        self.house.cloud("outages", {"region": region})
        Receiver.away = True
        begun = []
        for _ in range(3):
            body = {**new("handed"), "region": region}
            made = self.doors.ask(
                "POST", "/v1/image-caches", body, at=leaving.url, statuses=(202,), Prefer="wait=0",
                Idempotency_Key=body["name"],
            )  # fmt: skip
            begun.append((made.json["id"], body))
        self.doors.open = [staying.url]
        leaving.stop()
        self.house.cloud("outages", {"region": region, "over": True})
        Receiver.away = False
        for identifier, body in begun:
            self.lives.made[identifier] = {"name": body["name"], "generation": 1, "status": "ready"}
            self.doors.until(identifier, "ready", 1)
            again = self.doors.ask(
                "POST", "/v1/image-caches", body, statuses=(201, 202), Idempotency_Key=body["name"]
            ).json
            assert again["id"] == identifier, (identifier, again)
        self.lives.more()

    def back(self):
        """The program alone goes back; the database stays as the new one made it."""
        code, said = self.house.run("old", "migrate")
        excused = "migrate-refuses-newer" in self.excused
        assert (code != 0) == excused, f"migrate of the old version: exit code {code}: {said}"
        self.old = Pair(self.house, "old")

    def of_later(self):
        """A migration of tomorrow's version does not keep this one from starting: it will have to go back, too."""
        columns = "version, description, success, checksum, execution_time"
        self.house.postgres.sql(f"INSERT INTO _sqlx_migrations ({columns}) VALUES (9999, 'later', true, '\\x00', 1)")
        code, said = self.house.run("new", "migrate")
        self.house.postgres.sql("DELETE FROM _sqlx_migrations WHERE version = 9999")
        assert code == 0, said

    def tell(self):
        self.prepare()
        self.migrate()
        self.new = Pair(self.house, "new")
        self.side_by_side()
        self.said("both at work on one database")
        self.hand_over(self.old, self.new)
        self.said("the old one stopped, the new one ended what it had begun")
        self.of_later()
        self.back()
        self.side_by_side()
        self.said("the old one started again beside the new one")
        self.hand_over(self.new, self.old)
        self.said("the new one stopped, the old one goes on alone: a roll-back of the program")
        self.new = Pair(self.house, "new")
        self.doors.open = [self.old.url, self.new.url]
        self.lives.more()
        self.hand_over(self.old, self.new)
        self.said("the new one again, and alone")
        self.lives.stop()
        metrics(self.new.gateway.url)
        metrics(self.new.worker.url)
        judge(self.lives, self.secret, Receiver.received)
        self.new.stop()
        assert not self.lives.failure


story = Story(pathlib.Path(sys.argv[1]), *sys.argv[2:])
try:
    story.tell()
finally:
    story.house.end()
