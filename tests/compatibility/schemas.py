"""Bodies: what one schema breaks of another, for what callers send and for what they are answered.

A caller who sends is broken by what is no longer accepted; one who reads, by what is no longer there and by new words
in a closed set.
"""

# What callers send may get wider, and what they read narrower; None is without a limit.
LOWER, UPPER = ("minimum", "minLength", "minItems"), ("maximum", "maxLength", "maxItems")


class Documents:
    """An old and a new document, and what was compared in them."""

    def __init__(self, old, new):
        self.old, self.new = old, new
        self.found = []
        self._done = set()

    def tell(self, where, what):
        line = f"{where}: {what}"
        if line not in self.found:
            self.found.append(line)

    def resolved(self, document, schema):
        """The schema behind references, and the name of the last."""
        name = None
        while schema and "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            schema = _at(document, schema["$ref"])
        return name, schema or {}

    def compare(self, where, old, new, sent):
        """Compares what is sent, or read, at that place."""
        old_name, old = self.resolved(self.old, old)
        new_name, new = self.resolved(self.new, new)
        if old_name and new_name:
            if old_name != new_name:
                self.tell(where, f"is a {new_name}, and was a {old_name}")
            where = new_name
        key = (where, sent)
        if new_name and key in self._done:
            return
        self._done.add(key)
        self._types(where, old, new, sent)
        self._words(where, old, new, sent)
        self._limits(where, old, new, sent)
        self._members(where, old, new, sent)
        for part in ("items", "additionalProperties"):
            if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
                self.compare(f"{where}[]" if part == "items" else f"{where}.*", old[part], new[part], sent)
        if sent and old.get("additionalProperties", True) is not False and new.get("additionalProperties") is False:
            if "properties" not in old:
                self.tell(where, "takes no other members any more")
        for part in ("allOf", "oneOf", "anyOf"):
            self._parts(where, old.get(part, []), new.get(part, []), sent, part)

    def _types(self, where, old, new, sent):
        before, after = _set(old.get("type")), _set(new.get("type"))
        # Callers may send more, and read less.
        fits = before <= after if sent else after <= before
        if not fits or bool(before) != bool(after):
            self.tell(where, f"type {_listed(after)}, and was {_listed(before)}")
        if old.get("format") and new.get("format") != old["format"]:
            self.tell(where, f"format {new.get('format', 'none')}, and was {old['format']}")

    def _words(self, where, old, new, sent):
        before, after = old.get("enum", _constant(old)), new.get("enum", _constant(new))
        if sent and after is not None:
            if before is None:
                self.tell(where, "takes only certain words, and took any")
            for word in before or []:
                if word not in after:
                    self.tell(where, f"does not take {word!r} any more")
        if not sent and before is not None:
            if after is None:
                self.tell(where, "is any word, and was one of a closed set")
            for word in after or []:
                if word not in before:
                    self.tell(where, f"may be {word!r}, and its set of words was closed")

    def _limits(self, where, old, new, sent):
        if not sent:
            return
        for names, tighter in ((LOWER, max), (UPPER, min)):
            for name in names:
                before, after = old.get(name), new.get(name)
                if after is not None and after != before and (before is None or tighter(before, after) == after):
                    self.tell(where, f"{name} is {after}, and was {'none' if before is None else before}")
        if new.get("pattern") and new["pattern"] != old.get("pattern"):
            self.tell(where, "has another pattern")

    def _members(self, where, old, new, sent):
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed = set(old.get("required", [])), set(new.get("required", []))
        for name in before:
            if name not in after:
                self.tell(f"{where}.{name}", "is gone")
                continue
            self.compare(f"{where}.{name}", before[name], after[name], sent)
            if sent and name in needed - needed_before:
                self.tell(f"{where}.{name}", "is required, and was not")
            if not sent and name in needed_before - needed:
                self.tell(f"{where}.{name}", "may be absent, and was always there")
        for name in after:
            if sent and name not in before and name in needed:
                self.tell(f"{where}.{name}", "is new and required")

    def _parts(self, where, old, new, sent, part):
        if len(old) != len(new):
            self.tell(where, f"has {len(new)} parts in {part}, and had {len(old)}")
        for before, after in zip(old, new):
            self.compare(where, before, after, sent)


def _constant(schema):
    return [schema["const"]] if "const" in schema else None


def _set(value):
    if value is None:
        return frozenset()
    return frozenset([value] if isinstance(value, str) else value)


def _listed(values):
    return " or ".join(sorted(values)) or "none"


def _at(document, reference):
    for step in reference.removeprefix("#/").split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document
