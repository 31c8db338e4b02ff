"""The plan: count what there is, size the models, schedule the runs, rewrite the seven configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.materialize.record import packed_with
from omni_ray.pipeline.lease import lease
from omni_ray.pipeline.progress import Reporter
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.tasks import Runner
from omni_ray.storage import Storage
from omni_ray.training import configs as config_files
from omni_ray.training import vocabulary as tokenizers
from omni_ray.training.cache import CountCache
from omni_ray.training.clips import Clips, ClipsUnit, downsampling, longest_in, look_at
from omni_ray.training.configs import NAMES, Config, file_name
from omni_ray.training.counts import Counts, Outcome, Source, Unit, count, units_of
from omni_ray.training.data import KEYS, PRODUCTION, Choice, DataFile, choose, committed_shards, text_to_train_on
from omni_ray.training.estimate import estimate
from omni_ray.training.planned import ConfigPlan, Inputs, Options, blank_plan
from omni_ray.training.report import DataSet, PlanReport
from omni_ray.training.schedule import Rule
from omni_ray.training.schema import problems
from omni_ray.training.tasks import Engine, runner
from omni_ray.training.tokenizer import find
from omni_ray.training.tokens import digest
from omni_ray.training.vocabulary import Vocabulary

__all__ = ["PlanReport", "plan"]

CACHE = "plan/counts.json"
SAVED_AS = {"omni_sft": "omni"}
"""What a trainer calls its model, where that is not its configuration's name."""
_SEES_ALL = 1 << 40


