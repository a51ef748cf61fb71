"""The desk in a real browser: every page opens clean, at desktop and phone width, light and dark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from sulh import board
from tests import sample_store as sample
from tests.conftest import absent

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = (
    # Continuous integration runs as root in a container, where Chromium's own sandbox cannot start.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

SERVE = """
import sys
from pathlib import Path
from sulh import desk
from tests import sample_store
desk.serve(Path(sys.argv[1]), port=0, registers=sample_store.registers(), ready=lambda at: print(at, flush=True))
"""

PAGES = (
    "/",
    "/claims",
    f"/claims/{sample.REGISTER}/C01",
    f"/stories/{sample.WIRE.story}",
    f"/stories/{sample.DENIED.story}",
    f"/stories/{sample.HOSTILE.story}",
    f"/stories/{sample.FOUGHT.story}?document={sample.FOUGHT.id}&revision=1",
    "/alerts?queue=all",
    f"/alerts/{sample.ALERT}",
    "/timeline",
    "/search?q=%D9%87%D8%AF%D9%86%D8%A9",
    "/sources",
    "/ledger",
    "/findings",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium that the machine has; the test never downloads one."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        absent("browser", "playwright is not installed (pip install playwright)")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("SULH_TEST_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        absent("browser", "there is no chromium on PATH (apt-get install chromium, or set SULH_TEST_CHROMIUM)")
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        except Error as error:
            absent("browser", f"{path} does not start: {error.message.splitlines()[0]}")
        yield found
        found.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write(tmp_path_factory.mktemp("desk") / "store.sqlite")


@pytest.fixture(scope="module")
def address(store: Path) -> Iterator[str]:
    """A desk of its own process, as a person would open it, on a free port."""
    with subprocess.Popen([sys.executable, "-c", SERVE, str(store)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip().rstrip("/")
        finally:
            process.terminate()


def opened(browser: Browser, address: str, **context: Any) -> tuple[Page, list[str]]:
    """Open a tab that writes down whatever goes wrong in it."""
    page = browser.new_context(**context).new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on(
        "request",
        lambda request: wrong.append(f"request: {request.url}") if not request.url.startswith(address) else None,
    )
    return page, wrong


def test_every_page_opens_clean_and_its_links_lead_somewhere(browser: Browser, address: str) -> None:
    page, wrong = opened(browser, address)
    links: set[str] = set()
    for path in PAGES:
        answer = page.goto(address + path)
        assert answer is not None and answer.status == 200, path
        assert page.locator("h1").count() == 1, path
        for width in (1280, 375):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} scrolls sideways: {wide} of {width}"
        assert wrong == [], path
        links |= set(page.evaluate("[...document.querySelectorAll('a[href], link[href]')].map(link => link.href)"))
    ours = {urlsplit(link)._replace(fragment="").geturl() for link in links if link.startswith(address)}
    assert len(ours) > 30
    broken = {link: status for link in ours if (status := page.request.get(link).status) != 200}
    assert broken == {}
    page.context.close()


def test_dark_is_dark(browser: Browser, address: str) -> None:
    page, wrong = opened(browser, address, color_scheme="dark")
    page.goto(address + "/claims")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    ink = page.evaluate("getComputedStyle(document.body).color.match(/[0-9]+/g).map(Number)")
    assert sum(ground) < 150 and sum(ink) > 600
    assert wrong == []
    page.context.close()


def test_a_reader_gets_from_the_front_page_to_a_verdict(browser: Browser, address: str) -> None:
    page, wrong = opened(browser, address)
    page.goto(address + "/")
    page.get_by_label("Search the documents").fill("farmhouses")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=sample.WIRE.title).click()
    assert page.locator("mark.contact").inner_text() == sample.TRUCE
    page.get_by_role("link", name=f"alert {sample.ALERT[:8]}").click()
    assert f"sulh alerts {sample.ALERT} --confirm" in page.locator("pre").inner_text()
    assert wrong == []
    page.context.close()


def test_numbers_equal_those_of_the_commands(browser: Browser, address: str, store: Path) -> None:
    page, _ = opened(browser, address)
    with board.reading(store) as connection:
        claims = board.claim_board(connection, sample.registers())
        queue = board.alert_queue(connection)
        balances = board.balances(board.ledger(connection))
    page.goto(address + "/claims")
    counts = [int(text) for text in page.locator(".claims .count").all_inner_texts()]
    assert counts == [number for row in claims for number in (row.supports, row.reports, row.contradicts)]
    page.goto(address + "/alerts?queue=open")
    assert page.locator(".alert-card").count() == sum(row.queue == "open" for row in queue)
    page.goto(address + "/ledger")
    shown = [int(text) for text in page.locator(".ledger tbody td.num").all_inner_texts()]
    expected: list[int] = []
    for row in balances:
        expected += [row.discovered, row.fetched, row.known, row.refused, row.failed]
        expected += [row.fetched, row.indexed, row.duplicate, row.rejected, row.waiting]
    assert shown == expected
    page.context.close()


def test_arabic_stands_on_the_right(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    page.goto(address + f"/stories/{sample.DENIED.story}")
    assert page.locator(".text p").first.evaluate("node => getComputedStyle(node).direction") == "rtl"
    assert page.locator("h1").evaluate("node => getComputedStyle(node).direction") == "rtl"
    page.context.close()


def test_the_keyboard_reaches_the_page_first(browser: Browser, address: str) -> None:
    page, _ = opened(browser, address)
    page.goto(address + "/claims")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.context.close()
