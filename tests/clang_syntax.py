#!/usr/bin/env python3
"""Reads every C++ file of a build with clang, warnings as errors, without making objects.

    tests/clang_syntax.py build/cpu --but build/parsers
    tests/clang_syntax.py build/cuda --only /cuda/

The folder's compile_commands.json lists the files. --but leaves out those that another build has compiled with clang
already, --only takes those whose path holds a text. CUDA sources are left out.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def commands(folder):
    with open(os.path.join(folder, "compile_commands.json")) as file:
        return [entry for entry in json.load(file) if not entry["file"].endswith(".cu")]


def syntax_only(command):
    """The same command for clang, without output; compiler launchers go, GCC's own warnings are not known."""
    words = shlex.split(command)
    compiler = next(i for i, word in enumerate(words) if os.path.basename(word) != "ccache")
    words = words[compiler + 1:]
    output = words.index("-o")
    del words[output:output + 2]
    words.remove("-c")
    return ["clang++", "-fsyntax-only", "-Wno-unknown-warning-option", *words]


def read(entry):
    run = subprocess.run(syntax_only(entry["command"]), cwd=entry["directory"], capture_output=True, text=True)
    return run.returncode == 0, run.stdout + run.stderr


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
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(read, entries))
    for ok, text in results:
        if not ok:
            print(text, file=sys.stderr)
    failed = sum(not ok for ok, _ in results)
    print(f"{len(results)} files read with clang, {failed} of them with errors")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
