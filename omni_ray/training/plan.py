"""The plan: count what there is, size the models, schedule the runs, rewrite the seven configurations."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.pipeline.combined import measured_with
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.lease import lease
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.storage import Storage
from omni_ray.trainers.files import FILES
from omni_ray.training import configs as config_files
from omni_ray.training import vocabulary as tokenizers
from omni_ray.training.cache import CountCache
from omni_ray.training.clips import ClipsUnit, ClipSurvey, downsampling, longest_in, look_at
from omni_ray.training.configs import NAMES, Config, file_name
from omni_ray.training.counts import CountedSource, CountItem, Counts, Outcome, count, cut
from omni_ray.training.data import KEYS, Choice, DataFile, choose, committed_shards, text_to_train_on
from omni_ray.training.estimate import estimate
from omni_ray.training.plan_types import ConfigPlan, Inputs, PlanOptions, blank_plan
from omni_ray.training.report import DataSet, PlanReport
from omni_ray.training.schedule import Rule
from omni_ray.training.schema import problems
from omni_ray.training.tasks import Engine, runner
from omni_ray.training.tokenizer import checkpoint_in, find
from omni_ray.training.tokens import digest
from omni_ray.training.vocabulary import Vocabulary

__all__ = ["PlanReport", "plan"]

CACHE = "plan/counts.json"
SAVED_AS = {"omni_sft": "omni"}
"""What a trainer calls its model, where that is not its configuration's name."""
_SEES_ALL = 1 << 40
_SAVE_EVERY = 10.0
"""Seconds between two savings of what was counted: a plan that is killed loses no more."""


def plan(
    root: str | Path = ".",
    *,
    configs: Sequence[str] | None = None,
    data: Choice = "auto",
    dry_run: bool = False,
    vram_gib: float = 12.0,
    steps_rule: Rule | None = None,
    allow_accumulation: bool = False,
    skip_text_tokens: bool = False,
    assume_text_tokens: int | None = None,
    shards: str | None = None,
    engine: Engine = "ray",
    address: str | None = None,
    num_cpus: int | None = None,
    cpus_per_task: float = 1.0,
    reporter: Reporter | None = None,
) -> PlanReport:
    """Plan the training runs of a project and, unless it is a dry run, write their configurations.

    Args:
        root: the project folder, from which the trainers are started.
        configs: names of configurations; None for all seven.
        data: which files to train on: production, synthetic, or whichever is there ("auto").
        dry_run: write nothing at all.
        vram_gib: memory of the card, in GiB.
        steps_rule: count text steps in "tokens" or in "lines"; None for whichever fits the data.
        allow_accumulation: write ``gradient_accumulation_steps`` above 1 where memory asks for it.
        skip_text_tokens: do not count the tokens of the text corpus.
        assume_text_tokens: how many there are, taken on trust; only with ``skip_text_tokens``.
        shards: another place for shards, such as ``s3://bucket/prefix``.
        engine: "ray" runs counting and estimates as Ray tasks, "inline" in this process.
        address, num_cpus, cpus_per_task: of Ray.
        reporter: shows progress.

    Returns:
        The report. Configurations with problems are named in it and not planned; the others are. Every configuration
        that shares the tokenizer gets its ``vocab_size``, planned or not.

    Raises:
        OmniError: the options make no sense, or another run is at work in ``root``.
    """
    root = Path(root)
    names = _names(configs)
    if assume_text_tokens is not None and (not skip_text_tokens or assume_text_tokens < 1):
        raise OmniError("--assume-text-tokens is a number of 1 or more, and goes with --skip-text-tokenization")
    if not vram_gib > 0:
        raise OmniError("--vram must be above 0")
    if not root.is_dir():
        raise OmniError(f"{root}: no such folder; give the project folder as --root")
    options = PlanOptions(
        vram_gib, steps_rule, allow_accumulation, assume_text_tokens,
        not skip_text_tokens or assume_text_tokens is not None,
    )  # fmt: skip
    store = Store(root, shards)
    report = PlanReport(str(root), dry_run)
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(lease(store.state_folder, "omni-ray plan"))
        work = _Work(root, store, options, data, reporter or usual(), report)
        work.read(names)
        if work.is_hopeless():
            return report
        with runner(engine, address, num_cpus, cpus_per_task) as run:
            work.settle_tokenizer(run)
            work.count(run, with_text=not skip_text_tokens)
            work.estimate(run)
        work.share_vocabulary()
        if not dry_run:
            work.write()
    return report


