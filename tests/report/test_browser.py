"""The report in a real browser: everything is shown, everything plays, and it fits a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_ray.report.page import write_report
from tests.made_store import make_store
from tests.report import chromium

BROWSER = chromium.find()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium here (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(make_store(tmp_path_factory.mktemp("made") / "project", 12))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_everything_is_shown_and_nothing_complains(page: Path, tmp_path: Path, width: int, dark: bool) -> None:
    async def look() -> None:
        async with chromium.tab(str(BROWSER), tmp_path) as tab:
            await tab.open(page, width, 844, dark=dark)
            assert tab.complaints == []
            assert tab.requests == [page.as_uri()]
            assert await tab.ask("document.images.length") == 10 + 12 + 3
            assert await tab.ask("[...document.images].filter(i => !i.complete || !i.naturalWidth).length") == 0
            clips = await tab.ask("[...document.querySelectorAll('audio')].map(a => [a.readyState, a.duration])")
            assert len(clips) == 3 and all(state >= 1 and abs(seconds - 0.5) < 0.05 for state, seconds in clips)
            assert await tab.ask("document.documentElement.scrollWidth") <= width
            background = await tab.ask("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, background[4:-1].split(","))) < 3 * 128) == dark
            heights = await tab.ask(
                "[...document.querySelectorAll('svg, .stack i')].map(e => e.getBoundingClientRect().height)"
            )
            hidden = await tab.ask("getComputedStyle(document.querySelector('td.wide')).display") == "none"
            assert hidden or all(height > 0 for height in heights)

    chromium.run(look())


@pytest.mark.parametrize("width", [1280, 390])
def test_the_keyboard_reaches_everything_in_order(page: Path, tmp_path: Path, width: int) -> None:
    async def walk() -> None:
        async with chromium.tab(str(BROWSER), tmp_path) as tab:
            await tab.open(page, width, 844)
            reached = []
            for _ in range(60):
                await tab.press("Tab")
                reached.append(await tab.ask("document.activeElement.tagName + (document.activeElement.hash || '')"))
            assert reached[0] == "A#overview"
            assert [each for each in reached if each.startswith("A#")][1:3] == ["A#overview", "A#text-0"]
            assert reached.count("AUDIO") >= 3 and "SUMMARY" in reached

    chromium.run(walk())


def test_a_clip_is_heard_to_its_end(page: Path, tmp_path: Path) -> None:
    async def listen() -> None:
        async with chromium.tab(str(BROWSER), tmp_path) as tab:
            await tab.open(page, 1280, 844)
            heard = await tab.ask(
                "new Promise((done, failed) => { const clip = document.querySelector('audio'); clip.muted = true; "
                "clip.onended = () => done(clip.currentTime); clip.onerror = () => failed(clip.error.message); "
                "clip.play().catch(failed); })"
            )
            assert abs(heard - 0.5) < 0.05

    chromium.run(listen())
