#!/usr/bin/env python3
"""Says what of an OpenAPI document breaks callers of an older one.

    check.py OLD NEW [EXCEPTIONS]

One line for each break, as `where: what`; nothing and exit code 0 where there is none. EXCEPTIONS holds such lines,
each reviewed, under the reason for it (`#`); one that no longer applies is an error, too. What counts as breaking, and
why, is in docs/api-changes.md; the rules are in rules.py (operations) and schemas.py (bodies).
"""

import json
import sys

from rules import breaks


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        stripped = (line.strip() for line in file)
        return [line for line in stripped if line and not line.startswith("#")]


def document(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(old, new, exceptions=None):
    found = breaks(document(old), document(new))
    excused = lines_of(exceptions) if exceptions else []
    unknown = [line for line in found if line not in excused]
    stale = [line for line in excused if line not in found]
    for line in unknown:
        print(f"breaks callers: {line}")
    for line in stale:
        print(f"excused, and does not happen: {line}")
    return 1 if unknown or stale else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
