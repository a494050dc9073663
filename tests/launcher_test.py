#!/usr/bin/env python3
"""tools/launch.py with a mpirun of our own that does what each test says."""

import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

LAUNCH = Path(__file__).resolve().parent.parent / "tools" / "launch.py"


class Launcher(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.output = self.root / "out"
        self.output.mkdir()
        self.log = self.root / "starts"

    def tearDown(self):
        self.folder.cleanup()

    def program(self, name, body):
        """A shell program in which $n is the number of its start, counted from 1, and `checkpoint S` makes one."""
        path = self.root / name
        path.write_text("#!/bin/bash\n" + textwrap.dedent(f"""
            echo "$*" >>{self.log}; n=$(grep -c "" {self.log})
            checkpoint() {{ mkdir -p {self.output}/step-$(printf %08d $1); }}
            """) + textwrap.dedent(body))
        path.chmod(0o755)
        return str(path)

    def launch(self, mpirun, *more, where=("--ranks", "2"), wait="0.01", first="0", command=None):
        command = command or ["fathom", "train", "--run.output", str(self.output)]
        return [sys.executable, str(LAUNCH), *where, "--wait", wait, "--first-seconds", first, "--mpirun", mpirun, *more, "--", *command]

    def run_launch(self, *args, **kwargs):
        done = subprocess.run(self.launch(*args, **kwargs), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr, self.log.read_text().splitlines() if self.log.exists() else []

    def test_a_run_that_ends_well_starts_once(self):
        code, _, starts = self.run_launch(self.program("m", "exit 0"))
        self.assertEqual((code, len(starts)), (0, 1))
        self.assertEqual(starts[0], f"-n 2 fathom train --run.output {self.output}")

    def test_resumes_from_the_newest_checkpoint(self):
        code, err, starts = self.run_launch(self.program("m", "[ $n = 4 ] && exit 0; checkpoint $((10 * n)); exit 1"), "--max-restarts", "1")
        self.assertEqual((code, len(starts)), (0, 4), err)
        self.assertNotIn("--resume", starts[0])
        self.assertTrue(all(start.endswith("--resume") for start in starts[1:]), starts)
        self.assertIn("again from step 30", err)

    def test_before_the_first_checkpoint_it_starts_from_the_beginning(self):
        code, _, starts = self.run_launch(self.program("m", "[ $n = 3 ] && exit 0; exit 137"))
        self.assertEqual((code, len(starts)), (0, 3))
        self.assertFalse(any("--resume" in start for start in starts))

    def test_restarts_without_progress_are_bounded(self):
        code, err, starts = self.run_launch(self.program("m", "[ $n -le 2 ] && checkpoint $n; exit 9"), "--max-restarts", "2")
        self.assertEqual((code, len(starts)), (9, 2 + 3), err)
        self.assertIn("giving up", err)

    def test_a_wrong_recipe_is_not_repeated(self):
        code, err, starts = self.run_launch(self.program("m", "exit 1"), first="30")
        self.assertEqual((code, len(starts)), (1, 1))
        self.assertIn("not repeated", err)

    def test_hosts_that_are_not_reached_are_left_out(self):
        agent = self.root / "agent"
        agent.write_text(f"#!/bin/bash\n[ $1 != b ] || [ ! -e {self.root}/lost ]\n")
        agent.chmod(0o755)
        mpirun = self.program("m", f"checkpoint $n; [ $n = 2 ] && exit 0; touch {self.root}/lost; exit 1")
        code, err, starts = self.run_launch(mpirun, "--agent", str(agent), where=("--hosts", "a:4,b:2"))
        self.assertEqual(code, 0, err)
        self.assertIn("-host a:4,b:2 -n 6 ", starts[0])
        self.assertIn("-host a:4 -n 4 ", starts[1])
        self.assertIn("b is not reached", err)

    def test_a_mpirun_that_does_not_end_after_an_error_is_killed(self):
        mpirun = self.program("m", """
            [ $n = 2 ] && exit 0
            checkpoint 5; echo 'fathom: rank 0 of 2 on a: waited in vain for rank 1 on b' >&2
            exec sleep 1000""")
        code, err, starts = self.run_launch(mpirun, "--end-seconds", "0.2")
        self.assertEqual((code, len(starts)), (0, 2), err)
        self.assertIn("waited in vain for rank 1 on b", err)
        self.assertIn("it is killed", err)
        self.assertIn("again from step 5", err)

    def test_signals_ask_the_ranks_to_finish_and_start_nothing_more(self):
        mpirun = self.program("m", f"trap 'echo asked >>{self.root}/asked; exit 0' USR1; while :; do sleep 0.05; done")
        for number in (signal.SIGTERM, signal.SIGINT):
            running = subprocess.Popen(self.launch(mpirun), stderr=subprocess.DEVNULL)
            starts = 1 if number == signal.SIGTERM else 2
            while not self.log.exists() or len(self.log.read_text().splitlines()) < starts:
                time.sleep(0.05)
            time.sleep(0.2)  # its trap
            running.send_signal(number)
            self.assertEqual(running.wait(timeout=30), 0)
        self.assertEqual((self.root / "asked").read_text().count("asked"), 2)
        self.assertEqual(len(self.log.read_text().splitlines()), 2)

    def test_the_output_is_found_in_flags_and_recipe(self):
        recipe = self.root / "r.toml"
        recipe.write_text(f'[run]\noutput = "{self.output}"\n')
        mpirun = self.program("m", "[ $n = 2 ] && exit 0; checkpoint 5; exit 1")
        code, err, starts = self.run_launch(mpirun, command=["fathom", "train", f"--config={recipe}"])
        self.assertEqual((code, len(starts)), (0, 2), err)
        self.assertTrue(starts[1].endswith("--resume"))
        code, err, _ = self.run_launch(mpirun, command=["fathom", "train", "--batch.sequences", "8"])
        self.assertEqual(code, 1)
        self.assertIn("no run.output", err)

    def test_wrong_arguments_are_named(self):
        for where, said in ((("--hosts", "a"), "'a' is no NAME:RANKS"), (("--ranks", "0"), "0 is less than 1")):
            code, err, starts = self.run_launch("mpirun", where=where)
            self.assertEqual(code, 2)
            self.assertIn(said, err)
            self.assertEqual(starts, [])


if __name__ == "__main__":
    unittest.main()
