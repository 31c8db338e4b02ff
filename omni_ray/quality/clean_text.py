"""Cleaning text: lines are mended or dropped, documents judged as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.errors import OmniError
from omni_ray.modalities.lines import one_line_array
from omni_ray.quality.account import Account
from omni_ray.quality.clean import Cleaner
from omni_ray.quality.documents import Documents
from omni_ray.quality.language import confidence_in
from omni_ray.quality.repair import mask_personal, repair
from omni_ray.quality.rules import Change, Mask, Rule
from omni_ray.quality.text_rules import CITATION, TEXT_RULES

_SLICE_BYTES = 8 << 20
_PROSE_FROM = {"off": 50, "default": 50, "strict": 0}
_LATIN = 0.5
"""Share of Latin letters from which a text in an unknown language may be English."""
_SETTINGS = ("prose_from", "languages", "language_confidence")


def _clean(rows: pa.Table, on: Mapping[str, Rule | Change], settings: Mapping[str, Any], account: Account) -> pa.Table:
    """The settings are ``prose_from`` (documents of fewer words are not judged by rules about prose; 50, under "strict" 0),
    ``languages`` (ISO 639 codes to keep; then documents in others go) and ``language_confidence`` (0.65)."""
    steps = list(on.values())
    if settings.get("languages"):
        steps.insert("repair" in on, _language_rule(settings))
    parts = [_Pass(part, account, settings["prose_from"]).run(steps) for part in _slices(rows)]
    return pa.concat_tables(parts) if parts else rows.slice(0, 0)


def _settings(preset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of text, of those in :data:`_SETTINGS`, with what was not given. Raises OmniError for one of a wrong kind."""
    _check(given)
    return {"language_confidence": 0.65, **given, "prose_from": float(given.get("prose_from", _PROSE_FROM[preset]))}


def _check(settings: Mapping[str, Any]) -> None:
    """Raise OmniError for a setting that is not of its kind."""
    languages = settings.get("languages") or ()
    names = [languages] if isinstance(languages, str) else languages
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
        raise OmniError(f"languages: {languages!r} is not a list of ISO 639 codes, such as --language en")
    for name, most in (("prose_from", np.inf), ("language_confidence", 1.0)):
        value = settings.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise OmniError(f"{name}: {value!r} is not a number{' from 0 to 1' if most == 1 else ' of at least 0'}")


def _language_rule(settings: Mapping[str, Any]) -> Rule:
    languages = settings["languages"]
    wanted = frozenset([languages] if isinstance(languages, str) else languages)
    return Rule(
        "language",
        "document",
        "other_language",
        f"confidence that the language is {' or '.join(sorted(wanted))}",
        "fastText lid.176 (Joulin et al. 2016), as FineWeb",
        partial(confidence_in, languages=wanted),
        low=float(settings["language_confidence"]),
    )


def _slices(rows: pa.Table) -> Iterator[pa.Table]:
    """Whole documents, about 8 MiB of text at a time, so that the arrays of a pass stay in the cache."""
    if rows.num_rows == 0:
        return
    docs = Documents.of_table(rows)
    sizes = np.concatenate([[0], np.cumsum(pc.binary_length(docs.lines).to_numpy().astype(np.int64))])
    ends = np.append(docs.starts[1:], rows.num_rows)
    start = 0
    while start < rows.num_rows:
        reach = np.searchsorted(sizes, sizes[start] + _SLICE_BYTES, side="right") - 1
        first = int(np.searchsorted(ends, start, side="right"))
        end = int(ends[max(first, int(np.searchsorted(ends, reach, side="right")) - 1)])
        yield rows.slice(start, end - start)
        start = end


class _Pass:
    """One slice on its way through the rules."""

    def __init__(self, rows: pa.Table, account: Account, prose_from: float) -> None:
        self.rows = rows.combine_chunks()
        self.account = account
        self.prose_from = prose_from
        self.docs = Documents.of_table(self.rows)
        self.is_gone: Mask = np.zeros(len(self.docs), bool)

    def run(self, steps: list[Rule | Change]) -> pa.Table:
        for step in steps:
            if isinstance(step, Change):
                self._mend(step)
            elif step.unit == "line":
                self._judge_lines(step)
            else:
                self._judge_documents(step)
        if self.is_gone.any():
            return self.rows.filter(pa.array(~self.is_gone[self.docs.line_document]))
        return self.rows

    def _judge_documents(self, rule: Rule) -> None:
        if not len(self.docs):
            return
        values = rule.measure(self.docs)
        out = rule.removes(values) & ~self.is_gone
        if rule.prose and self.prose_from and out.any():
            out &= self.docs.word_counts >= self.prose_from
        if rule.english and out.any():
            out &= self._may_be_english(out)
        ids = self.rows["id"]
        for number in np.flatnonzero(out):
            detail = rule.detail(values[number])
            start = int(self.docs.starts[number])
            for row in range(start, start + int(self.docs.line_counts[number])):
                self.account.remove(ids[row].as_py(), rule.reason, detail)
        self.is_gone |= out

    def _may_be_english(self, wanted: Mask) -> Mask:
        """Those of the wanted documents whose corpus says English, or says nothing and whose letters are mostly Latin."""
        found: Mask = np.zeros(len(self.docs), bool)
        for number in np.flatnonzero(wanted):
            language = self.docs.languages[int(number)].as_py()
            found[number] = language.startswith("en") if language else self.docs.latin_share(int(number)) >= _LATIN
        return found

    def _judge_lines(self, rule: Rule) -> None:
        self._drop_gone()
        if self.rows.num_rows:
            values = rule.measure(self.docs)
            self._drop_lines(rule.removes(values), rule.reason, [rule.detail(v) for v in values[rule.removes(values)]])

    def _mend(self, change: Change) -> None:
        self._drop_gone()
        lines = self.docs.lines
        mended = _CHANGES[change.name](lines)
        changed = pc.not_equal(lines, mended)
        count = pc.sum(changed).as_py() or 0
        if not count:
            return
        self.account.mended[change.name] += count
        place = self.rows.column_names.index("text")
        self.rows = self.rows.set_column(
            place, self.rows.schema.field(place), mended.cast(self.rows.schema.field(place).type)
        )
        self.docs = Documents(mended, self.docs.starts, self.docs.languages)
        blank = pc.equal(mended, "").to_numpy(zero_copy_only=False)
        self._drop_lines(blank, "emptied", [change.name] * int(blank.sum()))

    def _drop_lines(self, out: Mask, reason: str, details: list[str]) -> None:
        if not out.any():
            return
        for name, detail in zip(self.rows["id"].filter(pa.array(out)).to_pylist(), details, strict=True):
            self.account.remove(name, reason, detail)
        self._keep_lines(~out)

    def _drop_gone(self) -> None:
        if self.is_gone.any():
            self._keep_lines(~self.is_gone[self.docs.line_document])

    def _keep_lines(self, lines: Mask) -> None:
        self.rows = self.rows.filter(pa.array(lines))
        self.docs = self.docs.select(lines)
        self.is_gone = np.zeros(len(self.docs), bool)


def _without_citations(lines: pa.LargeStringArray) -> pa.LargeStringArray:
    return one_line_array(pc.replace_substring_regex(lines, CITATION, ""))


_CHANGES = {"repair": repair, "mask_personal": mask_personal, "c4_citations": _without_citations}
CLEANER = Cleaner(TEXT_RULES, _clean, _SETTINGS, _settings, has_prose=True)
