#!/usr/bin/env python3
"""Reads every C++ file of a build with clang, warnings as errors, without making objects.

    tests/clang_syntax.py build/cpu --but build/parsers
    tests/clang_syntax.py build/cuda --only /cuda/

The folder's compile_commands.json lists the files. --but leaves out those that another build has compiled with clang
already, --only takes those whose path holds a text. CUDA sources are left out.

Large headers of libraries are read once for all files with the same flags that include the same of them, so that no file
is given a header that it does not have.
"""
import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import cache

LARGE = ("gtest/gtest.h", "gmock/gmock.h", "nlohmann/json.hpp", "CLI/CLI.hpp", "spdlog/spdlog.h", "fmt/format.h")
FEW = 3  # files for which reading the headers ahead does not pay


def commands(folder):
    with open(os.path.join(folder, "compile_commands.json")) as file:
        return [entry for entry in json.load(file) if not entry["file"].endswith(".cu")]


def flags_of(entry):
    """The command's flags without compiler, source and output."""
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if os.path.basename(word) != "ccache")
    words = words[compiler + 1:]
    output = words.index("-o")
    del words[output:output + 2]
    source = words.index("-c")
    del words[source:source + 2]
    return tuple(words)


@cache
def includes(path):
    with open(path, errors="replace") as file:
        return re.findall(r'^#include ([<"])([^>"]+)[>"]', file.read(), flags=re.MULTILINE)


@cache
def large_headers(path, folders):
    """Those that a file includes, by itself or by headers of the project, in the order of LARGE."""
    seen, found, rest = set(), set(), [path]
    while rest:
        here = rest.pop()
        if here in seen:
            continue
        seen.add(here)
        for kind, name in includes(here):
            if name in LARGE:
                found.add(name)
            elif kind == '"':
                places = (os.path.join(folder, name) for folder in (os.path.dirname(here), *folders))
                rest.extend([place for place in places if os.path.exists(place)][:1])
    return tuple(name for name in LARGE if name in found)


def clang(words, folder):
    command = ["clang++", "-Wno-unknown-warning-option", *words]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return run.returncode == 0, run.stdout + run.stderr


def grouped(entries):
    groups = defaultdict(list)
    for entry in entries:
        flags = flags_of(entry)
        folders = tuple(flag[2:] for flag in flags if flag.startswith("-I"))
        groups[flags, large_headers(entry["file"], folders), entry["directory"]].append(entry["file"])
    return groups


def read(entries, threads):
    """Whether each file is without errors, and what clang says."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(threads) as pool:
        groups = grouped(entries)

        def read_ahead(number, flags, headers, folder):
            header = os.path.join(scratch, f"{number}.h")
            with open(header, "w") as file:
                file.writelines(f"#include <{name}>\n" for name in headers)
            ok, text = clang([*flags, "-x", "c++-header", header, "-o", header + ".pch"], folder)
            if not ok:
                sys.exit(f"clang cannot read {', '.join(headers)}:\n{text}")
            return ["-include-pch", header + ".pch"]

        ahead = {}
        for number, (key, files) in enumerate(groups.items()):
            flags, headers, folder = key
            if headers and len(files) > FEW:
                ahead[key] = pool.submit(read_ahead, number, flags, headers, folder)
        given = {key: ahead[key].result() if key in ahead else [] for key in groups}
        jobs = [
            pool.submit(clang, ["-fsyntax-only", *flags, *given[flags, headers, folder], file], folder)
            for (flags, headers, folder), files in groups.items()
            for file in files
        ]
        return [job.result() for job in jobs]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--but")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    compiled = {entry["file"] for entry in commands(options.but)} if options.but else set()
    entries = [entry for entry in commands(options.build)
               if entry["file"] not in compiled and options.only in entry["file"]]
    if not entries:
        sys.exit(f"{options.build}/compile_commands.json: lists no such C++ file")
    results = read(entries, len(os.sched_getaffinity(0)))
    for ok, text in results:
        if not ok:
            print(text, file=sys.stderr)
    failed = sum(not ok for ok, _ in results)
    print(f"{len(results)} files read with clang, {failed} of them with errors")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
