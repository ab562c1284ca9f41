#!/usr/bin/env python3
"""Breaks the project's own document in every way that the check knows, and grows it in every way that it allows.

    selftest.py DOCUMENT

A break that is not reported, or an addition that is, fails. Where the clone has the history, the two breaks that
happened in it must be found, too.
"""

import copy
import json
import pathlib
import subprocess
import sys

from rules import breaks

HERE = pathlib.Path(__file__).parent
# A commit that changed the document, and what it broke: a status that callers did not know, and a parameter in front of
# others.
HAPPENED = (
    ("1eef4b73b219", "ImageCacheStatus: may be 'evicted'"),
    ("dd781a1e3501", "list_image_caches: parameters stand as status, region, name, image, cloud_account"),
)


def schema(document, name):
    return document["components"]["schemas"][name]


def operation(document, path, method):
    return document["paths"][path][method]


def own(document):
    """Schemas of the check's own, so that nothing hangs on what the product happens to have: one that is sent, and one
    that is read."""
    members = {
        "name": {"type": "string", "maxLength": 10},
        "count": {"type": "integer", "format": "int32", "minimum": 1},
        "word": {"type": "string", "enum": ["a", "b"]},
        "list": {"type": "array", "items": {"type": "string"}},
        "free": {"type": "string"},
    }
    names = ("Sent", "Read")
    for name in names:
        document["components"]["schemas"][name] = {
            "type": "object", "properties": copy.deepcopy(members), "required": ["name", "word"]}
    sent, read = ({"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{n}"}}}} for n in names)
    text = {"type": "string"}
    parameters = [
        {"in": "path", "name": "id", "required": True, "schema": text},
        {"in": "query", "name": "first", "schema": text},
        {"in": "query", "name": "second", "schema": {"type": "string", "enum": ["a", "b"]}},
        {"in": "header", "name": "X-Last", "schema": text},
    ]
    answer = {**read, "description": "", "headers": {"ETag": {"schema": text}}}
    document["paths"]["/own/{id}"] = {"post": {
        "operationId": "do_own", "tags": ["own"], "parameters": parameters,
        "requestBody": {"required": False, **sent},
        "responses": {"200": answer, "404": {**read, "description": ""}}}}
    document.setdefault("webhooks", {})["own"] = {"post": {"requestBody": read, "responses": {}}}
    return document


def broken():
    """What is done, and what must be told."""
    def op(d):
        return operation(d, "/own/{id}", "post")

    def member(name, what, value):
        return lambda d: schema(d, name)["properties"][what].update(value)

    yield lambda d: d["paths"].pop("/own/{id}"), "do_own: POST /own/{id} is gone"
    yield lambda d: op(d).update(operationId="did"), "operationId did, and was do_own"
    yield lambda d: op(d).update(tags=["other"]), "tags other"
    yield lambda d: op(d)["parameters"].pop(1), "do_own first: is gone from the query"
    yield lambda d: op(d)["parameters"].insert(1, {"in": "query", "name": "new", "schema": {}}), "stand as new, first"
    needed = {"in": "query", "name": "new", "required": True, "schema": {}}
    yield lambda d: op(d)["parameters"].append(needed), "new and required"
    yield lambda d: op(d)["parameters"][1].update(required=True), "do_own first: is required"
    yield lambda d: op(d)["parameters"][1].update(schema={"type": "integer"}), "first: type integer"
    yield lambda d: op(d)["parameters"][2]["schema"]["enum"].pop(), "second: does not take 'b'"
    yield lambda d: op(d)["requestBody"].update(required=True), "needs a body"
    yield lambda d: op(d).pop("requestBody"), "takes no body"
    yield lambda d: op(d)["responses"].pop("200"), "does not answer 200"
    yield lambda d: op(d)["responses"].pop("404"), "does not answer 404"
    yield lambda d: op(d)["responses"].update({"202": {"description": ""}}), "may answer 202"
    yield lambda d: op(d)["responses"]["200"]["headers"].pop("ETag"), "no header ETag"
    yield lambda d: op(d)["responses"]["200"].update(content={"text/plain": {}}), "not application/json"
    yield lambda d: d["webhooks"].pop("own"), "webhook own: is gone"
    for name in ("Sent", "Read"):
        yield lambda d, n=name: schema(d, n)["properties"].pop("free"), f"{name}.free: is gone"
        yield member(name, "free", {"type": "integer"}), f"{name}.free: type integer"
        yield member(name, "count", {"format": "int64"}), f"{name}.count: format int64"
        yield member(name, "list", {"items": {"type": "integer"}}), f"{name}.list[]: type integer"
        yield lambda d, n=name: renamed(d, n), f"{name}: no schema has that name"
    yield with_required, "Sent.new: is new and required"
    yield lambda d: schema(d, "Sent")["required"].append("free"), "Sent.free: is required"
    yield member("Sent", "word", {"enum": ["a"]}), "Sent.word: does not take 'b'"
    yield member("Sent", "free", {"enum": ["a"]}), "Sent.free: takes only certain words"
    yield member("Sent", "count", {"minimum": 2}), "Sent.count: minimum is 2"
    yield member("Sent", "name", {"maxLength": 9}), "Sent.name: maxLength is 9"
    yield member("Sent", "free", {"maxLength": 9}), "Sent.free: maxLength is 9, and was none"
    yield member("Sent", "free", {"pattern": "^a"}), "Sent.free: has another pattern"
    yield lambda d: schema(d, "Read")["required"].remove("name"), "Read.name: may be absent"
    yield member("Read", "word", {"enum": ["a", "b", "c"]}), "Read.word: may be 'c'"
    yield lambda d: schema(d, "Read")["properties"]["word"].pop("enum"), "Read.word: is any word"
    yield member("Read", "free", {"type": ["string", "null"]}), "Read.free: type null or string"


