#!/usr/bin/env python3
"""Starts a training run on several ranks, and again from its newest checkpoint when a rank or a host is lost.

    tools/launch.py --ranks 4 -- build/cpu/fathom train --config run.toml
    tools/launch.py --hosts a:8,b:8,c:8 --max-restarts 5 -- build/cuda/fathom train --config run.toml

Hosts that the remote shell does not reach are left out of the next start; the plan of the recipe ([parallel]) must divide the
ranks that remain. A restart that brought no newer checkpoint counts: after --max-restarts of them in a row the launcher gives up,
and so it does at once when the very first start fails within --first-seconds, as a wrong recipe does. SIGINT and SIGTERM ask the
ranks to finish their step and to write a checkpoint. Where mpirun has not ended --end-seconds after the error of a rank, it is
killed: it waits for ever for a host that it does not reach.
"""

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import tomllib

PROBE_SECONDS = 15
LAST_WORDS = re.compile(rb"fathom: rank \d+ of \d+ on ")


def say(text):
    print(f"launch: {text}", file=sys.stderr, flush=True)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--ranks", type=int, help="on this machine")
    where.add_argument("--hosts", help="a:8,b:8: names and their ranks")
    parser.add_argument("--max-restarts", type=int, default=3, help="in a row without a newer checkpoint [3]")
    parser.add_argument("--first-seconds", type=float, default=10, help="a first start that fails sooner is not repeated [10]")
    parser.add_argument("--wait", type=float, default=5, help="seconds before a restart, doubled each time in a row [5]")
    parser.add_argument("--end-seconds", type=float, default=15, help="that mpirun has for its end after an error of a rank [15]")
    parser.add_argument("--agent", default="ssh", help="the remote shell: AGENT HOST COMMAND [ssh]")
    parser.add_argument("--mpirun", default="mpirun", help="mpirun and options for it, as one text [mpirun]")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- fathom train ...")
    args = parser.parse_args()
    args.command = args.command[args.command[:1] == ["--"]:]
    if len(args.command) < 2 or "train" not in args.command:
        parser.error("the command is missing: -- fathom train --config recipe.toml")
    args.slots = [host.rpartition(":") for host in args.hosts.split(",")] if args.hosts else []
    for name, colon, slots in args.slots:
        if not (name and colon and slots.isdigit() and int(slots) > 0):
            parser.error(f"--hosts: '{name}{colon}{slots}' is no NAME:RANKS")
    if args.ranks is not None and args.ranks < 1:
        parser.error(f"--ranks: {args.ranks} is less than 1")
    return args


def output_folder(command):
    """run.output of the flags, else of the recipe."""
    output = config = None
    for flag, value in zip(command, command[1:] + [""]):
        for name in ("--run.output", "--config"):
            if flag == name or flag.startswith(name + "="):
                text = value if flag == name else flag[len(name) + 1:]
                output, config = (text, config) if name == "--run.output" else (output, text)
    if output is None and config is not None:
        with open(config, "rb") as file:
            output = tomllib.load(file).get("run", {}).get("output")
    if output is None:
        sys.exit("launch: no run.output, neither as a flag nor in the recipe: it says where checkpoints are")
    return output


def newest_checkpoint(output):
    """The step of the newest checkpoint, -1 without one."""
    names = os.listdir(output) if os.path.isdir(output) else []
    return max((int(m[1]) for m in (re.fullmatch(r"step-(\d+)", name) for name in names) if m), default=-1)


def reached(args, host):
    try:
        return subprocess.run([*shlex.split(args.agent), host, "true"], timeout=PROBE_SECONDS,
                              stdin=subprocess.DEVNULL).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def mpirun(args):
    """The command line for the hosts that are there."""
    line = shlex.split(args.mpirun)
    if not args.slots:
        return [*line, "-n", str(args.ranks)]
    there = [(name, slots) for name, _, slots in args.slots if reached(args, name)]
    for name, _, _ in args.slots:
        if name not in (n for n, _ in there):
            say(f"{name} is not reached: it is left out")
    if not there:
        sys.exit("launch: none of the hosts is reached")
    return [*line, "--mca", "plm_rsh_agent", args.agent, "-host", ",".join(f"{n}:{s}" for n, s in there),
            "-n", str(sum(int(s) for _, s in there))]


class Launcher:
    def __init__(self, args):
        self.args, self.stopping, self.child, self.last_words = args, False, None, None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)

    def stop(self, *_):
        self.stopping = True
        if self.child:
            self.child.send_signal(signal.SIGUSR1)  # mpirun passes it on, and does not end by it

    def run(self, resume):
        command = [*mpirun(self.args), *self.args.command]
        if resume and "--resume" not in command and "--resume-with" not in command:
            command.append("--resume")
        if self.stopping:
            return 130
        say(shlex.join(command))
        self.last_words = None
        self.child = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)  # Ctrl-C reaches the launcher alone
        reader = threading.Thread(target=self.pass_on, args=(self.child.stderr,), daemon=True)
        reader.start()
        if self.stopping:
            self.stop()
        code = self.end_of(self.child)
        reader.join(timeout=2)  # what a host that is not reached holds open says nothing more
        return code

    def pass_on(self, stderr):
        for line in stderr:
            sys.stderr.buffer.write(line)
            sys.stderr.flush()
            if LAST_WORDS.match(line):
                self.last_words = time.monotonic()

    def end_of(self, child):
        while True:
            try:
                return child.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                if self.last_words and time.monotonic() - self.last_words > self.args.end_seconds:
                    say(f"mpirun has not ended {self.args.end_seconds:g} s after an error: it is killed")
                    child.kill()  # the ranks that are still reached end with it
                    return child.wait()

    def go(self):
        output = output_folder(self.args.command)
        first, in_a_row = True, 0
        while True:
            before, start = newest_checkpoint(output), time.monotonic()
            code = self.run(resume=not first and before >= 0)
            if code == 0 or self.stopping:
                return code
            after = newest_checkpoint(output)
            if first and after <= before and time.monotonic() - start < self.args.first_seconds:
                say(f"the first start failed at once (exit code {code}): it is not repeated")
                return code
            first, in_a_row = False, 0 if after > before else in_a_row + 1
            if in_a_row > self.args.max_restarts:
                say(f"{in_a_row} starts in a row brought no newer checkpoint: giving up (exit code {code})")
                return code
            pause = self.args.wait * 2 ** max(in_a_row - 1, 0)
            say(f"exit code {code}; again from {f'step {after}' if after >= 0 else 'the beginning'} in {pause:g} s")
            deadline = time.monotonic() + pause
            while time.monotonic() < deadline and not self.stopping:
                time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(min(abs(Launcher(options()).go()), 255))
