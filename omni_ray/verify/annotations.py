"""The caption manifest: one JSON list, streamed element by element, and the images that it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omni_ray.trainers.reading import BOM, Elements, NotAList
from omni_ray.verify.characters import is_blank, odd_characters
from omni_ray.verify.media import Judge, path_flaws, sightings_of
from omni_ray.verify.pieces import FileCheck, Piece, PieceFindings
from omni_ray.verify.report import Notes, is_loss
from omni_ray.verify.seen import SeenStrings
from omni_ray.verify.tables import Pick

ELEMENTS_PER_PIECE = 256
MAX_BROKEN = 250_000
"""Broken images that are remembered, to find the other elements that name them."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class AnnotationsCheck(FileCheck):
    """A caption manifest. An image that several captions name is decoded once.

    Args:
        key, path: the file, relative to the project folder and absolute.
        judge: looks at the images; None where another file with the same images is checked.
        pick: which elements' images to decode.
        count_all: whether to find every element that names a broken image.
    """

    def __init__(self, key: str, path: Path, *, judge: Judge | None, pick: Pick, count_all: bool = True) -> None:
        super().__init__(key, "images")
        self._path = path
        self._judge = judge
        self._pick = pick
        self._count_all = count_all
        self._broken: dict[str, tuple[str, ...]] = {}

    def pieces(self) -> Iterator[Piece]:
        with open(self._path, "rb") as file:
            if file.read(len(BOM)) == BOM:
                self.notes.add("bom")
                return
            file.seek(0)
            yield from self._pieces_of(Elements(file))

    def _pieces_of(self, elements: Elements) -> Iterator[Piece]:
        size = os.stat(self._path).st_size
        seen = SeenStrings()
        first, batch = 0, []
        try:
            for element in elements:
                batch.append(element)
                if len(batch) == ELEMENTS_PER_PIECE:
                    self.report.rows = first + len(batch)
                    yield self._piece(first, batch, seen, elements.offset / size)
                    first, batch = first + len(batch), []
        except NotAList as error:
            if size == 0:
                self.notes.add("bad_json", "it is empty")
            else:
                self.notes.add("not_a_list", str(error))
        except UnicodeDecodeError as error:
            self.notes.add("bad_json", f"not UTF-8: {error.reason}")
        except ValueError as error:
            self.notes.add("bad_json", f"{error}, after element {first + len(batch) - 1}")
        if batch:
            yield self._piece(first, batch, seen, 1.0)
        self.report.rows = first + len(batch)
        if self.report.rows == 0 and not self.notes.loses_all():
            self.notes.add("empty")

    def _piece(self, first: int, batch: list[Any], seen: SeenStrings, progress: float) -> Piece:
        paths = [image_of(element) for element in batch]
        picked = [i for i, path in enumerate(paths) if path and self._judge and self._pick(first + i)]
        fresh = seen.add([paths[i] for i in picked])
        decode = frozenset(i for i, is_new in zip(picked, fresh, strict=True) if is_new)
        return Captions(self.key, first, tuple(batch), decode, self._judge, progress, self.side)

    def absorb(self, part: PieceFindings) -> None:
        super().absorb(part)
        if len(self._broken) < MAX_BROKEN:
            self._broken.update(part.broken)

    def finish(self) -> None:
        if self._broken and self._count_all and not self.notes.loses_all():
            self._count_others()
        super().finish()

    def _count_others(self) -> None:
        """Every caption of a broken image is lost; so far, only the first one was counted."""
        met: set[str] = set()
        with open(self._path, "rb") as file:
            for element in Elements(file):
                path = image_of(element)
                codes = self._broken.get(path)
                if codes is not None and path in met:
                    self.notes.counts.update(codes)
                    # Where the caption is flawed as well, the element was counted as lost already.
                    is_lost = any(is_loss("images", each) for each in caption_flaws(element))
                    self.report.lost += not is_lost and any(is_loss("images", each) for each in codes)
                if codes is not None:
                    met.add(path)


def image_of(element: Any) -> str:
    """The path that an element names; "" where it names none."""
    image = element.get("image") if isinstance(element, dict) else None
    return image if isinstance(image, str) else ""


def caption_flaws(element: dict[str, Any]) -> Iterator[str]:
    """Codes of what is wrong with an element's caption."""
    caption = element.get("caption")
    if "caption" not in element:
        yield "missing_caption"
    elif not isinstance(caption, str):
        yield "bad_caption"
    elif _SURROGATE.search(caption):
        yield "surrogate"
    elif is_blank(caption):
        yield "blank_text"
    else:
        odd = set(odd_characters(caption))
        if "nul" in odd:
            yield "nul"
        if odd - {"nul"}:
            yield "control"


@dataclass(frozen=True)
class Captions(Piece):
    """A batch of elements, the first of which has the number ``first``; ``decode`` says whose images to look at."""

    key: str
    first: int
    elements: tuple[Any, ...]
    decode: frozenset[int]
    judge: Judge | None
    progress: float
    side: int = 0

    @property
    def weight(self) -> int:
        """Images that are decoded."""
        return max(1, len(self.decode))

    def check(self) -> PieceFindings:
        part = PieceFindings(self.key, Notes("images"), progress=self.progress)
        for i, element in enumerate(self.elements):
            codes = [*self._check_element(i, element, part)]
            part.lost += any(is_loss("images", code) for code in codes)
        if self.side and self.judge is not None:
            paths = map(image_of, self.elements)
            media = [(self.first + i, path, i in self.decode) for i, path in enumerate(paths) if path]
            part.sightings = sightings_of(self.judge, self.side, media)
        return part

    def _check_element(self, i: int, element: Any, part: PieceFindings) -> Iterator[str]:
        row = self.first + i

        def note(code: str, detail: str) -> str:
            part.notes.add(code, detail, row=row)
            return code

        if not isinstance(element, dict):
            yield note("bad_element", repr(element)[:40])
            return
        path = image_of(element)
        for code in caption_flaws(element):
            yield note(code, path)
        if not path.strip():
            yield note("bad_image", f"image is {element.get('image')!r}"[:60])
            return
        flaws = path_flaws(path)
        for code in flaws:
            yield note(code, repr(path))
        if self.judge is None or i not in self.decode or any(is_loss("images", code) for code in flaws):
            return
        verdict = self.judge.look(path, "")
        part.decoded += verdict.is_decoded
        if verdict.flaws:
            part.broken.append((path, tuple(code for code, _ in verdict.flaws)))
        for code, detail in verdict.flaws:
            yield note(code, f"{path}: {detail}" if detail else path)
