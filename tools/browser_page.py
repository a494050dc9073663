"""A page of ours in Chromium, for the scripts that compare what it shows with the files: page_check.py of `fathom
report`, leaderboard_check.py of `fathom compare`."""

import contextlib
import shutil
import sys

SKIPPED = 77


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


try:
    from playwright.sync_api import Error, sync_playwright
except ImportError:
    skip("this Python has no playwright")


def open_browser(playwright):
    """Playwright's own Chromium, or the distribution's."""
    for path in (None, shutil.which("chromium"), shutil.which("chromium-browser"), shutil.which("google-chrome")):
        try:
            return playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error:
            continue
    skip("there is no Chromium")


@contextlib.contextmanager
def opened(path):
    """The page with what it said on the console (`said`) and what it asked for (`asked`)."""
    with sync_playwright() as playwright:
        browser = open_browser(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(error.stack or str(error)))
        page.on("dialog", lambda dialog: (page.said.append("a dialog: " + dialog.message), dialog.dismiss()))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.resolve().as_uri())
        yield page
        browser.close()


class PageCheck:
    def __init__(self, page):
        self.page, self.failures = page, []

    def expect(self, condition, what):
        if not condition:
            self.failures.append(what)

    def run(self, *parts):
        for part in parts:
            part()
        self.expect(not self.page.said, f"the console: {self.page.said}")
        self.expect(set(self.page.asked) == {self.page.url}, f"requests: {self.page.asked}")

    def fits_a_phone(self):
        self.page.set_viewport_size({"width": 390, "height": 844})
        width = self.page.evaluate("document.documentElement.scrollWidth")
        self.expect(width <= 390, f"{width} pixels wide on a phone of 390")

    def finish(self, path):
        print("\n".join(self.failures) or f"{path}: the page holds")
        sys.exit(bool(self.failures))


def take_pictures(page, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    for kind, width, height, scheme in (("light", 1280, 900, "light"), ("dark", 1280, 900, "dark"), ("phone", 390, 1100, "dark")):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(200)
        page.screenshot(path=folder / f"{name}_{kind}.png", full_page=kind != "phone")