def _names(configs: Sequence[str] | None) -> list[str]:
    unknown = [name for name in configs or () if name not in NAMES]
    if unknown:
        raise OmniError(f"--config {unknown[0]}: no such configuration; take {', '.join(NAMES)}")
    return [name for name in NAMES if not configs or name in configs]


class _Work:
    """One run of the plan, step by step."""

    def __init__(
        self, root: Path, store: Store, options: PlanOptions, data: Choice, reporter: Reporter, report: PlanReport
    ) -> None:
        self.root, self.options, self.data = root, options, data
        self.shards_of = committed_shards(store)
        self.measured_with = measured_with(store.state_folder, root)
        self.reporter, self.report = reporter, report
        self.configs: dict[str, Config] = {}
        self.broken: dict[str, list[str]] = {}
        self.plans: dict[str, ConfigPlan] = {}
        self.files: dict[str, dict[str, DataFile]] = {}
        self.counts: dict[str, dict[str, Counts]] = {}
        self.clips: dict[str, ClipSurvey] = {}
        self.cache = CountCache(store.state_folder / CACHE)
        self.sharers: dict[str, Config] = {}
        self.vocabulary: Vocabulary | None = None

    def read(self, names: Sequence[str]) -> None:
        """Read and check every configuration, and choose the data of those asked for."""
        for name in NAMES:
            try:
                self.configs[name] = config_files.read(self.root, name)
                self.broken[name] = problems(name, self.configs[name].values)
            except OmniError as error:
                self.broken[name] = [str(error)]
        for name in names:
            plan = self.plans[name] = blank_plan(name)
            plan.problems += self.broken[name]
            if name == "omni_sft" and not plan.problems:
                plan.problems += self._encoder_problems()
            if not plan.problems:
                self._choose_data(plan)
        self.report.plans = list(self.plans.values())

    def _encoder_problems(self) -> list[str]:
        file = file_name("omni_sft")
        found = [
            f"{file}: its trainer reads {file_name(name)} too, which cannot be used"
            for name in ("audio_enc", "vision")
            if self.broken[name]
        ]
        if not found:
            vision = self.configs["vision"]
            size, patch = vision.get("img_size", 224), vision.get("patch", 16)
            if size // patch < 224 // patch:
                found.append(
                    f"{file}: its trainer feeds images of 224, and img_size in {file_name('vision')} is {size}"
                )
        return found

    def _choose_data(self, plan: ConfigPlan) -> None:
        files = self.files[plan.name] = {}
        for dataset in KEYS[plan.name]:
            try:
                files[dataset] = self._choose(plan.name, dataset)
            except OmniError as error:
                plan.problems.append(f"{plan.file}: {self._shown(str(error))}")

    def _choose(self, name: str, dataset: str) -> DataFile:
        return choose(self.root, self.shards_of, self.configs[name], dataset, self.data)

    def _shown(self, text: str) -> str:
        return text.replace(f"{self.root.absolute()}/", "")

    def is_hopeless(self) -> bool:
        """Whether nothing is left to plan."""
        return not self._left()

    def _left(self) -> list[ConfigPlan]:
        return [plan for plan in self.plans.values() if not plan.problems]

    # --- tokenizer ---

    def settle_tokenizer(self, run: Runner) -> None:
        """Find or train the tokenizer, where a configuration needs it. Nothing is written yet."""
        users = [plan for plan in self._left() if plan.name in tokenizers.USERS]
        if not users:
            return
        try:
            if self.broken["thinker"]:
                raise OmniError(f"{file_name('thinker')} cannot be used, which says where the tokenizer is")
            # Those that are not planned would find another tokenizer than the one their vocab_size is for.
            self.sharers = {
                name: self.configs[name]
                for name in tokenizers.USERS
                if not self.broken[name] and (name in self.plans or not self.configs[name].is_new)
            }
            known = {"thinker": self.configs["thinker"], **self.sharers}
            self.vocabulary = tokenizers.settle(self.root, known, self._tokenizer_text(), run)
        except OmniError as error:
            for plan in users:
                plan.problems.append(f"{plan.file}: {self._shown(str(error))}")
            return
        for name, problem in self.vocabulary.problems.items():
            if name in self.plans:
                self.plans[name].problems.append(f"{file_name(name)}: {problem}")
        self.report.tokenizer = self.vocabulary

    def _tokenizer_text(self) -> CountedSource | None:
        source = text_to_train_on(self.root, self.shards_of, self.configs, self.data)
        is_combined = source is not None and source.path == str((self.root / FILES["text"].production_path).absolute())
        if is_combined and self.measured_with and self.measured_with == digest(self._tokenizer_there()):
            # Another one would give these lines other lengths; `combine` trains it when the shards change.
            return None
        return source

    def _tokenizer_there(self) -> bytes:
        """A tokenizer to count transcripts with, for people's sake, where no stage planned needs one."""
        if "thinker" not in self.configs:
            return b""
        try:
            found = find(self.root / tokenizers.folders(self.configs)["thinker"])
        except OmniError:
            return b""
        return found.model if found else b""

    # --- counting ---

    def count(self, run: Runner, *, with_text: bool) -> None:
        """Count every data set once, in tasks; what is known of unchanged bytes is not counted again."""
        tokenizer = self.vocabulary.trained.model if self.vocabulary else self._tokenizer_there()
        wanted: dict[tuple[CountedSource, int], list[tuple[ConfigPlan, str]]] = {}
        for plan in self._left():
            for dataset, file in self.files[plan.name].items():
                wanted.setdefault((file.source, self._context(plan.name, dataset)), []).append((plan, dataset))
        sources = list({source: None for source, _ in wanted})
        units: list[tuple[CountItem, tuple[CountedSource, int]]] = []
        failed: dict[tuple[CountedSource, int], str] = {}
        cuts = dict(zip(sources, run(cut, sources), strict=True))
        for key, users in wanted.items():
            source, context = key
            is_counted = users[0][1] not in ("tts", "ocr") and (users[0][1] != "text" or with_text)
            parts, problem = cuts[source]
            if problem:
                failed[key] = problem
            for unit in parts:
                unit = replace(unit, tokenizer=tokenizer if is_counted else b"", ctx_len=context)
                units.append((replace(unit, known=self.cache.find(unit)), key))
        sums: dict[tuple[CountedSource, int], Counts] = {}
        self.reporter.begin("training files", len(units), stage="count")
        for (_, key), outcome in zip(units, self._outcomes(run, [unit for unit, _ in units]), strict=True):
            self.reporter.advance("training files", kept=outcome.counts.rows)
            sums[key] = sums.get(key, Counts()) + outcome.counts
            if outcome.problem:
                failed.setdefault(key, outcome.problem)
        self.reporter.end()
        for key, users in wanted.items():
            self._take(users, sums.get(key, Counts()), self._shown(failed.get(key, "")))
        self._look_at_clips(run)

    def _outcomes(self, run: Runner, units: list[CountItem]) -> Iterator[Outcome]:
        """Count ``units``; what is known is saved as it comes, so that an interrupted plan does not start over."""
        saved = time.monotonic()
        try:
            for unit, outcome in zip(units, run(count, units), strict=True):
                self.cache.add(unit, outcome)
                if not self.report.dry_run and time.monotonic() - saved > _SAVE_EVERY:
                    self.cache.save()
                    saved = time.monotonic()
                yield outcome
            self.cache.keep_only(units)
        finally:
            if not self.report.dry_run:
                self.cache.save()

    def _context(self, name: str, dataset: str) -> int:
        """Tokens of a row that the trainer sees."""
        return int(self.configs[name].get("ctx_len", 512)) if dataset in ("text", "images") else _SEES_ALL

    def _take(self, users: list[tuple[ConfigPlan, str]], counts: Counts, problem: str) -> None:
        plan, dataset = users[0]
        self.report.data.append(DataSet(self.files[plan.name][dataset], counts, problem))
        for plan, dataset in users:
            self.counts.setdefault(plan.name, {})[dataset] = counts
            if problem:
                plan.problems.append(f"{plan.file}: {problem}")

    def _look_at_clips(self, run: Runner) -> None:
        units: dict[ClipsUnit, list[str]] = {}
        for plan in self._left():
            for dataset, file in self.files[plan.name].items():
                if dataset in ("asr", "tts") and not file.source.shards:
                    unit = ClipsUnit(file.source.path, str(self.root.absolute()))
                    units.setdefault(unit, []).append(plan.name)
        for names, clips in zip(units.values(), run(look_at, list(units)), strict=True):
            if not clips.is_longest_of_all and self._is_production(names[0]):
                shards = list(run(longest_in, self._audio_shards()))
                is_known = bool(shards) and None not in shards
                clips = replace(clips, longest=max((clips.longest, *filter(None, shards))), is_longest_of_all=is_known)
            for name in names:
                self.clips[name] = clips
                if clips.looked_at and not clips.frames:
                    self.plans[name].problems.append(
                        f"{file_name(name)}: no clip can be read (first: {clips.first_missing}); "
                        "clips are looked for from the project folder"
                    )

        self._settle_downsampling()

    def _is_production(self, name: str) -> bool:
        """Whether the clips of a configuration are those of the shards."""
        return all(f.origin == "production" for d, f in self.files[name].items() if d in ("asr", "tts"))

    def _audio_shards(self) -> list[tuple[Storage, str]]:
        try:
            return [(storage, file) for storage, file, *_ in self.shards_of("audio")]
        except OmniError:
            return []  # a run of prepare was interrupted; the file it is to replace is there all the same

    def _settle_downsampling(self) -> None:
        """Before anything is sized, since the multimodal stage has the audio encoder in it too."""
        clips = self.clips.get("audio_enc")
        if clips is None or "audio_enc" not in {plan.name for plan in self._left()}:
            return
        config = self.configs["audio_enc"]
        now = int(config.get("downsample_time", 8))
        wanted = downsampling(clips, now)
        # Weights fit one factor only, and whoever has trained some has decided.
        if wanted != now and not (self.root / str(config.get("save_dir", "")) / "audio_enc.pt").exists():
            config.set(
                "downsample_time",
                wanted,
                f"at {now}, {clips.infeasible[now]:,} of {clips.looked_at:,} clips have "
                "more characters than the encoder gives frames, and nothing is learnt from them",
            )

    # --- estimates ---

    def estimate(self, run: Runner) -> None:
        """Plan every configuration that is left, each in a task."""
        inputs = [self._inputs(plan) for plan in self._left()]
        for made in run(estimate, inputs):
            made.warnings += self._earlier_run(made)
            self.plans[made.name] = made
        self.report.plans = list(self.plans.values())

    def _earlier_run(self, plan: ConfigPlan) -> list[str]:
        """What a run before this one left where the trainer saves."""
        folder = str(self.configs[plan.name].get("save_dir", f"checkpoints/{plan.name}_tiny"))
        record = f"{folder}/{SAVED_AS.get(plan.name, plan.name)}_metadata.json"
        if not (self.root / record).exists():
            return []
        return [f"{record} is of an earlier run: its step, vocabulary and lengths count, not this plan's; move it away"]

    def _inputs(self, plan: ConfigPlan) -> Inputs:
        others: Mapping[str, Mapping[str, Any]] = {}
        thinker_ckpt = ""
        if plan.name == "omni_sft":
            others = {name: self.configs[name].values for name in ("audio_enc", "vision", "thinker")}
            folder = tokenizers.folders(self.configs)["omni_sft"]
            configured = str(self.configs["omni_sft"].get("thinker_ckpt", ""))
            thinker_ckpt = "" if tokenizers.is_same(folder, configured) else folder
        return Inputs(
            self.configs[plan.name],
            self.files[plan.name],
            self.counts[plan.name],
            self.clips.get(plan.name),
            self.vocabulary.trained.pieces if self.vocabulary and plan.name in tokenizers.USERS else 0,
            self._has_weights(plan.name),
            others,
            thinker_ckpt,
            self.options,
        )

    def _has_weights(self, name: str) -> bool:
        """Whether weights lie beside the tokenizer that the trainer of ``name`` reads."""
        if name not in tokenizers.USERS:
            return False
        return checkpoint_in(self.root / tokenizers.folders(self.configs)[name]) is not None

    def share_vocabulary(self) -> None:
        """Give the tokenizer's size to configurations that share it and are not planned."""
        planned = {plan.name for plan in self._left()}
        if self.vocabulary is None or planned.isdisjoint(tokenizers.USERS):
            return
        sharers = dict(self.sharers)
        if "omni_sft" in planned:
            sharers["vision"] = self.configs["vision"]  # written for it, see below
        for name, config in sharers.items():
            is_there = not config.is_new or name not in self.plans
            if name not in planned and name not in self.vocabulary.problems and is_there:
                tokenizers.share(config, self.vocabulary.trained.pieces, has_weights=self._has_weights(name))
                self.report.sharers.append(config)

    # --- writing ---

    def write(self) -> None:
        """Write the tokenizer and the configurations that changed, in this order."""
        left = self._left()
        if self.vocabulary is not None and any(plan.name in tokenizers.USERS for plan in left):
            self.report.written += self.vocabulary.save(self.root)
        configs = [plan.config for plan in left if plan.config is not None] + self.report.sharers
        if any(plan.name == "omni_sft" for plan in left) and "audio_enc" not in self.plans:
            # Its trainer reads the encoders' files; without them it guesses the widths, and fails.
            configs.append(self.configs["audio_enc"])
        self.report.written += [file_name(config.name) for config in configs if config.write(self.root)]
