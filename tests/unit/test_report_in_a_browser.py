"""The report in Chromium: nothing is fetched, nothing runs over its edge, and axe finds nothing serious.

``AXE_CORE`` names axe.min.js of the npm package axe-core (https://github.com/dequelabs/axe-core).
"""

import json
import os
import re
import shutil
import subprocess
from datetime import timedelta
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runbook.settings import Settings
from runbook.watching.past import Canary, Past
from runbook.watching.report import POLICY, page
from tests.unit.test_watching_report import NOW, filled

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("pygal") is None, reason="pygal is not installed (the extra report)"),
]
SCHEMES = {"dark": "0", "light": "1"}  # Chromium's own numbers of preferredColorScheme
LOOK = """
const found = {width: innerWidth, over: document.documentElement.scrollWidth,
  cut: [...document.querySelectorAll('div.scroll, div.plot')]
    .filter(each => each.scrollWidth > each.clientWidth).length,
  fetched: performance.getEntriesByType('resource').map(each => each.name),
  dark: matchMedia('(prefers-color-scheme: dark)').matches,
  paper: getComputedStyle(document.body).backgroundColor, violations: []};
function done() {
  const out = document.createElement('script');
  out.type = 'application/json'; out.id = 'found'; out.textContent = JSON.stringify(found);
  top.document.body.appendChild(out);
}
if (window.axe) {
  axe.run().then(result => {
    found.violations = result.violations.map(each => [each.id, each.impact, each.nodes[0].html]);
    found.passes = result.passes.length;
    done();
  });
} else { done(); }
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if not found:
        pytest.skip("Chromium is not installed")
    return found


@pytest.fixture
def axe() -> str:
    path = Path(os.environ.get("AXE_CORE", ""))
    if not path.is_file():
        pytest.skip("AXE_CORE names no axe.min.js (npm package axe-core)")
    return path.read_text(encoding="utf-8")


@pytest.fixture
def text(tmp_path: Path, settings: Settings) -> str:
    history = filled(tmp_path / "h.sqlite")
    rows = [(NOW.isoformat().replace("+00:00", "Z"), "events_bad", "bad_rows_of adapter_failures/1-0-0", 7.0)]
    history.change(lambda db: db.executemany("INSERT INTO figure VALUES (?, ?, ?, ?)", rows))
    canary = Canary(NOW, "events", {"put": 0.2, "event": 1.3}, "not within 600 seconds")
    return page(Past(history.db, NOW - timedelta(days=7)), settings, NOW, [canary])


def opened(
    chromium: str, folder: Path, text: str, *flags: str, more: str = "", width: int = 0
) -> dict[str, Any]:
    """What a page says of itself in the browser: without its policy, which would keep ours out as well.

    ``width``: in a frame of so many pixels; this browser's own window gets no narrower than 500.
    """
    assert POLICY in text
    text = re.sub(r"<meta http-equiv=[^>]*>", "", text)
    path = folder / "report.html"
    text = text.replace("</body>", f"<script>{more}</script><script>{LOOK}</script></body>")
    if width:
        text = (
            f'<body><iframe width="{width}" height="800" style="border:0" srcdoc="{escape(text)}"></iframe>'
        )
    path.write_text(text)
    dom = _run(chromium, folder, "--virtual-time-budget=20000", "--dump-dom", *flags, path.as_uri())
    found = re.search(r'<script type="application/json" id="found">(.*?)</script>', dom, re.DOTALL)
    assert found, dom[-500:]
    document: dict[str, Any] = json.loads(found[1])
    return document


def _run(chromium: str, folder: Path, *arguments: str) -> str:
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'browser'}",
    ]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=120, check=True, cwd=folder
    )
    return done.stdout


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_computers_screen(chromium: str, tmp_path: Path, text: str, scheme: str) -> None:
    flag = f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"
    found = opened(chromium, tmp_path, text, "--window-size=1280,900", flag)
    assert found["fetched"] == []
    assert found["dark"] == (scheme == "dark")
    assert found["paper"] == {"dark": "rgb(20, 24, 28)", "light": "rgb(255, 255, 255)"}[scheme]
    assert found["over"] <= found["width"]


def test_a_telephones_screen(chromium: str, tmp_path: Path, text: str) -> None:
    found = opened(chromium, tmp_path, text, width=400)
    assert found["width"] == 400
    assert found["over"] <= 400


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(chromium: str, axe: str, tmp_path: Path, text: str, scheme: str) -> None:
    flag = f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"
    found = opened(chromium, tmp_path, text, flag, more=axe)
    assert found["passes"] > 10
    assert [each for each in found["violations"] if each[1] in ("serious", "critical")] == []


def test_nothing_is_cut_off_on_paper(chromium: str, tmp_path: Path, text: str) -> None:
    """A4 without its margins, where nobody can scroll; the rules for printing are taken for the screen's."""
    on_paper = text.replace("@media print", "@media all")
    assert opened(chromium, tmp_path, on_paper, "--window-size=718,1000")["cut"] == 0


def test_it_is_printed(chromium: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "report.html").write_text(text)
    _run(
        chromium,
        tmp_path,
        f"--print-to-pdf={tmp_path / 'report.pdf'}",
        "--no-pdf-header-footer",
        (tmp_path / "report.html").as_uri(),
    )
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))
    assert 2 <= pages <= 12
