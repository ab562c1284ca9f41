"""Makes the collections of requests from the document.

    openapi/collections/make.py            # writes postman.json and bruno/
    openapi/collections/make.py --check    # fails where they are not what it would write

Standard library only; the same document makes the same bytes. `url` and `token` are variables; no value of a secret is
in a collection.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
METHODS = ("get", "put", "post", "patch", "delete")
WORDS = {"string": "string", "integer": 1, "number": 1, "boolean": True}


def sample(schemas, schema, depth=0):
    """A value of a schema: its example, its first word, or its required members (all, where none is)."""
    if "$ref" in schema:
        return sample(schemas, schemas[schema["$ref"].rsplit("/", 1)[-1]], depth)
    for member in ("example", "const", "default"):
        if member in schema:
            return schema[member]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            return sample(schemas, schema[several][0], depth)
    if schema.get("type") == "array":
        return [sample(schemas, schema["items"], depth + 1)] if "items" in schema and depth < 4 else []
    if schema.get("type") == "object" or "properties" in schema:
        names = schema.get("required") or ([] if depth else list(schema.get("properties", {})))
        return {name: sample(schemas, schema["properties"][name], depth + 1) for name in names}
    if schema.get("format") == "date-time":
        return "2026-07-01T00:00:00Z"
    return schema.get("minimum", WORDS.get(schema.get("type"), "string"))


def operations(document):
    """Each operation: its tag, id, summary, method, path, parameters, and the type and an example of its body."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            content = operation.get("requestBody", {}).get("content", {})
            kind, body = next(iter(content.items()), (None, {}))
            example = sample(document["components"]["schemas"], body["schema"]) if kind else None
            if operation["operationId"].endswith("image_cache") and isinstance(example, dict) and "images" in example:
                example["images"] = ["registry.example.com/web:1"]
            yield {
                "tag": operation["tags"][0], "id": operation["operationId"], "summary": operation["summary"],
                "method": method, "path": path, "kind": kind, "body": example,
                "path_names": [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"],
                "query": [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"],
                "open": operation.get("security") == [],
            }


def postman(document):
    """The collection of Postman, format 2.1."""
    folders = {}
    for one in operations(document):
        path = one["path"]
        for name in one["path_names"]:
            path = path.replace("{" + name + "}", ":" + name)
        url = {"raw": "{{url}}" + path, "host": ["{{url}}"], "path": path.strip("/").split("/")}
        if one["path_names"]:
            url["variable"] = [{"key": name, "value": ""} for name in one["path_names"]]
        if one["query"]:
            url["query"] = [{"key": name, "value": "", "disabled": True} for name in one["query"]]
        request = {"method": one["method"].upper(), "header": [], "url": url}
        if one["open"]:
            request["auth"] = {"type": "noauth"}
        if one["kind"] == "application/x-www-form-urlencoded":
            pairs = [{"key": name, "value": str(value)} for name, value in one["body"].items()]
            request["body"] = {"mode": "urlencoded", "urlencoded": pairs}
        elif one["kind"]:
            request["header"].append({"key": "Content-Type", "value": one["kind"]})
            raw = json.dumps(one["body"], indent=2, ensure_ascii=False)
            request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
        folders.setdefault(one["tag"], []).append({"name": one["summary"], "request": request, "response": []})
    bearer = [{"key": "token", "value": "{{token}}", "type": "string"}]
    collection = {
        "info": {"name": document["info"]["title"], "version": document["info"]["version"], "schema": SCHEMA},
        "auth": {"type": "bearer", "bearer": bearer},
        "variable": [{"key": "url", "value": "http://127.0.0.1:8080"}, {"key": "token", "value": ""}],
        "item": [{"name": tag, "item": items} for tag, items in folders.items()],
    }
    return json.dumps(collection, indent=2, ensure_ascii=False) + "\n"


def block(name, lines):
    """A block of the language of Bruno."""
    return f"{name} {{\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def bruno(document):
    """The files of the Bruno collection, by path."""
    files = {"bruno.json": json.dumps({"version": "1", "name": document["info"]["title"], "type": "collection"}) + "\n"}
    files["environments/local.bru"] = block("vars", ["url: http://127.0.0.1:8080"]) + "vars:secret [\n  token\n]\n"
    files["collection.bru"] = block("auth", ["mode: bearer"]) + "\n" + block("auth:bearer", ["token: {{token}}"])
    for number, one in enumerate(operations(document), 1):
        path = one["path"]
        for name in one["path_names"]:
            path = path.replace("{" + name + "}", ":" + name)
        kind = {None: "none", "application/x-www-form-urlencoded": "formUrlEncoded"}.get(one["kind"], "json")
        auth = "none" if one["open"] else "inherit"
        parts = [
            block("meta", [f"name: {one['id']}", "type: http", f"seq: {number}"]),
            block(one["method"], ["url: {{url}}" + path, f"body: {kind}", f"auth: {auth}"]),
        ]
        if one["query"]:
            parts.append(block("params:query", [f"~{name}: " for name in one["query"]]))
        if one["path_names"]:
            parts.append(block("params:path", [f"{name}: " for name in one["path_names"]]))
        if kind == "formUrlEncoded":
            parts.append(block("body:form-urlencoded", [f"{name}: {value}" for name, value in one["body"].items()]))
        elif kind == "json":
            raw = json.dumps(one["body"], indent=2, ensure_ascii=False)
            parts.append(block("body:json", raw.splitlines()))
        files[f"{one['tag']}/{one['id']}.bru"] = "\n".join(parts)
    return files


def main(check):
    """Writes, or compares."""
    document = json.loads((HERE.parent / "openapi.json").read_text(encoding="utf-8"))
    files = {"postman.json": postman(document)}
    files |= {f"bruno/{name}": text for name, text in bruno(document).items()}
    there = {str(path.relative_to(HERE)) for path in HERE.glob("bruno/**/*") if path.is_file()} | {"postman.json"}
    if check:
        wrong = [name for name in sorted(there | set(files)) if not same(HERE / name, files.get(name))]
        sys.exit(f"not what make.py makes: {', '.join(wrong)}" if wrong else None)
    for name in there - set(files):
        (HERE / name).unlink()
    for name, text in files.items():
        (HERE / name).parent.mkdir(parents=True, exist_ok=True)
        (HERE / name).write_text(text, encoding="utf-8")


def same(path, text):
    """Whether a file has this text."""
    return text is not None and path.is_file() and path.read_text(encoding="utf-8") == text


main("--check" in sys.argv[1:])
