#!/usr/bin/env python3
"""Checks that a name finds everything that belongs to an op: an op declared in src/ops/NAME.h begins with NAME, and
NAME is found among the checks, the kernels of each backend, the tests and the benchmarks (docs/architecture.md)."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPS = ROOT / "src/ops"


def missing(contract, ops, rows):
    """What a contract's ops lack, one line each."""
    name = contract.stem
    lines = [f"{op} is declared in {contract.name}: its name must begin with {name}" for op in ops if not op.startswith(name)]
    files = {
        f"src/ops/{name}.cpp": (OPS / f"{name}.cpp").exists(),
        f"src/ops/reference/{name}.cpp": (OPS / f"reference/{name}.cpp").exists(),
        f"{name}*.cpp below src/ops/cpu": any((OPS / "cpu").rglob(f"{name}*.cpp")),
        f"{name}*.cu below src/ops/cuda": any((OPS / "cuda").rglob(f"{name}*.cu")),
        f"tests/ops/{name}_test.cpp": (ROOT / f"tests/ops/{name}_test.cpp").exists(),
    }
    lines += [f"{contract.name}: {file} is missing" for file, found in files.items() if not found]
    return lines + [f"{op}: no row in bench/ops" for op in ops if not re.search(rf"\b{op}\(", rows)]


def main():
    rows = "".join(bench.read_text() for bench in sorted((ROOT / "bench/ops").glob("*.cpp")))
    wrong, count = [], 0
    for contract in sorted(OPS.glob("*.h")):
        ops = re.findall(r"^FATHOM_OP\((\w+),", contract.read_text(), re.M)
        count += len(ops)
        if ops:
            wrong += missing(contract, ops, rows)
    print("\n".join(wrong) or f"{count} ops, each found by its name")
    sys.exit(bool(wrong))


main()
