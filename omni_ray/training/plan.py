"""The plan: count what there is, size the models, schedule the runs, rewrite the seven configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.pipeline.combined import measured_with
from omni_ray.pipeline.engine import Runner, inline
from omni_ray.pipeline.lease import lease
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.cleaned import training_corpora
from omni_ray.quality.outdated import outdated
from omni_ray.trainers.files import FILES
from omni_ray.training import vocabulary as tokenizers
from omni_ray.training.cache import CountCache
from omni_ray.training.configs import NAMES, Config, file_name
from omni_ray.training.counting import Counting
from omni_ray.training.counts import CountedSource
from omni_ray.training.data import Choice, text_to_train_on
from omni_ray.training.estimate import estimate
from omni_ray.training.plan_types import ConfigPlan, Inputs, PlanChoices
from omni_ray.training.planned import Planned
from omni_ray.training.report import PlanReport
from omni_ray.training.schedule import Rule
from omni_ray.training.tokenizer import checkpoint_in
from omni_ray.training.tokens import digest
from omni_ray.training.vocabulary import Vocabulary

__all__ = ["PlanReport", "plan"]

CACHE = "plan/counts.json"
SAVED_AS = {"omni_sft": "omni"}
"""What a trainer calls its model, where that is not its configuration's name."""


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
    run: Runner = inline,
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
        run: maps counting and estimates over files and configurations.

    Returns:
        The report. Configurations with problems are named in it and not planned; the others are. Every configuration
        that shares the tokenizer gets its ``vocab_size``, planned or not.

    Raises:
        OmniError: the options make no sense, or another run is at work in ``root``.
    """
    root = Path(root)
    names = _names(configs)
    if assume_text_tokens is not None and (not skip_text_tokens or assume_text_tokens < 1):
        raise OmniError("--assume-text-tokens needs a number of 1 or more, and --skip-text-tokenization")
    if not vram_gib > 0:
        raise OmniError("--vram must be above 0")
    if not root.is_dir():
        raise OmniError(f"{root}: no such folder; give the project folder as --root")
    options = PlanChoices(
        vram_gib, steps_rule, allow_accumulation, assume_text_tokens,
        not skip_text_tokens or assume_text_tokens is not None,
    )  # fmt: skip
    store = Store(root, shards)
    report = PlanReport(str(root), dry_run)
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(lease(store.state_folder, "omni-ray plan"))
        planned = Planned(root, store, data, names)
        report.plans = list(planned.plans.values())
        if not planned.left():
            return report
        work = _Work(planned, store, options, reporter or usual(), report)
        work.settle_tokenizer(run)
        work.count(run, with_text=not skip_text_tokens)
        report.outdated = _outdated(store, report)
        work.estimate(run)
        work.share_vocabulary()
        if not dry_run:
            work.write()
    return report


def _outdated(store: Store, report: PlanReport) -> list[str]:
    """What is to be run again before the training files that are planned with are trained on."""
    said = []
    for modality in dict.fromkeys(FILES[e.file.dataset].modality for e in report.data if e.file.origin == "production"):
        try:
            said.append(outdated(store, training_corpora(store, modality)))
        except OmniError as error:
            said.append(str(error))
    return [*filter(None, said)]


def _names(configs: Sequence[str] | None) -> list[str]:
    unknown = [name for name in configs or () if name not in NAMES]
    if unknown:
        raise OmniError(f"--config {unknown[0]}: no such configuration; choose from {', '.join(NAMES)}")
    return [name for name in NAMES if not configs or name in configs]


class _Work:
    """One run of the plan, step by step, on what is planned."""

    def __init__(
        self, planned: Planned, store: Store, options: PlanChoices, reporter: Reporter, report: PlanReport
    ) -> None:
        self.planned, self.options, self.report = planned, options, report
        self.root, self.configs, self.plans = planned.root, planned.configs, planned.plans
        self.measured_with = measured_with(store.state_folder, planned.root)
        self.counting = Counting(planned, CountCache(store.state_folder / CACHE), reporter, report)
        self.sharers: dict[str, Config] = {}
        self.vocabulary: Vocabulary | None = None

    def settle_tokenizer(self, run: Runner) -> None:
        """Find or train the tokenizer, where a configuration needs it. Nothing is written yet."""
        users = [plan for plan in self.planned.left() if plan.name in tokenizers.USERS]
        if not users:
            return
        try:
            if self.planned.broken["thinker"]:
                raise OmniError(f"{file_name('thinker')}, which says where the tokenizer is, cannot be used")
            # Those that are not planned would find another tokenizer than the one their vocab_size is for.
            self.sharers = {
                name: self.configs[name]
                for name in tokenizers.USERS
                if not self.planned.broken[name] and (name in self.plans or not self.configs[name].is_new)
            }
            known = {"thinker": self.configs["thinker"], **self.sharers}
            self.vocabulary = tokenizers.settle(self.root, known, self._tokenizer_text(), run)
        except OmniError as error:
            for plan in users:
                plan.problems.append(f"{plan.file}: {self.planned.shown(str(error))}")
            return
        for name, problem in self.vocabulary.problems.items():
            if name in self.plans:
                self.plans[name].problems.append(f"{file_name(name)}: {problem}")
        self.report.tokenizer = self.vocabulary

    def _tokenizer_text(self) -> CountedSource | None:
        source = text_to_train_on(self.root, self.planned.shards_of, self.configs, self.planned.data)
        is_combined = source is not None and source.path == str((self.root / FILES["text"].production_path).absolute())
        if is_combined and self.measured_with and self.measured_with == digest(tokenizers.find_tokenizer(self.root)):
            # Another one would give these lines other lengths; `combine` trains it when the shards change.
            return None
        return source

    def count(self, run: Runner, *, with_text: bool) -> None:
        """Count every data set, with the tokenizer if there is one: people read the tokens of transcripts, too."""
        tokenizer = self.vocabulary.trained.model if self.vocabulary else tokenizers.find_tokenizer(self.root)
        self.counting.run(run, tokenizer, with_text=with_text)

    def estimate(self, run: Runner) -> None:
        """Plan every configuration that is left, each in a task."""
        inputs = [self._inputs(plan) for plan in self.planned.left()]
        for made in run(estimate, inputs):
            made.warnings += self._earlier_run(made)
            self.plans[made.name] = made
        self.report.plans = list(self.plans.values())

    def _earlier_run(self, plan: ConfigPlan) -> list[str]:
        """What an earlier run left where the trainer saves."""
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
            self.planned.files[plan.name],
            self.counting.counts[plan.name],
            self.counting.clips.get(plan.name),
            self.vocabulary.trained.pieces if self.vocabulary and plan.name in tokenizers.USERS else 0,
            self._has_weights(plan.name),
            others,
            thinker_ckpt,
            self.options,
        )

    def _has_weights(self, name: str) -> bool:
        """Whether there are weights beside the tokenizer that the trainer of ``name`` reads."""
        if name not in tokenizers.USERS:
            return False
        return checkpoint_in(self.root / tokenizers.folders(self.configs)[name]) is not None

    def share_vocabulary(self) -> None:
        """Give the tokenizer's size to configurations that share it and are not planned."""
        planned = {plan.name for plan in self.planned.left()}
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

    def write(self) -> None:
        """Write the tokenizer and the configurations that changed, in this order."""
        left = self.planned.left()
        if self.vocabulary is not None and any(plan.name in tokenizers.USERS for plan in left):
            self.report.written += self.vocabulary.save(self.root)
        configs = [plan.config for plan in left if plan.config is not None] + self.report.sharers
        if any(plan.name == "omni_sft" for plan in left) and "audio_enc" not in self.plans:
            # Its trainer reads the encoders' files; without them it guesses the widths, and fails.
            configs.append(self.configs["audio_enc"])
        self.report.written += [file_name(config.name) for config in configs if config.write(self.root)]
