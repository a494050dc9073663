#!/usr/bin/env python3
"""Checks the rooms of the house: each folder of src/ includes only what its row in docs/architecture.md lists."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `src/(\w+)/` \|.*\| ([^|]*) \|$")


def rooms():
    """folder -> folders it may include, from the table in docs/architecture.md."""
    allowed = {}
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        match = ROW.match(line)
        if match:
            allowed[match[1]] = {name for name in re.split(r"[,\s]+", match[2]) if name.isidentifier()}
    if "all" in allowed.get("cli", ()):
        allowed["cli"] = set(allowed)
    return allowed


def main():
    allowed = rooms()
    wrong = []
    for source in sorted((ROOT / "src").rglob("*")):
        if source.suffix not in (".h", ".cpp", ".cu", ".cuh"):
            continue
        folder = source.relative_to(ROOT / "src").parts[0]
        if folder not in allowed:
            wrong.append(f"{source}: folder {folder} has no row in docs/architecture.md")
            continue
        for number, line in enumerate(source.read_text().splitlines(), 1):
            match = re.match(r'\s*#include "(\w+)/', line)
            if match and match[1] != folder and match[1] not in allowed[folder]:
                wrong.append(f"{source.relative_to(ROOT)}:{number}: {folder} may not include {match[1]}")
    print("\n".join(wrong) or f"{len(allowed)} rooms, every include in its place")
    sys.exit(bool(wrong))


main()
