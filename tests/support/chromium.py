"""Chromium for tests: the system's own, driven by Playwright; nothing is downloaded.

Without it browser tests are skipped, or fail when OPSLEDGER_TEST_REQUIRE_CHROMIUM is set (CI does).
"""

import os
import shutil

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"]


def chosen() -> str | None:
    """Where it is, None when it is nowhere."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def program() -> str:
    """Where it is. Skips or fails the test when it is nowhere."""
    found = chosen()
    if found is None:
        why = "no Chromium here: install it (Debian: apt-get install chromium)"
        if os.environ.get("OPSLEDGER_TEST_REQUIRE_CHROMIUM"):
            pytest.fail(why)
        pytest.skip(why)
    return found
