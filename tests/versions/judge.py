"""Whether all that was asked for was done, once: image caches, the cloud's journal, webhooks, the audit, the logs."""

import collections
import json

from house import ask
from story import say, verified, wait_for

# What no log of a process may have, whichever version wrote it.
NEVER = ("panicked", "cached plan")
COUNTERS = ("ecg_task_panics_total", "ecg_rows_unreadable_total")


def image_caches(lives):
    """Each stands as its last change left it, and what led there is without a gap: the cloud's id of each."""
    known = {}
    for identifier, wanted in lives.made.items():
        seen = lives.doors.ask("GET", f"/v1/image-caches/{identifier}").json
        assert {name: seen[name] for name in wanted} == wanted, (wanted, seen)
        steps = lives.doors.ask("GET", f"/v1/image-caches/{identifier}/transitions?limit=100").json["items"]
        steps.sort(key=lambda step: step["sequence"])
        assert [step["sequence"] for step in steps] == list(range(1, len(steps) + 1)), steps
        assert [step["to"] for step in steps][:-1] == [step.get("from") for step in steps][1:], steps
        assert steps[-1]["to"] == wanted["status"], steps
        known[seen["eci_cache_id"]] = wanted
    return known


def journal(lives, known):
    """The cloud made one cache for each, updated it as often as it was asked to, and removed it if it was."""
    acts = collections.Counter((act["action"], act["image_cache_id"]) for act in lives.house.acts())
    created = {cache for action, cache in acts if action == "CreateImageCache"}
    assert created == set(known), ("nobody asked for", created - set(known), "missing", set(known) - created)
    for cache, wanted in known.items():
        done = [acts["CreateImageCache", cache], acts["UpdateImageCache", cache], acts["DeleteImageCache", cache]]
        assert done == [1, wanted["generation"] - 1, int(wanted["status"] == "deleted")], (cache, wanted, done)
    assert all(acts["DeleteImageCache", cache] == 1 for cache in lives.adopted), lives.adopted
    return sum(acts.values())


def feed(lives):
    """The whole feed of events, page by page: the type of each by its id."""
    found, cursor = {}, ""
    while True:
        page = lives.doors.ask("GET", f"/v1/events?limit=100{cursor}").json
        for event in page["items"]:
            assert event["id"] not in found, event
            found[event["id"]] = event["type"]
        if not page["items"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def of_image_cache(text):
    return json.loads(text)["type"].startswith("image_cache.")


def webhooks(lives, secret, received):
    """Every event of an image cache came, once and signed."""
    told = {event for event, kind in feed(lives).items() if kind.startswith("image_cache.")}

    def came():
        ours = [(headers, text) for headers, text in list(received) if of_image_cache(text)]
        assert all(verified(secret, headers, text) for headers, text in ours)
        return collections.Counter(headers["webhook-id"] for headers, _ in ours)

    wait_for("all webhooks", lambda: told <= set(came()), 60)
    assert set(came()) == told, set(came()) - told
    assert set(came().values()) == {1}, came().most_common(3)
    return len(told)


def audit(house):
    """Either version finds the audit as it was sealed, also against the checkpoint that was saved at the beginning."""
    for version in ("old", "new"):
        code, said = house.run(version, "audit", "verify", "--checkpoint", house.folder / "checkpoint")
        assert code == 0, f"audit verify of the {version} version: exit code {code}: {said}"


def logs(house):
    for program in house.programs:
        text = program.log.read_text()
        for line in text.splitlines():
            if program.has_stale_plans and "cached plan" in line:
                continue
            assert not any(word in line for word in NEVER), f"{program.log.name}: {line}"
            assert '"level":"ERROR"' not in line, f"{program.log.name}: {line}"


def metrics(url):
    """A process that still runs has passed over nothing, and no task of it has failed."""
    counted = ask(url, "GET", "/metrics").text.decode().splitlines()
    bad = [line for line in counted if line.startswith(COUNTERS) and not line.endswith(" 0")]
    assert not bad, bad


def judge(lives, secret, received):
    known = image_caches(lives)
    acts, told = journal(lives, known), webhooks(lives, secret, received)
    audit(lives.house)
    logs(lives.house)
    say(f"{len(known)} image caches, {acts} acts at the cloud, {told} webhooks: each once; the audit is as it was sealed")
