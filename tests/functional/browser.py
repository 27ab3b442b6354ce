"""A browser on the collector's page, and what must hold for every page it opened."""

import contextlib
import os
import shutil
import urllib.parse

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SECONDS_MAX = 30  # for whatever is waited for
# What a browser tells of the policy even where it writes nothing to its console.
WATCH = """addEventListener('securitypolicyviolation', (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));"""


def missing(what):
    how = f"{what} is missing: scripts/setup browser"
    if os.environ.get("CI") == "true":
        pytest.fail(how)
    pytest.skip(how)


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        missing("chromium")
    # Its sandbox needs what a container may not have; the page is our own.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        with contextlib.closing(playwright.chromium.launch(executable_path=program,
                                                           args=arguments)) as browser:
            yield browser


@pytest.fixture
def look(browser):
    """look(collector, "?range=24h", viewport=...) opens the page in a context of its own. At the
    end: no error on a console, nothing that the policy forbids, no request to anywhere else."""
    contexts, wrong = [], []

    def open_page(collector, search="", expect_trouble=False, **how):
        origin = "http://{}:{}".format(*collector.http)
        context = browser.new_context(**{
            "viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "timezone_id": "UTC",
            "reduced_motion": "reduce", **how})
        contexts.append(context)
        context.set_default_timeout(1000 * SECONDS_MAX)
        context.add_init_script(WATCH)

        def requested(request):
            parts = urllib.parse.urlsplit(request.url)
            if f"{parts.scheme}://{parts.netloc}" != origin:
                wrong.append(f"asked for {request.url}")

        context.on("request", requested)
        context.on("weberror", lambda error: wrong.append(f"threw {error.error}"))
        page = context.new_page()
        if not expect_trouble:
            page.on("console", lambda message: message.type == "error" and
                    wrong.append(f"console: {message.text}"))
        page.goto(f"{origin}/{search}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    if wrong:
        pytest.fail("\n".join(wrong))
