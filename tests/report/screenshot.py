"""The picture in the README: two parts of a report, side by side.

``python -m tests.report.screenshot demo/data/report.html docs/report.png``
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.report import chromium

WIDTH, HEIGHT, GAP = 1180, 1130, 24
PARTS = ("", "article:has(audio)")
"""What each part begins with: the page, and the first corpus of speech."""


async def take(page: Path) -> list[Image.Image]:
    """The upper part of the page from each beginning on."""
    found = []
    with tempfile.TemporaryDirectory() as profile:
        async with chromium.tab(chromium.find() or "chromium", Path(profile)) as tab:
            await tab.open(page, WIDTH, HEIGHT)
            for start in PARTS:
                top = await tab.ask(
                    f"document.querySelector('{start or 'body'}').getBoundingClientRect().top + scrollY"
                )
                found.append(Image.open(io.BytesIO(await tab.picture(WIDTH, HEIGHT, max(0, top - 70 * bool(start))))))
    return found


def main(page: str, out: str) -> None:
    """Write the picture."""
    parts = chromium.run(take(Path(page)))
    sheet = Image.new("RGB", (len(parts) * WIDTH + (len(parts) - 1) * GAP, HEIGHT), "#dfe3ea")
    for number, part in enumerate(parts):
        sheet.paste(part, (number * (WIDTH + GAP), 0))
    small = sheet.resize((sheet.width * 7 // 10, sheet.height * 7 // 10), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
