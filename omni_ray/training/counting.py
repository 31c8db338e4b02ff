"""Counting what there is to train on, each file once, whoever trains on it; and what clips allow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from omni_ray.errors import OmniError
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.parts import Part
from omni_ray.progress.reporter import Reporter
from omni_ray.training.cache import CountCache
from omni_ray.training.clips import ClipsUnit, ClipSurvey, downsampling, longest_in, look_at
from omni_ray.training.configs import file_name
from omni_ray.training.counts import CountedSource, CountItem, Counts, Outcome, count, cut
from omni_ray.training.plan_types import ConfigPlan
from omni_ray.training.planned import Planned
from omni_ray.training.report import DataSet, PlanReport

_SEES_ALL = 1 << 40
_SAVE_EVERY = 10.0
"""Seconds between two saves of what was counted: a plan that is killed loses no more."""
Key = tuple[CountedSource, int]
"""What is counted, and how many tokens of a row are seen."""


class Counting:
    """The counts of all data sets of what is planned.

    Attributes:
        counts: by configuration and data set.
        clips: by configuration, what was seen of its clips.
    """

    def __init__(self, planned: Planned, cache: CountCache, reporter: Reporter, report: PlanReport) -> None:
        self._planned, self._cache = planned, cache
        self._reporter, self._report = reporter, report
        self.counts: dict[str, dict[str, Counts]] = {}
        self.clips: dict[str, ClipSurvey] = {}

    def run(self, run: Runner, tokenizer: bytes, *, with_text: bool) -> None:
        """Count every data set once, in tasks; what is known about unchanged bytes is not counted again.

        Args:
            tokenizer: a serialized model; empty for none.
            with_text: count the tokens of the text corpus, too.
        """
        wanted: dict[Key, list[tuple[ConfigPlan, str]]] = {}
        for plan in self._planned.left():
            for dataset, file in self._planned.files[plan.name].items():
                wanted.setdefault((file.source, self._context(plan.name, dataset)), []).append((plan, dataset))
        sources = list({source: None for source, _ in wanted})
        units: list[tuple[CountItem, Key]] = []
        failed: dict[Key, str] = {}
        cuts = dict(zip(sources, run(cut, sources), strict=True))
        for key, users in wanted.items():
            source, context = key
            is_counted = users[0][1] not in ("tts", "ocr") and (users[0][1] != "text" or with_text)
            parts, problem = cuts[source]
            if problem:
                failed[key] = problem
            for unit in parts:
                unit = replace(unit, tokenizer=tokenizer if is_counted else b"", ctx_len=context)
                units.append((replace(unit, known=self._cache.find(unit)), key))
        sums = self._sums(run, units, failed)
        for key, users in wanted.items():
            self._take(users, sums.get(key, Counts()), self._planned.shown(failed.get(key, "")))
        self._look_at_clips(run)

    def _sums(self, run: Runner, units: list[tuple[CountItem, Key]], failed: dict[Key, str]) -> dict[Key, Counts]:
        """The counts of all units, added up; what went wrong is added to ``failed``."""
        sums: dict[Key, Counts] = {}
        self._reporter.begin("training files", len(units), stage="count")
        for (_, key), outcome in zip(units, self._outcomes(run, [unit for unit, _ in units]), strict=True):
            self._reporter.advance("training files", kept=outcome.counts.rows)
            sums[key] = sums.get(key, Counts()) + outcome.counts
            if outcome.problem:
                failed.setdefault(key, outcome.problem)
        self._reporter.end()
        return sums

    def _outcomes(self, run: Runner, units: list[CountItem]) -> Iterator[Outcome]:
        """Count ``units``; what is known is saved as it comes, so that an interrupted plan does not start over."""
        saved = time.monotonic()
        try:
            for unit, outcome in zip(units, run(count, units), strict=True):
                self._cache.add(unit, outcome)
                if not self._report.dry_run and time.monotonic() - saved > _SAVE_EVERY:
                    self._cache.save()
                    saved = time.monotonic()
                yield outcome
            self._cache.keep_only(units)
        finally:
            if not self._report.dry_run:
                self._cache.save()

    def _context(self, name: str, dataset: str) -> int:
        """Tokens of a row that the trainer sees."""
        return int(self._planned.configs[name].get("ctx_len", 512)) if dataset in ("text", "images") else _SEES_ALL

    def _take(self, users: list[tuple[ConfigPlan, str]], counts: Counts, problem: str) -> None:
        plan, dataset = users[0]
        self._report.data.append(DataSet(self._planned.files[plan.name][dataset], counts, problem))
        for plan, dataset in users:
            self.counts.setdefault(plan.name, {})[dataset] = counts
            if problem:
                plan.problems.append(f"{plan.file}: {problem}")

    def _look_at_clips(self, run: Runner) -> None:
        units: dict[ClipsUnit, list[str]] = {}
        for plan in self._planned.left():
            for dataset, file in self._planned.files[plan.name].items():
                if dataset in ("asr", "tts") and not file.source.shards:
                    unit = ClipsUnit(file.source.path, str(self._planned.root.absolute()))
                    units.setdefault(unit, []).append(plan.name)
        for names, clips in zip(units.values(), run(look_at, list(units)), strict=True):
            if not clips.is_longest_of_all and self._is_production(names[0]):
                shards = list(run(longest_in, self._audio_shards()))
                is_known = bool(shards) and None not in shards
                clips = replace(clips, longest=max((clips.longest, *filter(None, shards))), is_longest_of_all=is_known)
            for name in names:
                self.clips[name] = clips
                if clips.looked_at and not clips.frames:
                    self._planned.plans[name].problems.append(
                        f"{file_name(name)}: no clip can be read (first: {clips.first_missing}); "
                        "clips are looked for from the project folder"
                    )

        self._settle_downsampling()

    def _is_production(self, name: str) -> bool:
        """Whether the clips of a configuration are those of the shards."""
        return all(f.origin == "production" for d, f in self._planned.files[name].items() if d in ("asr", "tts"))

    def _audio_shards(self) -> tuple[Part, ...]:
        try:
            return self._planned.shards_of("audio")
        except OmniError:
            return ()  # a run of prepare was interrupted; the file it is to replace is there all the same

    def _settle_downsampling(self) -> None:
        """Before anything is sized, since the multimodal stage has the audio encoder in it too."""
        clips = self.clips.get("audio_enc")
        if clips is None or "audio_enc" not in {plan.name for plan in self._planned.left()}:
            return
        config = self._planned.configs["audio_enc"]
        now = int(config.get("downsample_time", 8))
        wanted = downsampling(clips, now)
        # Weights fit one factor only, and whoever has trained some has decided.
        if wanted != now and not (self._planned.root / str(config.get("save_dir", "")) / "audio_enc.pt").exists():
            config.set(
                "downsample_time",
                wanted,
                f"at {now}, {clips.infeasible[now]:,} of {clips.looked_at:,} clips have "
                "more characters than the encoder gives frames, and nothing is learnt from them",
            )
