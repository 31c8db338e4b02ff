"""The public functions: the one place where corpora, modalities, the pipeline and the flat files meet.

Everything the command line does can be done from here::

    from omni_ray import api
    report = api.prepare("project", "audio", dataset="librispeech", source="LibriSpeech", combine=True)
    print(report.summaries[0].kept)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Corpus, Options
from omni_ray.errors import DONE, FALLS_SHORT, OmniError, SourceError
from omni_ray.pipeline.cleaned import PRESETS, CleanedCorpus, Cleaning, Settings, training_corpora
from omni_ray.pipeline.progress import Reporter
from omni_ray.pipeline.session import is_remote, ray_session
from omni_ray.pipeline.store import MODALITIES, Store, Summary

if TYPE_CHECKING:
    from omni_ray.export.run import ExportReport
    from omni_ray.materialize.options import Options as Writing
    from omni_ray.materialize.record import Combined
    from omni_ray.modalities.base import Params
    from omni_ray.pipeline.prepare import Request
    from omni_ray.synth.native import Expected
    from omni_ray.synth.tiny import TinyReport

DEFAULT_MAX_SAMPLES = 1_000_000
DEFAULT_MAX_QUARANTINE = 0.05
DEFAULT_SEED = 42


@dataclass(frozen=True)
class Cluster:
    """Where and with what the work runs.

    Attributes:
        address: of a Ray cluster; None for ``RAY_ADDRESS``, else a private local Ray.
        num_cpus: CPUs of the local Ray; None for all.
        cpus_per_task: CPUs a task reserves.
        gpus: how many GPUs resize pictures, and decode them where torchvision is installed; the other modalities use none.
    """

    address: str | None = None
    num_cpus: int | None = None
    cpus_per_task: float = 1.0
    gpus: int = 0

    def session(self) -> AbstractContextManager[None]:
        """Connect to Ray for the length of a ``with`` block."""
        return ray_session(self.address, num_cpus=self.num_cpus, num_gpus=self.gpus)

    def picture_engine(self) -> str:
        """Who makes pictures here: a parameter of their shards.

        Raises:
            OmniError: GPUs are asked of this machine, and it has too few.
        """
        from omni_ray.modalities.picture_engine import gpu_engine
        from omni_ray.pipeline.actors import require_gpus

        if not self.gpus:
            return "cpu"
        if not is_remote(self.address):
            require_gpus(self.gpus)
        return gpu_engine()


@dataclass
class PrepareReport:
    """What ``prepare`` did.

    Attributes:
        summaries: each corpus in numbers.
        skipped: corpora that ``--dataset`` named but whose source is not there, with the reason.
        files: flat files written, where ``combine`` was asked for.
        warnings: sentences a user should read.
        units_made: units of work done in this run; 0 where everything was there already.
        max_quarantine: the share of faulty records a corpus may have.
    """

    summaries: list[Summary] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    files: list[Combined] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    units_made: int = 0
    max_quarantine: float = DEFAULT_MAX_QUARANTINE

    @property
    def shortfalls(self) -> list[str]:
        """Sentences about corpora that are not what they should be; empty when all is well."""
        found = []
        for summary in self.summaries:
            if summary.fault_share > self.max_quarantine:
                found.append(
                    f"{summary.name}: {summary.faults:,} of {summary.kept + summary.quarantined:,} records are faulty "
                    f"({summary.fault_share:.1%}, over --max-quarantine {self.max_quarantine:.1%}); "
                    f"see `omni-ray status --quarantine`"
                )
            elif summary.records_in and not summary.samples:
                found.append(f"{summary.name}: none of {summary.records_in:,} records was kept")
        return found

    @property
    def exit_code(self) -> int:
        """0, or 1 where a corpus falls short."""
        return FALLS_SHORT if self.shortfalls else DONE

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "corpora": [summary.as_dict() for summary in self.summaries],
            "skipped": self.skipped,
            "files": [vars(file) for file in self.files],
            "warnings": self.warnings,
            "units_made": self.units_made,
            "shortfalls": self.shortfalls,
            "exit_code": self.exit_code,
        }


def prepare(
    root: str | Path,
    modality: str | Sequence[str],
    *,
    dataset: str = "all",
    source: str | None = None,
    name: str | None = None,
    max_samples: int | None = DEFAULT_MAX_SAMPLES,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    options: Options | None = None,
    combine: bool = False,
    clean: str | None = None,
    seed: int | None = DEFAULT_SEED,
    pack: bool = False,
    holdout: float | None = None,
    reset: bool = False,
    download: bool = True,
    max_quarantine: float = DEFAULT_MAX_QUARANTINE,
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> PrepareReport:
    """Index, transform and commit corpora; with ``combine``, write the training files too.

    What is committed already, with the same inputs and parameters, is not done again.

    Args:
        root: the project folder.
        modality: text, audio, images, ocr, or several of them.
        dataset: a corpus, a category, or "all".
        source: a folder, an archive, a file, or a Hugging Face dataset; None for ``data/downloads/<corpus>``, which is
            filled by downloading where possible.
        name: the name of the shards and files; only with a single corpus. Default: the corpus's own.
        max_samples: samples to keep per corpus, the first ones in corpus order; None for all.
        params: parameters by modality and name, such as ``{"images": {"size": 224}}``.
        options: how to read the source.
        combine: write the flat files as well.
        clean: a preset of :func:`clean` for these modalities, "off" to stop cleaning them; None to leave that as it is,
            which in a new project is off.
        seed, pack, holdout: how to write the flat files, as for :func:`combine`.
        reset: remove what is committed of these corpora first.
        download: fetch what is missing, where ``source`` is None.
        max_quarantine: the share of faulty records from which on the result falls short.
        cluster: where to run.
        shards: another place for shards and manifests, such as ``s3://bucket/prefix``.
        reporter: shows progress.

    Raises:
        OmniError: wrong input; one sentence says what, where, and what to do.
    """
    modalities = [modality] if isinstance(modality, str) else list(modality)
    store = Store(root, shards)
    cluster = cluster or Cluster()
    reporter = reporter or Reporter(quiet=True)
    report = PrepareReport(max_quarantine=max_quarantine)
    if max_samples is not None and max_samples < 1:
        raise OmniError("--max-samples must be at least 1")
    if not combine and (pack or holdout is not None):
        raise OmniError("--pack and --holdout are about the training files; give --combine too")
    how = _how(modalities, seed, pack, holdout)
    if clean is not None and clean not in PRESETS:
        raise OmniError(f"--clean {clean}: there are {', '.join(PRESETS)}")
    if cluster.gpus:
        params = _on_gpus(modalities, params or {}, cluster.picture_engine())
    with store.lease("omni-ray prepare"), reporter.together(), ExitStack() as stack:
        session = _once(stack, cluster)
        want = _Want(dataset, source, name, max_samples, params or {}, options or Options(), reset, download)
        # All sources are found and indexed before any work starts: a wrong path is said at once.
        plans = [(each, _index(store, each, want, reporter, report)) for each in modalities]
        for each, requests in plans:
            _run(requests, cluster, session, reporter, report)
            if clean is not None:
                _clean(store, each, Settings(clean), session, reporter)
                report.summaries = _as_cleaned(store, report.summaries)
            if combine:
                report.files += _combine(store, each, how, session, reporter)
    return report


def _how(modalities: Sequence[str], seed: int | None, pack: bool, holdout: float | None) -> Writing:
    from omni_ray.materialize.options import Options as Writing

    if pack and "text" not in modalities:
        raise OmniError(f"--pack joins lines of text, which is not among {', '.join(modalities)}")
    return Writing(seed, pack, holdout)


def _on_gpus(
    modalities: Sequence[str], params: Mapping[str, Mapping[str, Any]], engine: str
) -> dict[str, Mapping[str, Any]]:
    pictures = {"images", "ocr"} & set(modalities)
    if not pictures:
        raise OmniError(f"--gpus is for images and ocr; {', '.join(modalities)} would not use one")
    return {**params, **{each: {"engine": engine, **params.get(each, {})} for each in pictures}}


@dataclass(frozen=True)
class _Want:
    """What the user asked to prepare, for every modality alike."""

    dataset: str
    source: str | None
    name: str | None
    max_samples: int | None
    params: Mapping[str, Mapping[str, Any]]
    options: Options
    reset: bool
    download: bool


def _once(stack: ExitStack, cluster: Cluster) -> Callable[[], AbstractContextManager[None]]:
    """A session that connects on first use and stays for the whole command."""
    entered: list[bool] = []

    @contextmanager
    def session() -> Iterator[None]:
        if not entered:
            stack.enter_context(cluster.session())
            entered.append(True)
        yield

    return session


def _index(store: Store, modality: str, want: _Want, reporter: Reporter, report: PrepareReport) -> list[Request]:
    from omni_ray.corpora.registry import select

    corpora = select(modality, want.dataset)
    if want.name is not None and len(corpora) != 1:
        raise OmniError(f"--name goes with a single corpus; --dataset {want.dataset} is {len(corpora)} of them")
    requests = []
    for corpus in corpora:
        try:
            requests.append(_request(store, corpus, want, reporter, report.warnings))
        except SourceError as error:
            # One corpus by name must be there; of several, those that are there are taken, and the rest is said.
            if len(corpora) == 1:
                raise
            report.skipped[corpus.name] = str(error)
    if not requests:
        names = ", ".join(corpus.name for corpus in corpora)
        raise SourceError(f"{modality}: no source for any of {names}. {next(iter(report.skipped.values()), '')}")
    return requests


def _run(
    requests: Sequence[Request],
    cluster: Cluster,
    session: Callable[[], AbstractContextManager[None]],
    reporter: Reporter,
    report: PrepareReport,
) -> None:
    from omni_ray.pipeline.prepare import run_requests

    @contextmanager
    def session_with_user_corpora() -> Iterator[None]:
        from omni_ray.corpora.registry import travel_by_value

        with session():
            travel_by_value()
            yield

    report.units_made += run_requests(
        requests, session_with_user_corpora, reporter, cpus_per_task=cluster.cpus_per_task, gpus=cluster.gpus
    )
    for request in requests:
        summary = request.store.summary()
        report.summaries.append(summary)
        said = request.job.modality.warnings(summary.samples, summary.stats, request.job.params)
        report.warnings += [f"{summary.name}: {sentence}" for sentence in said]


def _parameters(kind: type[Params], given: Mapping[str, Any]) -> Params:
    try:
        return kind(**{k: v for k, v in given.items() if v is not None})
    except (TypeError, ValueError) as error:
        raise OmniError(f"wrong parameter: {error}") from error


def _request(store: Store, corpus: Corpus, want: _Want, reporter: Reporter, warnings: list[str]) -> Request:
    from omni_ray.corpora.locate import locate
    from omni_ray.modalities.registry import modality as modality_of
    from omni_ray.pipeline.prepare import Request
    from omni_ray.pipeline.stages import Job
    from omni_ray.pipeline.units import number_units

    kind = modality_of(corpus.modality)
    params = _parameters(kind.params_type, want.params.get(corpus.modality, {}))
    name = want.name or corpus.name
    found = locate(
        corpus,
        store.root,
        want.source,
        want.options,
        cache=store.state_folder / "index",
        download=want.download,
        say=reporter.say,
    )
    salt = {
        "corpus": corpus.name,
        "name": name,
        "versions": [corpus.version, kind.version],
        "params": params.as_json(),
        "columns": dict(want.options.columns),
    }
    units = number_units(found.drafts, found.tree, salt)
    if refused := found.tree.refused:
        (example, why), *_ = refused.examples
        warnings.append(f"{name}: {refused.count:,} members of archives are left out, such as {example} ({why})")
    corpus_store = store.corpus(corpus.modality, name)
    job = Job(name, found.reader, found.tree.spec(), kind, params, corpus_store.storage)
    if want.reset:  # only now: a wrong --source has cost nothing
        corpus_store.reset()
    return Request(job, units, corpus_store, found.tree.location, want.max_samples)


def _combine(
    store: Store,
    modality: str,
    how: Writing,
    session: Callable[[], AbstractContextManager[None]],
    reporter: Reporter | None,
) -> list[Combined]:
    from omni_ray.materialize.combine import combine

    settings = Cleaning(store, modality).settings
    if settings is not None:
        # What came or changed since it was cleaned is cleaned now: the files are never of yesterday's shards.
        _clean(store, modality, settings, session, reporter)
    return combine(store, modality, how, session=session, reporter=reporter)


def _clean(
    store: Store,
    modality: str,
    settings: Settings,
    session: Callable[[], AbstractContextManager[None]],
    reporter: Reporter | None,
) -> bool:
    from omni_ray.quality.clean_shards import clean_shards

    return clean_shards(store, modality, settings, session=session, reporter=reporter)


def _as_cleaned(store: Store, summaries: Sequence[Summary]) -> list[Summary]:
    now = {(each.modality, each.name): each for each in (c.summary() for c in training_corpora(store))}
    return [now[each.modality, each.name] for each in summaries]


def download(
    root: str | Path, modality: str, *, dataset: str = "all", say: Callable[[str], None] = lambda text: None
) -> list[str]:
    """Fetch the corpora that ``dataset`` names into ``data/downloads``, and make nothing of them yet.

    Returns:
        One sentence for each corpus: where it is, or how to get it by hand.

    Raises:
        OmniError: the network is out of reach, or a download is not what it should be.
    """
    from omni_ray.corpora.locate import downloads_folder
    from omni_ray.corpora.registry import select
    from omni_ray.sources.download import fetch

    lines = []
    for corpus in select(modality, dataset):
        folder = downloads_folder(Path(root), corpus)
        if corpus.downloads:
            fetch(corpus.downloads, folder, say=say)
            lines.append(f"{corpus.name}: fetched into {folder}")
        else:
            lines.append(f"{corpus.name}: {corpus.manual} Put it into {folder}")
    return lines


def combine(
    root: str | Path,
    modalities: Sequence[str] = (),
    *,
    seed: int | None = DEFAULT_SEED,
    pack: bool = False,
    holdout: float | None = None,
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> list[Combined]:
    """Write the training files from what is committed.

    Args:
        root: the project folder.
        modalities: which; none for all that are prepared.
        seed: of the shuffle across corpora; None keeps corpus order.
        pack: join lines of a document up to the ``ctx_len`` of configs/thinker_tiny.json, with the tokenizer that is
            there, or one that is trained first.
        holdout: the share of documents, speakers and pictures to hold out, in ``heldout_*`` files beside the
            ``production_*`` ones; None for nothing, which removes what an earlier run held out.
        cluster, shards, reporter: as for :func:`prepare`.

    Raises:
        OmniError: nothing is prepared, or a run was interrupted and is not finished.
    """
    store = Store(root, shards)
    wanted = list(modalities) or [m for m in MODALITIES if store.corpora(m)]
    if not wanted:
        raise OmniError(f"{store.storage.uri}: nothing is prepared here; run `omni-ray prepare` first")
    how = _how(wanted, seed, pack, holdout)
    files = []
    reporter = reporter or Reporter(quiet=True)
    with store.lease("omni-ray combine"), reporter.together(), ExitStack() as stack:
        session = _once(stack, cluster or Cluster())
        for each in wanted:
            files += _combine(store, each, how, session, reporter)
    return files


@dataclass
class CleanReport:
    """What ``clean`` did.

    Attributes:
        summaries: each corpus in numbers: its samples, and in ``stats`` those ``removed.<reason>`` and ``mended.<change>``.
        changed: modalities that something was done for; the others were clean already.
        settings: of each modality, how it is cleaned; None where it is not.
    """

    summaries: list[Summary] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    settings: dict[str, Settings | None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "corpora": [summary.as_dict() for summary in self.summaries],
            "changed": self.changed,
            "settings": {each: asdict(value) if value else None for each, value in self.settings.items()},
        }


def clean(
    root: str | Path,
    modalities: Sequence[str] = (),
    *,
    preset: str | None = None,
    rules: Mapping[str, Any] | None = None,
    duplicates: Sequence[str] | None = None,
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> CleanReport:
    """Clean what is committed: later steps read what is left. Committed shards are not touched.

    From then on ``combine`` cleans what comes new. With nothing but modalities given, what was chosen before holds.

    Args:
        root: the project folder.
        modalities: which; none for all that are prepared.
        preset: "default", "strict", or "off", which takes cleaning back unless rules or duplicates are given.
        rules: rule name -> False, True, a limit or [low, high]; a rule goes to the modalities that have it.
        duplicates: kinds to look for; empty for none; None for the usual ones.
        cluster, shards, reporter: as for :func:`prepare`.

    Raises:
        OmniError: nothing is prepared, a run is not finished, or an unknown preset, rule or kind.
    """
    from omni_ray.quality.settings import settings_of

    store = Store(root, shards)
    wanted = list(modalities) or [m for m in MODALITIES if store.corpora(m)]
    if not wanted:
        raise OmniError(f"{store.storage.uri}: nothing is prepared here; run `omni-ray prepare` first")
    report = CleanReport()
    reporter = reporter or Reporter(quiet=True)
    with store.lease("omni-ray clean"), reporter.together(), ExitStack() as stack:
        session = _once(stack, cluster or Cluster())
        before = {each: Cleaning(store, each).settings for each in wanted}
        for each, settings in settings_of(before, preset, rules, duplicates).items():
            if _clean(store, each, settings, session, reporter):
                report.changed.append(each)
            report.settings[each] = None if settings.is_off else settings
    report.summaries = [corpus.summary() for each in wanted for corpus in training_corpora(store, each)]
    return report


def export(
    root: str | Path,
    form: str,
    folder: str | Path,
    *,
    modalities: Sequence[str] = (),
    names: Sequence[str] = (),
    samples_per_shard: int | None = None,
    shard_bytes: int | None = None,
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> ExportReport:
    """Write what is committed as a dataset that other tools read.

    Args:
        root: the project folder.
        form: "hf" (Parquet files and a dataset card) or "webdataset" (tar files).
        folder: a new or empty folder, or one that holds an earlier export of the same form, which is replaced.
        modalities, names: only these modalities and corpora; none for all.
        samples_per_shard, shard_bytes: length of tar files; not both. Default: about 256 MiB.
        cluster, shards, reporter: as for :func:`prepare`.

    Raises:
        OmniError: wrong options, nothing to export, or a folder that holds something else.
    """
    from omni_ray.export.run import export as run

    store = Store(root, shards)
    if not store.corpora():
        raise OmniError(f"{store.storage.uri}: nothing is prepared here; run `omni-ray prepare` first")
    with store.lease("omni-ray export"):
        return run(
            store,
            form,
            folder,
            modalities=modalities,
            names=names,
            samples_per_shard=samples_per_shard,
            shard_bytes=shard_bytes,
            session=(cluster or Cluster()).session,
            reporter=reporter,
        )


def status(root: str | Path, *, shards: str | None = None) -> list[Summary]:
    """Every prepared corpus in numbers, from manifests alone."""
    return [corpus.summary() for corpus in training_corpora(Store(root, shards))]


def quarantine(root: str | Path, *, shards: str | None = None) -> Iterator[dict[str, Any]]:
    """Every quarantined record: modality, corpus, id, where, reason, detail, records."""
    for corpus in Store(root, shards).corpora():
        for row in corpus.quarantine():
            yield {"modality": corpus.modality, "corpus": corpus.name, **row}


def removed(root: str | Path, *, shards: str | None = None) -> Iterator[dict[str, Any]]:
    """Every sample that cleaning removed: modality, corpus, id, where, reason, detail, samples."""
    for corpus in training_corpora(Store(root, shards)):
        if isinstance(corpus, CleanedCorpus):
            for row in corpus.removed():
                yield {"modality": corpus.modality, "corpus": corpus.name, **row}


def synthesize(
    root: str | Path,
    *,
    samples: int = 10_000,
    seed: int = DEFAULT_SEED,
    cluster: Cluster | None = None,
    reporter: Reporter | None = None,
) -> TinyReport:
    """Write the tiny training files: synthetic text, speech, pictures and words, made in parallel on Ray.

    Args:
        root: the project folder.
        samples: how many of each kind.
        seed: the same seed gives the same bytes.
        cluster, reporter: as for :func:`prepare`.

    Raises:
        OmniError: a file cannot be written.
    """
    from omni_ray.pipeline.tasks import on_ray
    from omni_ray.synth.tiny import synthesize_tiny

    told = reporter or Reporter(quiet=True)

    def run(function: Callable[[Any], int], chunks: Iterable[Any]) -> Iterator[int]:
        todo = list(chunks)
        with (cluster or Cluster()).session():
            told.begin("synthetic", len(todo), stage="synth")
            for chunk, made in zip(todo, on_ray(function, todo), strict=True):
                told.advance("synthetic", kept=chunk.stop - chunk.start)
                yield made
            told.end()

    with Store(root).lease("omni-ray synth"), told.together():
        return synthesize_tiny(root, samples, seed, run)


def synthesize_native(
    folder: str | Path,
    *,
    seed: int = DEFAULT_SEED,
    cluster: Cluster | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Expected]:
    """Write small corpora in their native layouts, each in a folder of its name, made in parallel on Ray.

    Args:
        folder: an empty folder, or one with corpora that this function wrote.
        seed: the same seed gives the same bytes.
        cluster, reporter: as for :func:`prepare`.

    Returns:
        What to expect of each, by folder name.

    Raises:
        OmniError: a folder holds something else, or cannot be written.
    """
    from omni_ray.pipeline.tasks import on_ray
    from omni_ray.synth.native import Task, write_native

    told = reporter or Reporter(quiet=True)

    def run(write: Callable[[Task], list[Expected]], tasks: Iterable[Task]) -> Iterator[list[Expected]]:
        todo = list(tasks)
        for task in todo:
            told.begin(task.name, 1, stage="synth")
        for task, made in zip(todo, on_ray(write, todo), strict=True):
            told.advance(task.name, kept=sum(each.records for each in made))
            yield made

    with (cluster or Cluster()).session(), told.together():
        return write_native(folder, seed, run=run)
