"""Operations: what a new document breaks of an old one. Where both agree, or the new one has more, nothing is said."""

from schemas import Documents

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def breaks(old, new):
    """Every break, once, in the old document's order."""
    both = Documents(old, new)
    _operations(both)
    _webhooks(both)
    _names(both)
    return both.found


def _operations(both):
    for path, method, operation in _of(both.old.get("paths", {})):
        where = operation.get("operationId") or f"{method.upper()} {path}"
        new = both.new.get("paths", {}).get(path, {}).get(method)
        if new is None:
            both.tell(where, f"{method.upper()} {path} is gone")
            continue
        for what in ("operationId", "tags"):
            if operation.get(what) != new.get(what):
                both.tell(where, f"{what} {_plain(new.get(what))}, and was {_plain(operation.get(what))}")
        _parameters(both, where, operation, new)
        _request(both, where, operation, new)
        _responses(both, where, operation, new)


def _of(paths):
    for path, item in paths.items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _plain(value):
    return ", ".join(value) if isinstance(value, list) else value


def _parameters(both, where, old, new):
    before = [both.resolved(both.old, parameter)[1] for parameter in old.get("parameters", [])]
    after = [both.resolved(both.new, parameter)[1] for parameter in new.get("parameters", [])]
    named = {(parameter["in"], parameter["name"]): parameter for parameter in after}
    for parameter in before:
        place = f"{where} {parameter['name']}"
        found = named.get((parameter["in"], parameter["name"]))
        if found is None:
            both.tell(place, f"is gone from the {parameter['in']}")
            continue
        if found.get("required") and not parameter.get("required"):
            both.tell(place, "is required, and was not")
        both.compare(place, parameter.get("schema", {}), found.get("schema", {}), True)
    known = {(parameter["in"], parameter["name"]) for parameter in before}
    for parameter in after:
        if (parameter["in"], parameter["name"]) not in known and parameter.get("required"):
            both.tell(f"{where} {parameter['name']}", "is new and required")
    _order(both, where, before, after)


def _order(both, where, before, after):
    """Generated clients of many languages take parameters by position, the required first: who is put in front of
    another shifts it, and the types often fit all the same."""
    for needed in (True, False):
        first = [p["name"] for p in before if bool(p.get("required")) is needed]
        then = [p["name"] for p in after if bool(p.get("required")) is needed]
        first = [name for name in first if name in then]
        if then[: len(first)] != first:
            both.tell(where, f"parameters stand as {', '.join(then)}, and began with {', '.join(first)}")


def _request(both, where, old, new):
    _, before = both.resolved(both.old, old.get("requestBody"))
    _, after = both.resolved(both.new, new.get("requestBody"))
    if after.get("required") and not before.get("required"):
        both.tell(where, "needs a body, and did not")
    if before and not after:
        both.tell(where, "takes no body any more")
        return
    _content(both, f"{where} body", before, after, True)


def _responses(both, where, old, new):
    for status, response in old.get("responses", {}).items():
        _, before = both.resolved(both.old, response)
        _, after = both.resolved(both.new, new["responses"].get(status) or _default(status, new))
        if not after:
            both.tell(where, f"does not answer {status} any more")
            continue
        _content(both, f"{where} {status}", before, after, False)
        for name in before.get("headers", {}):
            if name not in after.get("headers", {}):
                both.tell(f"{where} {status}", f"has no header {name} any more")
    for status in new.get("responses", {}):
        if status.startswith(("2", "3")) and status not in old.get("responses", {}):
            both.tell(where, f"may answer {status}, and did not")


def _default(status, operation):
    """A refusal that is not listed by itself is among the others."""
    return operation["responses"].get("default") if status[0] in "45" else None


def _content(both, where, old, new, sent):
    for kind, media in old.get("content", {}).items():
        if kind not in new.get("content", {}):
            both.tell(where, f"is not {kind} any more")
            continue
        both.compare(where, media.get("schema", {}), new["content"][kind].get("schema", {}), sent)


def _webhooks(both):
    for name, method, operation in _of(both.old.get("webhooks", {})):
        new = both.new.get("webhooks", {}).get(name, {}).get(method)
        if new is None:
            both.tell(f"webhook {name}", "is gone")
            continue
        _, before = both.resolved(both.old, operation.get("requestBody"))
        _, after = both.resolved(both.new, new.get("requestBody"))
        # Consumers read what we send.
        _content(both, f"webhook {name}", before, after, False)


def _names(both):
    """Names of schemas are names of classes in generated clients."""
    after = both.new.get("components", {}).get("schemas", {})
    for name in both.old.get("components", {}).get("schemas", {}):
        if name not in after:
            both.tell(name, "no schema has that name any more")
