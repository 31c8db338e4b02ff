"""From sources to committed shards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_ray.api.cleaning import clean_one
from omni_ray.api.cluster import Cluster, Once
from omni_ray.api.combining import DEFAULT_SEED, check_places, combine_one, writing
from omni_ray.api.overlaps import refuse_double, refuse_overlap
from omni_ray.api.prepare_report import DEFAULT_MAX_QUARANTINE, PrepareReport
from omni_ray.api.replacing import choice, identities, refuse_replacement
from omni_ray.corpora.base import Corpus, SourceOptions
from omni_ray.corpora.evaluation import DROP, HELD_OUT, TRAIN, TrainingFirst, check_mode
from omni_ray.corpora.locate import downloads_folder
from omni_ray.corpora.many import locate_all
from omni_ray.corpora.registry import own_modules, select
from omni_ray.corpora.together import Together, together
from omni_ray.corpora.wanted import Agree, as_mini, in_language, published, wanted
from omni_ray.errors import OmniError, SourceError
from omni_ray.media_names import flat_name
from omni_ray.modalities.base import Params
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.pipeline.engine import travel_by_value
from omni_ray.pipeline.prepare import CorpusRequest, run_requests
from omni_ray.pipeline.stages import Job
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.units import number_units
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.cleaned import training_corpora
from omni_ray.quality.preset import PRESETS, Settings
from omni_ray.sources.download import fetch
from omni_ray.sources.unpacked import remove_copies
from omni_ray.trainers.files import SHARED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


DEFAULT_MAX_SAMPLES = 1_000_000


def prepare(
    root: str | Path,
    modality: str | Sequence[str],
    *,
    dataset: str | Sequence[str] = "all",
    source: str | Sequence[str] | None = None,
    name: str | None = None,
    max_samples: int | None = DEFAULT_MAX_SAMPLES,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    options: SourceOptions | None = None,
    combine: bool = False,
    corpus_files: bool = False,
    clean: str | None = None,
    seed: int | None = DEFAULT_SEED,
    pack: bool = False,
    holdout: float | None = None,
    reset: bool = False,
    redownload: bool = False,
    download: bool = True,
    agree: Agree = lambda sentence, size: True,
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
        dataset: a corpus, a category, or "all"; or several of them.
        source: a folder, an archive, a file, or a Hugging Face dataset; or several, of which each corpus is made as one.
            None for ``data/downloads/<corpus>``, which is filled by downloading where possible.
        name: the name of the shards and files; only with a single corpus. Default: the corpus's own.
        max_samples: samples to keep per corpus, the first ones in corpus order; None for all.
        params: parameters by modality and name, such as ``{"images": {"size": 224}}``.
        options: how to read the source.
        combine: write the flat files as well.
        corpus_files: write each corpus's own flat file, such as ``wikipedia.txt``, which ``combine`` does too.
        clean: a preset of :func:`clean` for these modalities, "off" to stop cleaning them; None to leave that as it is,
            which in a new project is off.
        seed, pack, holdout: how to write the flat files, as for :func:`combine`.
        reset: remove what is committed of these corpora first; without it, other sources than those a corpus was made
            of are refused.
        redownload: fetch what ``data/downloads`` holds of these corpora again.
        download: fetch what is missing, where ``source`` is None.
        agree: asked, with a sentence and bytes, before a gigabyte or more is fetched; it is, unless that says no.
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
    reporter = reporter or usual()
    report = PrepareReport(max_quarantine=max_quarantine)
    options = options or SourceOptions()
    _check(
        name, max_samples, options, clean, combine=combine, corpus_files=corpus_files, asks=pack or holdout is not None
    )
    how = writing(modalities, seed, pack, holdout, production=combine)
    if cluster.gpus:
        params = _on_gpus(modalities, params or {}, cluster.picture_engine())
    with store.lease("omni-ray prepare"), reporter.together(), ExitStack() as stack:
        session = Once(stack, cluster)
        sources = (source,) if isinstance(source, str) else tuple(source or ())
        want = _Want(dataset, sources, name, max_samples, params or {}, options, reset, redownload, download, agree)
        if any(_is_new(store, each, want) for each in modalities):
            session.begin()
        # All sources are found and indexed before anything is made or removed: a wrong path is said at once.
        plans = [(each, _index(store, each, want, reporter, report)) for each in modalities]
        for each, requests in plans:
            if combine or corpus_files:
                check_places(store, each, how, [request.job.name for request in requests])
        for request in (request for _, requests in plans for request in requests):
            request.begin()
        for each, requests in plans:
            _run(requests, cluster, session, reporter, report, want.options)
            if clean is not None:
                clean_one(store, each, Settings(clean), session, cluster.run, reporter)
                report.summaries = _as_cleaned(store, report.summaries)
            if combine or corpus_files:
                report.files += combine_one(store, each, how, session, cluster.run, reporter)
        remove_copies(store.state_folder / "index")
    return report


def _check(
    name: str | None,
    max_samples: int | None,
    options: SourceOptions,
    clean: str | None,
    *,
    combine: bool,
    corpus_files: bool,
    asks: bool,
) -> None:
    """What is wrong whatever the sources are. ``asks``: for what only training files have. Raises OmniError."""
    if max_samples is not None and max_samples < 1:
        raise OmniError("--max-samples must be at least 1")
    if name is not None:
        _check_name(name)
    if not combine and asks:
        raise OmniError("--pack and --holdout are about the training files; give --combine too")
    check_mode(options.evaluation)
    if corpus_files and not combine and options.evaluation == HELD_OUT:
        raise OmniError("--evaluation heldout is about the training files; give --combine too")
    if clean is not None and clean not in PRESETS:
        raise OmniError(f"--clean {clean}: there are {', '.join(PRESETS)}")


def _check_name(name: str) -> None:
    """A name is part of the names of shards and files, beside those of the files of all corpora. Raises OmniError."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", name):
        raise OmniError(f"--name {name}: use letters, digits, '_', '-' and '.', starting with a letter or a digit")
    if f"{name}_".startswith(SHARED):
        raise OmniError(f"--name {name}: files of all corpora begin with that; choose another name")
    if flat_name("common_voice") == name.lower():
        raise OmniError(f"--name {name}: the files of common_voice are called so; choose another name")


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

    dataset: str | Sequence[str]
    sources: tuple[str, ...]
    name: str | None
    max_samples: int | None
    params: Mapping[str, Mapping[str, Any]]
    options: SourceOptions
    reset: bool
    redownload: bool
    download: bool
    agree: Agree


