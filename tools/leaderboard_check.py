#!/usr/bin/env python3
"""Opens a page of `fathom compare --html` in Chromium and compares what it shows with what `fathom compare --json` says.

    fathom compare RUN... --html PAGE --json > comparison.json
    python tools/leaderboard_check.py PAGE comparison.json [--pictures DIR]

Needs what page_check.py needs; without it it says so and exits with 77. --pictures keeps pictures of the page.
"""

import argparse
import json
from pathlib import Path

from browser_page import PageCheck, opened, take_pictures

SCALES = {"share": (100, 2), "bits": (1, 4), "rating": (1, 3)}


def text_of(unit, value):
    scale, digits = SCALES[unit]
    return f"{scale * value:.{digits}f}"


class Check(PageCheck):
    def __init__(self, page, comparison):
        super().__init__(page)
        self.comparison = comparison
        self.models = [model["name"] for model in comparison["models"]]
        self.headlines = [m for m in comparison["measures"] if m.get("headline")]

    def expect_close(self, shown, value, unit, what):
        """The page's numbers have seven digits, which may round the other way."""
        scale, digits = SCALES[unit]
        self.expect(abs(float(shown) - scale * value) <= 0.51 * 10**-digits + 1e-6 * abs(scale * value),
                    f"{what}: {shown} shown, {text_of(unit, value)} in the comparison")

    def cells(self):
        """Rows of the leaderboard: the name, and each cell's text."""
        return self.page.eval_on_selector_all("#board tbody tr", """rows => rows.map(row => [...row.cells].map(cell =>
            cell.innerText.trim()))""")

    def leaderboard(self):
        heads = self.page.locator("#board thead th").all_inner_texts()
        self.expect(len(heads) == 1 + len(self.headlines), f"columns: {heads}")
        rows = self.cells()
        for i, model in enumerate(self.models):
            self.expect(rows[i][0].split("\n")[0] == model, f"row {i} is of {rows[i][0]!r}, not {model}")
            for measure, cell in zip(self.headlines, rows[i][1:]):
                value = measure["values"][i]
                if value is None:
                    self.expect(cell == "\u2013", f"{model} has no {measure['task']}, and {cell!r} is shown")
                    continue
                self.expect_close(cell.split()[0], value["value"], measure["unit"], f"{model}, {measure['task']}")
                if "low" in value:
                    low, high = cell[cell.index("[") + 1:cell.index("]")].split(", ")
                    self.expect_close(low, value["low"], measure["unit"], f"{model}, {measure['task']}, low")
                    self.expect_close(high, value["high"], measure["unit"], f"{model}, {measure['task']}, high")
        shown = [row[0].split("\n")[0] for row in rows[len(self.models):]]
        expected = {p["name"] for k, p in enumerate(self.comparison["published_models"])
                    if any(c["model"] == k for m in self.headlines for c in m.get("published", []))}
        self.expect(set(shown) == expected, f"published models: {shown}, expected {expected}")

    def sorting(self):
        for k, measure in enumerate(self.headlines):
            self.page.locator("#board thead button").nth(k).click()
            shown = [row[0].split("\n")[0] for row in self.cells()[:len(self.models)]]
            values = [measure["values"][self.models.index(name)] for name in shown]
            known = [value["value"] for value in values if value]
            best_first = sorted(known, reverse=measure["unit"] != "bits")
            self.expect(known == best_first, f"sorted by {measure['task']}: {known}")
            self.expect(all(v is None for v in values[len(known):]), f"{measure['task']}: empty cells stand last")
        head = self.page.locator("#board thead button").first
        head.focus()
        before = self.cells()
        head.press("Enter")
        head.press("Enter")
        self.expect(len(before) == len(self.cells()), "rows are lost by sorting")
        self.page.reload()

    def difference_of(self, measure, base, other):
        for a, b, d in measure.get("pairs", []):
            if {a, b} == {base, other}:
                sign = 1 if a == base else -1
                return {**d, "difference": sign * d["difference"], "holm": d["holm"][base != a] if "holm" in d else None}
        return None

    def details(self):
        """The panel of a cell, and marks beside what is significant, for every baseline."""
        if len(self.models) < 2:
            return
        for base in range(min(len(self.models), 3)):
            self.page.select_option("#baseline", str(base))
            other = 1 if base == 0 else 0
            for k, measure in enumerate(self.headlines):
                d = self.difference_of(measure, base, other)
                cell = self.page.locator(f"#board tbody tr:nth-child({other + 1}) td:nth-child({k + 2})")
                if d is None or not cell.locator("button").count():
                    continue
                cell.locator("button").click()
                facts = self.page.locator("#detail").inner_text()
                self.expect(measure["test"] in facts, f"{measure['task']}: {measure['test']} is not named: {facts!r}")
                self.expect((f"{d['p']:.4f}" if d["p"] >= 1e-4 else "<0.0001") in facts, f"{measure['task']}: p of {d}: {facts!r}")
                marked = [mark for mark in "\u25b2\u25bc\u25b3\u25bd" if mark in cell.inner_text()]
                self.expect(bool(marked) == (d["p"] < 0.05 and d["difference"] != 0), f"{measure['task']}: {marked} for {d}")
                if marked and d["holm"] is not None:
                    self.expect((marked[0] in "\u25b2\u25bc") == (d["holm"] < 0.05), f"{measure['task']}: {marked} for {d}")
        self.page.select_option("#baseline", str(self.comparison["baseline"]))

    def tasks(self):
        for task in {m["task"] for m in self.comparison["measures"]}:
            self.page.select_option("#task-choice", task)
            shown = self.page.locator("#pairs tbody tr.group").count()
            own = [m for m in self.comparison["measures"] if m["task"] == task and not m["over"].startswith("subject ")]
            self.expect(shown == len(own), f"{task}: {shown} averages are shown of {len(own)}")
            rows = self.page.locator("#pairs tbody tr:not(.group)").count()
            self.expect(rows == sum(v is not None for m in own for v in m["values"]), f"{task}: {rows} rows")

    def metrics(self):
        for metric in {m["metric"] for m in self.comparison["measures"] if m["task"] != "macro average"}:
            self.page.select_option("#metric", metric)
            tasks = {m["task"] for m in self.comparison["measures"] if m["metric"] == metric}
            shown = self.page.locator("#board thead button").all_inner_texts()
            self.expect({text.split("\n")[0] for text in shown} == tasks, f"columns by {metric}: {shown}")
        self.page.select_option("#metric", "")

    def items(self):
        """How many differ, what the filters do, and that what models wrote is text."""
        section = self.page.locator("#items")
        if section.is_hidden():
            self.expect(len(self.models) < 2 or not any(m.get("pairs") for m in self.comparison["measures"]
                                                        if m["task"] != "macro average"), "no items are shown")
            return
        for task in self.page.locator("#item-task option").all_inner_texts():
            self.page.select_option("#item-task", task)
            measure = next(m for m in self.headlines if m["task"] == task)
            first, second = (int(self.page.locator(f"#item-{name}").input_value()) for name in ("first", "second"))
            pair = self.difference_of(measure, first, second)
            said = self.page.locator("#item-count").inner_text()
            if pair and "only_first" in pair:
                n = pair["only_first"] + pair["only_second"]
                self.expect(f"They differ in {n} items" in said, f"{task}: {said!r}, expected {n}")
            here = int(said.split(" of them are in this page")[0].split()[-1])
            counts = []
            for better in ("first", "second", ""):
                self.page.select_option("#item-better", better)
                more = self.page.locator("#item-cards > button")
                if more.count():
                    more.click()
                counts.append(self.page.locator("#item-cards .item").count())
            self.expect(counts[0] + counts[1] == counts[2] == here, f"{task}: {counts} of {here} items")
            if here:
                sides = self.page.locator("#item-cards .item").first.locator(".side").all_inner_texts()
                self.expect([side.startswith(self.models[k]) for side, k in zip(sides, (first, second))] == [True, True],
                            f"{task}: sides {sides}")
                self.page.fill("#item-text", "no item has this text")
                self.expect(self.page.locator("#item-cards .item").count() == 0, f"{task}: the search finds what is not there")
                self.page.fill("#item-text", "")
        self.expect(self.page.evaluate("typeof hacked") == "undefined", "what a model wrote ran as a script")

    def checkpoints(self):
        series = self.comparison["series"]
        self.expect(self.page.locator("#checkpoints").is_visible() == bool(series), "checkpoints are shown, or not")
        if not series:
            return
        names = self.page.eval_on_selector_all("[data-series]", "cards => cards.map(card => card.dataset.series)")
        self.expect(len(names) == len(self.headlines), f"charts: {names}")
        last = series[0]["models"][-1]
        for k, measure in enumerate(self.headlines):
            value = measure["values"][last]
            canvas = self.page.locator("[data-series]").nth(k).locator("canvas")
            canvas.scroll_into_view_if_needed()
            canvas.focus()
            canvas.press("End")
            tip = self.page.locator("[data-series]").nth(k).locator(".tip").inner_text()
            mine = [line for line in tip.split("\n") if line.endswith(series[0]["name"])]
            if value is None or not mine:
                continue
            shown = float(mine[0].split()[0].rstrip("%"))
            expected = value["value"] * (100 if measure["unit"] == "share" else 1)
            self.expect(abs(shown - expected) <= 0.006 * abs(expected) + 1e-9, f"{measure['task']} at its end: {mine[0]!r}, {expected}")
            self.expect("low" not in value or " to " in mine[0], f"{measure['task']}: no band in {mine[0]!r}")

    def keyboard(self):
        """From the first control on, Tab comes to a cell, and Enter opens it."""
        self.page.locator("#baseline").focus()
        for _ in range(40):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.closest('#board tbody td') !== null"):
                break
        self.page.keyboard.press("Enter")
        self.expect(self.page.locator("#detail").is_visible(), "Enter on a cell opens nothing")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("comparison", type=Path)
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    with opened(arguments.page) as page:
        check = Check(page, json.loads(arguments.comparison.read_text()))
        check.run(check.leaderboard, check.sorting, check.details, check.tasks, check.metrics, check.items, check.checkpoints,
                  check.keyboard, check.fits_a_phone)
        if arguments.pictures:
            page.reload()
            take_pictures(page, arguments.pictures, "leaderboard")
    check.finish(arguments.page)


main()