def with_required(document):
    sent = schema(document, "Sent")
    sent["properties"]["new"] = {"type": "string"}
    sent["required"].append("new")


def renamed(document, name):
    schemas = document["components"]["schemas"]
    schemas["Other"] = schemas.pop(name)
    text = json.dumps(document).replace(f"schemas/{name}\"", "schemas/Other\"")
    document.clear()
    document.update(json.loads(text))


def grown(document):
    """Every addition that callers live with."""
    op = operation(document, "/own/{id}", "post")
    op["parameters"].append({"in": "query", "name": "new", "schema": {"type": "string"}})
    op["parameters"][2]["schema"]["enum"].append("c")
    op["responses"]["429"] = {"description": ""}
    op["responses"]["200"]["headers"]["Age"] = {"schema": {"type": "string"}}
    op["summary"] = "Other words"
    for name in ("Sent", "Read"):
        schema(document, name)["properties"]["new"] = {"type": "string"}
        schema(document, name)["description"] = "Other words"
    schema(document, "Read")["required"] += ["new", "free"]
    sent = schema(document, "Sent")
    sent["required"].remove("name")
    sent["properties"]["word"]["enum"].append("c")
    sent["properties"]["count"]["minimum"] = 0
    sent["properties"]["name"].pop("maxLength")
    sent["properties"]["free"]["type"] = ["string", "null"]
    document["paths"]["/new"] = {"get": {"operationId": "new", "responses": {}}}
    document["components"]["schemas"]["New"] = {"type": "object"}
    document["webhooks"]["new"] = {"post": {"requestBody": {}, "responses": {}}}
    return document


def history():
    """The two breaks that happened, from the documents of then."""
    def show(commit):
        command = ["git", "show", f"{commit}:openapi/openapi.json"]
        shown = subprocess.run(command, cwd=HERE, capture_output=True, check=False)
        return json.loads(shown.stdout) if shown.returncode == 0 else None

    for commit, line in HAPPENED:
        before, after = show(f"{commit}^"), show(commit)
        if before is None or after is None:
            print(f"   NOT RUN: {commit} is not in this clone")
            continue
        found = breaks(before, after)
        assert any(told.startswith(line) for told in found), f"{commit}: {line!r} is not in {found}"


def main(path):
    with open(path, encoding="utf-8") as file:
        document = own(json.load(file))
    assert breaks(document, document) == []
    assert (found := breaks(document, grown(copy.deepcopy(document)))) == [], found
    count = 0
    for change, line in broken():
        new = copy.deepcopy(document)
        change(new)
        found = breaks(document, new)
        assert any(line in told for told in found), f"{line!r} is not in {found}"
        count += 1
    history()
    print(f"   {count} breaks are told, and additions are not")


if __name__ == "__main__":
    main(sys.argv[1])
