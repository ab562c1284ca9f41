"""Checks a compose file where no `docker compose` is at hand, and what `docker compose config` cannot know.

Arguments: the file, the gateway's binary. It must parse; what a service names (networks, secrets, volumes, other
services) must be declared; the gateway's commands must be ones that the binary takes, with their options.
"""

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


def main(path, binary):
    with open(path, encoding="utf-8") as file:
        document = YAML(typ="safe").load(file)
    for name, service in document["services"].items():
        check_names(name, service, document)
        if service["image"].startswith("eci-cache-gateway:"):
            check_command(name, service, binary)
    print(f"{len(document['services'])} services")


main(*sys.argv[1:])
