"""A real headless Chromium, the machine's own, driven from tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.servers.packages import find_program

ACTION_SECONDS_MAX = 30.0
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage")  # the user may be root, and the machine small


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Opens a browser until the block ends. ServerMissingError when there is none and none can be installed."""
    program = find_program("Chromium", "chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(OPTIONS))
        try:
            yield browser
        finally:
            browser.close()