def plan(
    root: str | Path = ".",
    *,
    configs: Sequence[str] | None = None,
    data: Choice = "auto",
    dry_run: bool = False,
    vram_gb: float = 12.0,
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
        vram_gb: memory of the card, in GiB.
        steps_rule: count text steps in "tokens" or in "lines"; None for whichever fits the data.
        allow_accumulation: write ``gradient_accumulation_steps`` above 1 where memory asks for it.
        skip_text_tokens: do not count the tokens of the text corpus.
        assume_text_tokens: how many there are, taken on trust; only with ``skip_text_tokens``.
        shards: another place for shards, such as ``s3://bucket/prefix``.
        engine: "ray" runs counting and estimates as Ray tasks, "inline" in this process.
        address, num_cpus, cpus_per_task: of Ray.
        reporter: shows progress.

    Returns:
        The report. Configurations with problems are named in it and left as they are; the others are planned.

    Raises:
        OmniError: the options make no sense, or another run is at work in ``root``.
    """
    root = Path(root)
    names = _names(configs)
    if assume_text_tokens is not None and (not skip_text_tokens or assume_text_tokens < 1):
        raise OmniError("--assume-text-tokens is a number of 1 or more, and goes with --skip-text-tokenization")
    if not vram_gb > 0:
        raise OmniError("--vram must be above 0")
    if not root.is_dir():
        raise OmniError(f"{root}: no such folder; give the project folder as --root")
    options = Options(
        vram_gb, steps_rule, allow_accumulation, assume_text_tokens,
        not skip_text_tokens or assume_text_tokens is not None,
    )  # fmt: skip
    store = Store(root, shards)
    report = PlanReport(str(root), dry_run)
    with ExitStack() as stack:
        if not dry_run:
            stack.enter_context(lease(store.state_folder, "omni-ray plan"))
        work = _Work(root, store, options, data, reporter or Reporter(quiet=True), report)
        work.read(names)
        if work.is_hopeless():
            return report
        with runner(engine, address, num_cpus, cpus_per_task) as run:
            work.settle_tokenizer(run)
            work.count(run, with_text=not skip_text_tokens)
            work.estimate(run)
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
        self, root: Path, store: Store, options: Options, data: Choice, reporter: Reporter, report: PlanReport
    ) -> None:
        self.root, self.options, self.data = root, options, data
        self.shards_of = committed_shards(store)
        self.packed_with = packed_with(store.state_folder, root)
        self.reporter, self.report = reporter, report
        self.configs: dict[str, Config] = {}
        self.broken: dict[str, list[str]] = {}
        self.plans: dict[str, ConfigPlan] = {}
        self.files: dict[str, dict[str, DataFile]] = {}
        self.counts: dict[str, dict[str, Counts]] = {}
        self.clips: dict[str, Clips] = {}
        self.cache = CountCache(store.state_folder / CACHE)
        self.outcomes: list[tuple[Unit, Outcome]] = []
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
            wanted = {name: self.configs[name] for name in ("thinker", *(plan.name for plan in users))}
            self.vocabulary = tokenizers.settle(self.root, wanted, self._tokenizer_text(), run)
        except OmniError as error:
            for plan in users:
                plan.problems.append(f"{plan.file}: {self._shown(str(error))}")
            return
        for name, problem in self.vocabulary.problems.items():
            if name in self.plans:
                self.plans[name].problems.append(f"{file_name(name)}: {problem}")
        self.report.tokenizer = self.vocabulary

    def _tokenizer_text(self) -> Source | None:
        source = text_to_train_on(self.root, self.shards_of, self.configs, self.data)
        is_packed = source is not None and source.path == str((self.root / PRODUCTION["text"]).absolute())
        if is_packed and self.packed_with and self.packed_with == digest(self._tokenizer_there()):
            # Another one would give these lines other lengths; `combine --pack` trains it when the shards change.
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
        wanted: dict[tuple[Source, int], list[tuple[ConfigPlan, str]]] = {}
        for plan in self._left():
            for dataset, file in self.files[plan.name].items():
                wanted.setdefault((file.source, self._context(plan.name, dataset)), []).append((plan, dataset))
        units: list[tuple[Unit, tuple[Source, int]]] = []
        failed: dict[tuple[Source, int], str] = {}
        for key, users in wanted.items():
            source, context = key
            is_counted = users[0][1] not in ("tts", "ocr") and (users[0][1] != "text" or with_text)
            try:
                for unit in units_of(source):
                    unit = replace(unit, tokenizer=tokenizer if is_counted else b"", ctx_len=context)
                    units.append((replace(unit, known=self.cache.find(unit)), key))
            except OSError as error:
                failed[key] = f"{source.path}: {(error.strerror or str(error)).lower()}"
        sums: dict[tuple[Source, int], Counts] = {}
        self.reporter.begin("training files", len(units), stage="count")
        for (unit, key), outcome in zip(units, run(count, [unit for unit, _ in units]), strict=True):
            self.reporter.advance("training files", kept=outcome.counts.rows)
            self.outcomes.append((unit, outcome))
            sums[key] = sums.get(key, Counts()) + outcome.counts
            if outcome.problem:
                failed.setdefault(key, outcome.problem)
        self.reporter.end()
        for key, users in wanted.items():
            self._take(users, sums.get(key, Counts()), self._shown(failed.get(key, "")))
        self._look_at_clips(run)

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
            if clips.looked_at < clips.rows:
                clips = replace(clips, longest=max((clips.longest, *run(longest_in, self._audio_shards()))))
            for name in names:
                self.clips[name] = clips
                if clips.looked_at and not clips.frames:
                    self.plans[name].problems.append(
                        f"{file_name(name)}: no clip can be read (first: {clips.first_missing}); "
                        "clips are looked for from the project folder"
                    )

        self._settle_downsampling()

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
        encoders: Mapping[str, Mapping[str, object]] = {}
        moved = ""
        if plan.name == "omni_sft":
            encoders = {name: self.configs[name].values for name in ("audio_enc", "vision")}
            folder = tokenizers.folders(self.configs)["omni_sft"]
            configured = str(self.configs["omni_sft"].get("thinker_ckpt", ""))
            moved = "" if tokenizers.is_same(folder, configured) else folder
        return Inputs(
            self.configs[plan.name],
            self.files[plan.name],
            self.counts[plan.name],
            self.clips.get(plan.name),
            self.vocabulary.trained.pieces if self.vocabulary and plan.name in tokenizers.USERS else 0,
            encoders,
            moved,
            self.options,
        )

    # --- writing ---

    def write(self) -> None:
        """Write the tokenizer, the configurations that changed, and what was counted, in this order."""
        left = self._left()
        if self.vocabulary is not None and any(plan.name in tokenizers.USERS for plan in left):
            self.report.written += self.vocabulary.save(self.root)
        for plan in left:
            if plan.config is not None and plan.config.write(self.root):
                self.report.written.append(plan.file)
        if any(plan.name == "omni_sft" for plan in left):
            # Its trainer reads the encoders' files; without them it guesses the widths, and fails.
            for name in ("audio_enc", "vision"):
                if name not in self.plans and self.configs[name].write(self.root):
                    self.report.written.append(file_name(name))
        self.cache.save(self.outcomes)
