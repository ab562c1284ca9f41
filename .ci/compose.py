"""Checks a compose file where no `docker compose` is at hand, and what `docker compose config` cannot know.

Arguments: the file, the gateway's binary, which also says which settings there are. It must parse; what a service names
(networks, secrets, volumes, other services) must be declared; the gateway's commands must be ones that the binary takes,
with their options; every setting must be one that an operator can set; every service has its bounds.
"""

import json
import subprocess
import sys

from ruamel.yaml import YAML


def named(service, key):
    """The names under a key, which is a list or a map."""
    return [entry.split(":")[0] if isinstance(entry, str) else entry for entry in service.get(key, [])]


def check_names(name, service, document):
    """What the service refers to is declared."""
    for key in ("networks", "secrets"):
        for entry in named(service, key):
            assert entry in document.get(key, {}), f"{name}: no {key} {entry}"
    for volume in named(service, "volumes"):
        assert volume.startswith(".") or volume in document.get("volumes", {}), f"{name}: no volume {volume}"
    for other in named(service, "depends_on"):
        assert other in document["services"], f"{name}: no service {other}"


def check_command(name, service, binary):
    """The binary takes the command: `--help` after it is answered and not refused."""
    command = [binary, *service["command"], "--help"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 0, f"{name}: {refused.stderr}"


# What the compose file decides by itself: where the containers listen, and how they log.
DECIDED = {"ECG_LISTEN", "ECG_METRICS_LISTEN", "ECG_LOG_FORMAT"}


def settings_of(binary):
    """Every setting, as the binary's reference has it."""
    command = [binary, "settings", "--format", "json"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return json.loads(said.stdout)["settings"]


def check_settings(name, service, binary):
    """Each can be set: in `.env`, unless it is a secret that has a file here, or the compose file itself decides it."""
    assert [entry["path"] for entry in service["env_file"]] == [".env"], f"{name}: env_file must be .env"
    settings = settings_of(binary)
    assert len(settings) > 60, "there are more settings than that"
    fixed = service["environment"]
    for setting in settings:
        variable = setting["variable"]
        by_file = setting["secret"] and str(fixed.get(setting["file_variable"], "")).startswith("/run/secrets/")
        free = variable not in fixed or "${" + variable in str(fixed[variable])
        assert by_file or free or variable in DECIDED, f"{name}: {variable} cannot be set"


def check_bounds(name, service):
    """No container can take all of the machine, or fill its disk with logs."""
    for key in ("mem_limit", "pids_limit", "logging", "read_only", "cap_drop"):
        assert key in service, f"{name}: no {key}"
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), f"{name}: its logs grow without end"


def main(path, binary):
    with open(path, encoding="utf-8") as file:
        document = YAML(typ="safe").load(file)
    for name, service in document["services"].items():
        check_names(name, service, document)
        check_bounds(name, service)
        if service["image"].startswith("eci-cache-gateway:"):
            check_command(name, service, binary)
        if name in ("gateway", "worker"):
            check_settings(name, service, binary)
    print(f"{len(document['services'])} services")


main(*sys.argv[1:])
