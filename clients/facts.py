"""What the packages must know of the document beside the generated code, as source in one language.

    clients/facts.py openapi/openapi.json typescript|python|go

The operations that take an `Idempotency-Key`, as patterns of `METHOD path`, and the types of the events of webhooks.
"""

import json
import re
import sys

METHODS = {"post", "put", "patch", "delete", "get"}


def keyed(document):
    """Patterns of the operations that are safe to repeat with their key."""
    for path, item in sorted(document["paths"].items()):
        for method in sorted(METHODS & set(item)):
            names = {parameter.get("name") for parameter in item[method].get("parameters", [])}
            if "Idempotency-Key" in names:
                yield f"^{method.upper()} .*" + re.sub(r"\{\w+\}", "[^/]+", path) + "$"


def events(document):
    """The type of each event, and the name of its schema."""
    for name, hook in document["webhooks"].items():
        schema = hook["post"]["requestBody"]["content"]["application/json"]["schema"]
        yield name, schema["$ref"].rsplit("/", 1)[-1]


def python(patterns, kinds):
    """facts.py"""
    names = ", ".join(schema for _, schema in kinds)
    yield f"from .generated.models import {names}"
    yield f"KEYED = {patterns!r}"
    yield "EVENTS = {" + ", ".join(f"{name!r}: {schema}" for name, schema in kinds) + "}"
    yield "TypedEvent = " + " | ".join(schema for _, schema in kinds)


def typescript(patterns, kinds):
    """facts.ts"""
    yield 'import type { components } from "./schema.js";'
    yield "export const keyed: string[] = " + json.dumps(patterns) + ";"
    yield "export type TypedEvent = " + " | ".join(f'components["schemas"]["{schema}"]' for _, schema in kinds) + ";"


def go(patterns, kinds):
    """facts.go"""
    yield "package ecgclient\n\nimport (\n\t\"regexp\"\n\n\t\"eci-cache-gateway.dev/client/ecg\"\n)\n"
    yield "var keyed = []*regexp.Regexp{"
    yield from (f"\tregexp.MustCompile({json.dumps(pattern)})," for pattern in patterns)
    yield "}\n"
    for name, schema in kinds:
        yield f"// {schema} is an event of type {name}.\ntype {schema} struct{{ ecg.Event }}\n"
    yield "func typed(event ecg.Event) any {\n\tswitch event.Type {"
    yield from (f"\tcase {json.dumps(name)}:\n\t\treturn &{schema}{{event}}" for name, schema in kinds)
    yield "\t}\n\treturn &event\n}"


def main(path, language):
    """Prints the source."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    lines = {"typescript": typescript, "python": python, "go": go}[language]
    comment = "#" if language == "python" else "//"
    print(comment, "Made by clients/facts.py from openapi/openapi.json.")
    print("\n".join(lines(list(keyed(document)), list(events(document)))))


main(*sys.argv[1:])
