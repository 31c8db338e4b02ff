"""What is said is true: counts are of what was kept, and what is not well is no success."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from omni_ray.api.cleaning import CleanReport
from omni_ray.api.prepare_report import said_once
from omni_ray.modalities.audio import MODALITY as AUDIO
from omni_ray.modalities.params import AudioParams
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.verify.report import FileReport, Notes, VerifyReport
from tests.made_store import audio_row, commit


def test_sums_are_of_what_the_limit_keeps(tmp_path: Path) -> None:
    corpus = commit(
        tmp_path, "audio", "made", [[audio_row(n) for n in range(4)], [audio_row(n) for n in range(4, 8)]], limit=5
    )
    assert corpus.summary().stats["seconds"] == 2.5


def test_a_cleaning_that_leaves_nothing_falls_short() -> None:
    empty = Summary("made", "text", stats=Counter({"removed.too_short": 3}))
    assert CleanReport([Summary("made", "text", samples=1)]).exit_code == 0
    report = CleanReport([empty])
    assert report.exit_code == 1 and "none of 3 samples" in report.shortfalls[0]


def test_verify_does_not_say_lost_nothing_of_clips_that_teach_nothing() -> None:
    notes = Notes("asr")
    notes.add("ctc_infeasible", "fast", count=10)
    said = str(VerifyReport([FileReport("a.csv", "asr", rows=12)], notes.findings("a.csv")))
    assert "nothing is learnt from 10 clips" in said and "lose nothing" not in said


def test_what_is_true_of_several_corpora_is_said_once() -> None:
    fast = {"ctc_infeasible": 2.0}
    said = [
        (name, each) for name, many in (("one", 3), ("other", 2)) for each in AUDIO.warnings(many, fast, AudioParams())
    ]
    [line] = said_once([*said])
    assert line.startswith("one: 2 of 3, other: 2 of 2 clips are spoken faster than the audio encoder can follow")
    alone = [("one", "templates that are not known: 3"), ("other", "templates that are not known: 3")]
    assert said_once([said[0], *alone]) == [f"one: {said[0][1]}", *(f"{name}: {each}" for name, each in alone)]