def _is_new(store: Store, modality: str, want: _Want) -> bool:
    """Whether something is there, of which nothing was made yet: Ray will be needed."""
    for corpus in select(modality, want.dataset):
        places = [Path(each) for each in want.sources] or [downloads_folder(store.root, corpus)]
        if any(place.exists() for place in places) and (
            want.reset or store.corpus(modality, want.name or corpus.name).state() is None
        ):
            return True
    return False


def _index(store: Store, modality: str, want: _Want, reporter: Reporter, report: PrepareReport) -> list[CorpusRequest]:
    corpora = select(modality, want.dataset)
    if want.name is not None and len(corpora) != 1:
        raise OmniError(f"--name goes with a single corpus; --dataset {want.dataset} is {len(corpora)} of them")
    requests = []
    read: dict[str, NDArray[np.int64]] = {}
    for corpus in corpora:
        try:
            request, read[corpus.name] = _request(store, corpus, want, reporter, is_alone=len(corpora) == 1)
            requests.append(request)
        except SourceError as error:
            # One corpus by name must be there; of several, those that are there are taken, and the rest is said.
            if len(corpora) == 1:
                raise
            report.skipped[corpus.name] = str(error)
    if not requests:
        names = ", ".join(corpus.name for corpus in corpora)
        raise SourceError(f"{modality}: no source for any of {names}. {next(iter(report.skipped.values()), '')}")
    if want.sources:
        refuse_double(modality, want.sources, read)
    return requests


def _run(
    requests: Sequence[CorpusRequest],
    cluster: Cluster,
    session: Callable[[], AbstractContextManager[None]],
    reporter: Reporter,
    report: PrepareReport,
    options: SourceOptions,
) -> None:
    @contextmanager
    def session_with_user_corpora() -> Iterator[None]:
        with session():
            travel_by_value(own_modules())
            yield

    report.units_made += run_requests(
        requests, session_with_user_corpora, reporter, cpus_per_task=cluster.cpus_per_task, gpus=cluster.gpus
    )
    for request in requests:
        summary = request.store.summary()
        report.summaries.append(summary)
        said = request.job.modality.warnings(summary.samples, summary.stats, request.job.params)
        report.warnings += [f"{summary.name}: {sentence}" for sentence in (*said, *_of_evaluation(request, options))]


