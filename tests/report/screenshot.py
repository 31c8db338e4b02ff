"""The picture in the README: four parts of a report, two by two.

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
PARTS = ("", "article:has(audio)", 'article:has(h3[id^="images-"])', 'article:has(h3[id^="ocr-"])')
"""What each part begins with: the page, and the first corpus of speech, of pictures and of words in pictures."""


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
    sheet = Image.new("RGB", (2 * WIDTH + GAP, 2 * HEIGHT + GAP), "#dfe3ea")
    for number, part in enumerate(parts):
        row, column = divmod(number, 2)
        sheet.paste(part, (column * (WIDTH + GAP), row * (HEIGHT + GAP)))
    small = sheet.resize((sheet.width * 7 // 10, sheet.height * 7 // 10), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
