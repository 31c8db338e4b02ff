"""From sources to committed shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_ray.api.cleaning import clean_one
from omni_ray.api.cluster import Cluster, Once
from omni_ray.api.combining import check_places, combine_one, writing
from omni_ray.api.options import PrepareOptions, verb
from omni_ray.api.overlaps import refuse_double, refuse_overlap
from omni_ray.api.prepare_report import PrepareReport, said_once
from omni_ray.api.replacing import choice, identities, refuse_replacement
from omni_ray.corpora.base import Corpus, SourceOptions
from omni_ray.corpora.evaluation import DROP, HELD_OUT, TRAIN, TrainingFirst
from omni_ray.corpora.locate import downloads_folder
from omni_ray.corpora.many import locate_all
from omni_ray.corpora.registry import add_file, own_modules, select
from omni_ray.corpora.together import Together, together
from omni_ray.corpora.wanted import as_mini, in_language, published, wanted
from omni_ray.errors import OmniError, SourceError
from omni_ray.modalities.params import Params, made_on_gpus
from omni_ray.modalities.picture_engine import gpu_engine
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.actors import require_gpus
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.pipeline.engine import travel_by_value
from omni_ray.pipeline.prepare import CorpusRequest, run_requests
from omni_ray.pipeline.session import is_remote
from omni_ray.pipeline.stages import Job
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.units import number_units
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.cleaned import training_corpora
from omni_ray.quality.preset import Settings
from omni_ray.results import Sentences
from omni_ray.sources.download import fetch
from omni_ray.sources.unpacked import remove_copies

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@verb(PrepareOptions)
def prepare(root: Path, asked: PrepareOptions) -> PrepareReport:
    """Index, transform and commit corpora; with ``combine``, write the training files too.

    What is committed already, with the same inputs and parameters, is not done again. Sources other than those that a corpus
    was made from are refused without ``reset``.

    Raises:
        OmniError: wrong input; one sentence says what, where, and what to do.

    Example:
        >>> report = api.prepare("project", "text", dataset="text_files", source="notes", max_samples=5)
        >>> [(each.name, each.records_in, each.samples) for each in report.summaries]
        [('text_files', 6, 5)]
    """
    if asked.corpus_file is not None:
        add_file(Path(asked.corpus_file))
    modalities = asked.modalities
    store = Store(root, asked.shards)
    cluster, reporter = asked.cluster, asked.told
    report = PrepareReport(max_quarantine=asked.max_quarantine)
    how = writing(modalities, asked.seed, asked.pack, asked.holdout, production=asked.combine)
    if cluster.gpus:
        asked = _on_gpus(asked)
    with store.lease("omni-ray prepare"), reporter.together(), ExitStack() as stack:
        session = Once(stack, cluster)
        if any(_is_new(store, each, asked) for each in modalities):
            session.begin()
        # All sources are found and indexed before anything is made or removed: a wrong path is reported at once.
        plans = [(each, _index(store, each, asked, reporter, report)) for each in modalities]
        for each, requests in plans:
            if asked.combine or asked.corpus_files:
                check_places(store, each, how, [request.job.name for request in requests])
        for request in (request for _, requests in plans for request in requests):
            request.begin()
        for each, requests in plans:
            _run(requests, cluster, session, reporter, report, asked)
            if asked.clean is not None:
                clean_one(store, each, Settings(asked.clean), session, cluster.run, reporter)
                report.summaries = _as_cleaned(store, report.summaries)
            if asked.combine or asked.corpus_files:
                report.files += combine_one(store, each, how, session, cluster.run, reporter)
        remove_copies(store.state_folder / "index")
    return report


def _on_gpus(asked: PrepareOptions) -> PrepareOptions:
    """The same, with the engine that makes pictures here. Raises OmniError: there are none to make, or too few GPUs here."""
    pictures = made_on_gpus(asked.modalities)
    if not pictures:
        raise OmniError(f"--gpus is for images and ocr; {', '.join(asked.modalities)} would not use one")
    if not is_remote(asked.cluster.address):
        require_gpus(asked.cluster.gpus)
    engine = {"engine": gpu_engine()}
    return replace(
        asked, params={**asked.params, **{each: engine | {**asked.params.get(each, {})} for each in pictures}}
    )


def _is_new(store: Store, modality: str, asked: PrepareOptions) -> bool:
    """Whether something is there from which nothing was made yet: Ray will be needed."""
    for corpus in select(modality, asked.dataset):
        places = [Path(each) for each in asked.sources] or [downloads_folder(store.root, corpus)]
        if any(place.exists() for place in places) and (
            asked.reset or store.corpus(modality, asked.name or corpus.name).state() is None
        ):
            return True
    return False


def _index(
    store: Store, modality: str, asked: PrepareOptions, reporter: Reporter, report: PrepareReport
) -> list[CorpusRequest]:
    corpora = select(modality, asked.dataset)
    if asked.name is not None and len(corpora) != 1:
        raise OmniError(f"--name goes with a single corpus; --dataset {asked.dataset} is {len(corpora)} of them")
    requests = []
    read: dict[str, NDArray[np.int64]] = {}
    for corpus in corpora:
        try:
            request, read[corpus.name] = _request(store, corpus, asked, reporter, is_alone=len(corpora) == 1)
            requests.append(request)
        except SourceError as error:
            # One corpus by name must be there; of several, those that are there are taken, and the others reported.
            if len(corpora) == 1:
                raise
            report.skipped[corpus.name] = str(error)
    if not requests:
        names = ", ".join(corpus.name for corpus in corpora)
        raise SourceError(f"{modality}: no source for any of {names}. {next(iter(report.skipped.values()), '')}")
    if asked.sources:
        refuse_double(modality, asked.sources, read)
    return requests


def _run(
    requests: Sequence[CorpusRequest],
    cluster: Cluster,
    session: Callable[[], AbstractContextManager[None]],
    reporter: Reporter,
    report: PrepareReport,
    asked: PrepareOptions,
) -> None:
    @contextmanager
    def session_with_user_corpora() -> Iterator[None]:
        with session():
            travel_by_value(own_modules())
            yield

    report.units_made += run_requests(
        requests, session_with_user_corpora, reporter, cpus_per_task=cluster.cpus_per_task, gpus=cluster.gpus
    )
    said: list[tuple[str, str]] = []
    for request in requests:
        summary = request.store.summary()
        report.summaries.append(summary)
        of_samples = request.job.modality.warnings(summary.samples, summary.stats, request.job.params)
        said += [(summary.name, sentence) for sentence in (*of_samples, *_of_evaluation(request, asked))]
    report.warnings += said_once(said)


def _of_evaluation(request: CorpusRequest, asked: PrepareOptions) -> list[str]:
    """What a user should know about the splits to measure on."""
    splits = ", ".join(request.measured)
    if not request.measured:
        return (
            []
            if asked.evaluation == TRAIN
            else [f"no evaluation split was found by its name, so --evaluation {asked.evaluation} changes nothing"]
        )
    if asked.evaluation == DROP:
        return [f"not read, as evaluation splits: {splits}"]
    if asked.evaluation == HELD_OUT:
        state = request.store.state()
        is_there = state is not None and state.held_from is not None and state.held_from < state.required
        if state is not None and state.cut is not None and state.held_from is not None:
            is_there = is_there and state.cut.unit >= state.held_from
        return [f"held out, as evaluation splits: {splits}" if is_there else f"{splits}: beyond --max-samples"]
    if asked.splits:
        return []  # they were asked for by name
    return [
        f"evaluation splits are trained on, as given: {splits}; --evaluation heldout keeps them for that, "
        "--evaluation drop leaves them out"
    ]


def _parameters(kind: type[Params], given: Mapping[str, Any]) -> Params:
    try:
        return kind(**{k: v for k, v in given.items() if v is not None})
    except (TypeError, ValueError) as error:
        raise OmniError(f"wrong parameter: {error}") from error


def _salt(corpus: Corpus, version: int, name: str, params: Params, options: SourceOptions) -> dict[str, Any]:
    """What shards depend on besides their units' inputs; ``version`` is the modality's."""
    return {
        "corpus": corpus.name,
        "name": name,
        "versions": [corpus.version, version],
        "params": params.as_json(),
        "columns": dict(options.columns),
        **({"keep_columns": True} if options.keep_columns else {}),
    }


def _request(
    store: Store, corpus: Corpus, asked: PrepareOptions, reporter: Reporter, *, is_alone: bool
) -> tuple[CorpusRequest, NDArray[np.int64]]:
    """One corpus, found and indexed, and numbers for the files that it reads."""
    reading, limit = asked.reading, asked.limit
    corpus = in_language(corpus, reading, asked.sources)
    kind = modality_of(corpus.modality)
    params = _parameters(kind.params_type, asked.params.get(corpus.modality, {}))
    name = asked.name or corpus.name
    options, limit = (reading, limit) if asked.sources else as_mini(corpus, reading, limit)
    cache = store.state_folder / "index"
    found, sources = locate_all(
        corpus,
        store.root,
        asked.sources,
        options,
        all_of_them=is_alone,
        cache=cache,
        download=asked.download,
        redownload=asked.redownload,
        limit=limit,
        agree=asked.agree,
        say=reporter.say,
    )
    drafts = TrainingFirst(found.drafts, asked.evaluation, lambda some: together(some, found.tree, reading))
    units = number_units(iter(drafts), found.tree, _salt(corpus, kind.version, name, params, reading))
    if found.measured() and not units:
        raise SourceError(
            f"{name}: {found.tree.location} contains only evaluation splits ({', '.join(found.measured())}), and "
            "--evaluation drop leaves these out"
        )
    corpus_store = store.corpus(corpus.modality, name)
    refuse_overlap(store, corpus.modality, name, found.tree.spec())
    if not asked.reset:
        refuse_replacement(corpus_store, store.root, sources, choice(reading), units)
    spec = {**found.tree.spec(), "points": str(cache.absolute())}
    job = Job(name, Together(found.reader), spec, kind, params, corpus_store.storage, asked.keep_columns)
    place, of = found.tree.location, identities(store.root, sources)
    request = CorpusRequest(
        job,
        units,
        corpus_store,
        place,
        found.files(),
        limit,
        asked.reset,
        of,
        drafts.held_from,
        found.measured(),
        choice(reading),
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
    max_samples: int | None = 1_000_000,
    again: bool = False,
    reporter: Reporter | None = None,
) -> Sentences:
    """Fetch the corpora that ``dataset`` names into ``data/downloads``, and make nothing of them yet.

    ``max_samples``: fetch no more parts than these need. ``again``: fetch what is there, too.

    Returns:
        One sentence for each corpus: where it is, or how to get it by hand.

    Raises:
        OmniError: another run is at work, the network is out of reach, or a download is not what it should be.

    Example:
        >>> api.download("project", "images", dataset="flickr30k")
        ['flickr30k: Ask for ... at the homepage. Put it into ...flickr30k']
    """
    lines, say = Sentences(), (reporter or usual()).say
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