def _of_evaluation(request: CorpusRequest, options: SourceOptions) -> list[str]:
    """What a user should know of the splits to measure on."""
    splits = ", ".join(request.measured)
    if not request.measured:
        return (
            []
            if options.evaluation == TRAIN
            else [
                f"no split to measure on was found by its name, so that --evaluation {options.evaluation} changes nothing"
            ]
        )
    if options.evaluation == DROP:
        return [f"not read, as splits to measure on: {splits}"]
    if options.evaluation == HELD_OUT:
        state = request.store.state()
        is_there = state is not None and state.held_from is not None and state.held_from < state.required
        if state is not None and state.cut is not None and state.held_from is not None:
            is_there = is_there and state.cut.unit >= state.held_from
        return [f"held out, as splits to measure on: {splits}" if is_there else f"{splits}: beyond --max-samples"]
    if options.splits:
        return []  # they were asked for by name
    return [
        f"splits to measure on are trained on, as they were given: {splits}; --evaluation heldout keeps them for that, "
        "--evaluation drop leaves them out"
    ]


def _parameters(kind: type[Params], given: Mapping[str, Any]) -> Params:
    try:
        return kind(**{k: v for k, v in given.items() if v is not None})
    except (TypeError, ValueError) as error:
        raise OmniError(f"wrong parameter: {error}") from error


def _salt(corpus: Corpus, version: int, name: str, params: Params, options: SourceOptions) -> dict[str, Any]:
    """What shards depend on beside their units' inputs; ``version`` is the modality's."""
    return {
        "corpus": corpus.name,
        "name": name,
        "versions": [corpus.version, version],
        "params": params.as_json(),
        "columns": dict(options.columns),
        **({"keep_columns": True} if options.keep_columns else {}),
    }


def _request(
    store: Store, corpus: Corpus, want: _Want, reporter: Reporter, *, is_alone: bool
) -> tuple[CorpusRequest, NDArray[np.int64]]:
    """One corpus, found and indexed, and numbers for the files that it reads."""
    corpus = in_language(corpus, want.options, want.sources)
    kind, evaluation = modality_of(corpus.modality), want.options.evaluation
    params = _parameters(kind.params_type, want.params.get(corpus.modality, {}))
    name = want.name or corpus.name
    options, limit = (
        (want.options, want.max_samples) if want.sources else as_mini(corpus, want.options, want.max_samples)
    )
    cache = store.state_folder / "index"
    found, sources = locate_all(
        corpus,
        store.root,
        want.sources,
        options,
        all_of_them=is_alone,
        cache=cache,
        download=want.download,
        redownload=want.redownload,
        limit=limit,
        agree=want.agree,
        say=reporter.say,
    )
    drafts = TrainingFirst(found.drafts, evaluation, lambda some: together(some, found.tree, want.options))
    units = number_units(iter(drafts), found.tree, _salt(corpus, kind.version, name, params, want.options))
    if found.measured() and not units:
        raise SourceError(
            f"{name}: {found.tree.location} holds nothing but splits to measure on ({', '.join(found.measured())}), and "
            "--evaluation drop leaves these out"
        )
    corpus_store = store.corpus(corpus.modality, name)
    refuse_overlap(store, corpus.modality, name, found.tree.spec())
    if not want.reset:
        refuse_replacement(corpus_store, store.root, sources, choice(want.options), units)
    spec = {**found.tree.spec(), "points": str(cache.absolute())}
    job = Job(name, Together(found.reader), spec, kind, params, corpus_store.storage, want.options.keep_columns)
    place, of = found.tree.location, identities(store.root, sources)
    request = CorpusRequest(
        job,
        units,
        corpus_store,
        place,
        found.files(),
        limit,
        want.reset,
        of,
        drafts.held_from,
        found.measured(),
        choice(want.options),
    )
    return request, found.reads()


def _as_cleaned(store: Store, summaries: Sequence[Summary]) -> list[Summary]:
    now = {(each.modality, each.name): each for each in (c.summary() for c in training_corpora(store))}
    return [now[each.modality, each.name] for each in summaries]


def download(
    root: str | Path,
    modality: str,
    *,
    dataset: str | Sequence[str] = "all",
    max_samples: int | None = DEFAULT_MAX_SAMPLES,
    again: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> list[str]:
    """Fetch the corpora that ``dataset`` names into ``data/downloads``, and make nothing of them yet.

    ``max_samples``: no parts beyond those that these need. ``again``: also what is there.

    Returns:
        One sentence for each corpus: where it is, or how to get it by hand.

    Raises:
        OmniError: another run is at work, the network is out of reach, or a download is not what it should be.
    """
    lines = []
    store = Store(root)
    with store.lease("a download"):
        for corpus in select(modality, dataset):
            folder = downloads_folder(store.root, corpus)
            if corpus.downloads or corpus.catalogue:
                files = published(corpus, folder, (), again=again, say=say)
                fetch(wanted(corpus, (), max_samples, files), folder, again=again, say=say)
                lines.append(f"{corpus.name}: fetched into {folder}")
            else:
                lines.append(f"{corpus.name}: {corpus.manual} Put it into {folder}")
    return lines
