#!/usr/bin/env python3
"""Opens a page of `fathom report` in Chromium and compares what it draws with the runs' files.

    python tools/page_check.py PAGE RUN... [--pictures DIR]

RUN... are the folders that the page was made from, in its order. Needs `playwright` (PyPI) and a Chromium (its own, or
the distribution's); where they are not there it says so and exits with 77. --pictures keeps pictures of the page.
"""

import argparse
import json
import math
from pathlib import Path

from browser_page import PageCheck, opened, take_pictures


def lines_of(path):
    """Whole lines; of steps that were written again the later ones."""
    lines = []
    if not path.exists():
        return lines
    for text in path.read_text().split("\n")[:-1]:
        line = json.loads(text)
        while lines and lines[-1]["step"] > line["step"]:
            lines.pop()
        lines.append(line)
    return lines


def number_in(text):
    """The first number of "4.123 (4.1 to 4.2) at step 7" or "1.5K"."""
    digits = text.split()[0].rstrip("\u00d7%")
    factor = {"K": 1e3, "M": 1e6, "B": 1e9}.get(digits[-1], 1)
    return float(digits[:-1] if factor > 1 else digits) * factor


class Check(PageCheck):
    def __init__(self, page, runs):
        super().__init__(page)
        self.runs = runs

    def expect_close(self, drawn, value, what, tolerance=1e-3):
        """The page shows four digits, but three where a power of ten stands behind them."""
        close = math.isclose(drawn, value, rel_tol=max(tolerance, 5e-3 if value < 0.01 else 0))
        self.expect(close, f"{what}: {drawn} drawn, {value} in the file")

    def series(self):
        return self.page.eval_on_selector_all("[data-series]", "cards => cards.map(card => card.dataset.series)")

    def card(self, name):
        return self.page.locator("[data-series]").nth(self.series().index(name))

    def canvas(self, name):
        return self.card(name).locator("canvas")

    def pixels(self, locator):
        return locator.evaluate("canvas => canvas.toDataURL()")

    def key(self, name, key):
        canvas = self.canvas(name)
        canvas.focus()
        canvas.press(key)
        return self.card(name).locator(".tip").inner_text()

    def every_value_has_a_chart(self):
        logged = {name for run in self.runs for line in lines_of(run / "metrics.jsonl") for name in line}
        drawn = set(self.series())
        self.expect(drawn == logged - {"step", "time", "tokens", "targets", "anomaly"}, f"charts of {sorted(drawn)}")
        for name in drawn:
            size = self.canvas(name).evaluate("canvas => [canvas.width, canvas.height]")
            colors = self.canvas(name).evaluate("""canvas => new Set(new Uint32Array(canvas.getContext('2d')
                .getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size""")
            self.expect(min(size) > 100 and colors > 5, f"{name}: {size} pixels in {colors} colours")

    def ends_of_curves(self):
        """The first and the last value under the cursor, of the first run."""
        longest = max(self.runs, key=lambda run: lines_of(run / "metrics.jsonl")[-1]["step"])
        for name in ("loss", "grad_norm", "lr", "tokens_per_second"):
            values = [line[name] for line in lines_of(longest / "metrics.jsonl") if line.get(name) is not None]
            for key, value in (("End", values[-1]), ("Home", values[0])):
                text = self.key(name, key)
                mine = [line for line in text.split("\n") if line.endswith(longest.name)] or [text]
                if "to" in mine[0].split("at")[0]:
                    continue  # a bucket of several steps
                self.expect_close(number_in(mine[0]), value, f"{name} at {key}")
        self.page.keyboard.press("Tab")

    def switches(self):
        canvas = self.canvas("loss")
        before = self.pixels(canvas)
        for switch in ("#log", "#outliers"):
            self.page.check(switch)
            self.expect(self.pixels(canvas) != before or switch == "#outliers", f"{switch} changes nothing")
            self.page.uncheck(switch)
            self.expect(self.pixels(canvas) == before, f"{switch} cannot be taken back")
        self.page.locator("#smoothing").fill("0.9")
        self.expect(self.pixels(canvas) != before, "smoothing changes nothing")
        self.page.locator("#smoothing").fill("0")
        for axis in ("tokens", "time", "step"):
            self.page.select_option("#axis", axis)
        self.expect(self.pixels(canvas) == before, "the axis cannot be taken back")

    def zoom(self):
        canvas = self.canvas("loss")
        canvas.scroll_into_view_if_needed()
        before, box = self.pixels(canvas), canvas.bounding_box()
        self.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 80)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 90, steps=4)
        self.page.mouse.up()
        self.page.mouse.move(1, 1)
        zoomed = self.pixels(canvas)
        self.expect(zoomed != before, "a drag does not zoom")
        self.page.click("#reset")
        self.expect(self.pixels(canvas) == before, "the zoom cannot be reset")

    def heat_map(self):
        """The cell under the cursor, of the first run's first layer."""
        lines = lines_of(self.runs[0] / "expert_load.jsonl")
        if not lines:
            return
        canvas, tip = self.page.locator(".heat > canvas"), self.page.locator(".heat .tip")
        canvas.focus()
        canvas.press("ArrowLeft")
        choices = lines[0]["expert_choices"][0]
        # The page's codes are 24 to an octave, and it shows three digits.
        self.expect_close(number_in(tip.inner_text()), max(choices) * len(choices) / sum(choices), "the first load",
                          tolerance=2 ** (0.5 / 24) - 1 + 0.005)

    def rollouts(self):
        """The newest questions, and their answers, the best first."""
        of_runs = [lines for run in self.runs if (lines := lines_of(run / "rollouts.jsonl"))]
        cards = self.page.locator(".rollout")
        self.expect((cards.count() > 0) == bool(of_runs), f"{cards.count()} questions shown, {len(of_runs)} runs have some")
        if not of_runs or not cards.count():
            return
        lines = max(of_runs, key=lambda lines: lines[-1]["step"])
        newest = lines[-1]["step"]
        text = cards.first.inner_text()
        self.expect(f"step {newest}" in text, f"the first question is of another step than {newest}: {text[:80]!r}")
        own = [line for line in lines if line["step"] == newest and line["prompt"] == lines[-1]["prompt"]]
        best = max(own, key=lambda line: -math.inf if line["reward"] is None else line["reward"])
        shown = [cell.strip() for cell in cards.first.locator("td.answer").all_inner_texts()]
        self.expect(shown and shown[0] in {line["answer"].strip() for line in own}, f"no answer of the file: {shown[:1]}")
        rewards = cards.first.locator("tbody tr td:first-child").all_inner_texts()
        if best["reward"] is not None and rewards:
            self.expect_close(number_in(rewards[0]), best["reward"], "the best reward")

    def roll_backs(self):
        shown = self.page.locator("#rollbacks li").all_inner_texts()
        files = [json.loads(path.read_text()) for path in (run / "run.json" for run in self.runs) if path.exists()]
        want = [one for file in files for one in file.get("rollbacks", [])]
        self.expect(len(shown) == len(want), f"{len(shown)} roll-backs shown, {len(want)} in the files")
        for text, one in zip(shown, want):
            for part in (f"from step {one['step']} ", f"of step {one['to']}: ", one["why"].split("\u2028")[0]):
                self.expect(part in text, f"roll-back {one} is shown as {text!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    with opened(arguments.page) as page:
        check = Check(page, arguments.runs)
        check.run(check.every_value_has_a_chart, check.ends_of_curves, check.switches, check.zoom, check.heat_map,
                  check.roll_backs, check.rollouts, check.fits_a_phone)
        if arguments.pictures:
            take_pictures(page, arguments.pictures, "report")
    check.finish(arguments.page)


main()
