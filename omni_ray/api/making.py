"""Corpora as they were asked for: found, indexed, made, and written as training files. What ``prepare`` does while its Ray
comes up, and with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omni_ray.api.cluster import Once
from omni_ray.api.combining import check_places, combine_one, writing
from omni_ray.api.options import PrepareOptions
from omni_ray.api.overlaps import refuse_double, refuse_overlap
from omni_ray.api.prepare_report import PrepareReport, said_once
from omni_ray.api.replacing import choice, identities, refuse_replacement, refuse_twice
from omni_ray.corpora.base import Corpus, SourceOptions
from omni_ray.corpora.evaluation import DROP, HELD_OUT, TRAIN, TrainingFirst
from omni_ray.corpora.many import locate_all
from omni_ray.corpora.registry import own_modules, select
from omni_ray.corpora.together import Together, together
from omni_ray.corpora.wanted import as_mini, in_language
from omni_ray.errors import OmniError, SourceError
from omni_ray.modalities.params import Params
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.corpus_state import CorpusState, Summary
from omni_ray.pipeline.engine import travel_by_value
from omni_ray.pipeline.prepare import CorpusRequest, run_requests
from omni_ray.pipeline.stages import Job
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.units import number_units
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import training_corpora
from omni_ray.quality.preset import Settings
from omni_ray.sources.unpacked import remove_copies

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from omni_ray.corpora.locate import LocatedCorpus


def make(store: Store, asked: PrepareOptions, session: Once) -> PrepareReport:
    """Index, transform and commit what was asked for. Raises OmniError as ``prepare`` does."""
    modalities = asked.modalities
    report = PrepareReport(max_quarantine=asked.max_quarantine)
    how = writing(modalities, asked.seed, asked.pack, asked.holdout, production=asked.combine)
    # All sources are found and indexed before anything is made or removed: a wrong path is reported at once.
    plans = [(each, _index(store, each, asked, report)) for each in modalities]
    for each, requests in plans:
        if asked.combine or asked.corpus_files:
            check_places(store, each, how, [request.job.name for request in requests])
    for request in (request for _, requests in plans for request in requests):
        request.begin()
    for each, requests in plans:
        _run(requests, session, report, asked)
        if asked.clean is not None:
            settings = Settings(asked.clean)
            clean_shards(store, each, settings, session=session, run=asked.cluster.run, reporter=asked.told)
            report.summaries = _as_cleaned(store, report.summaries)
        if asked.combine or asked.corpus_files:
            report.files += combine_one(store, each, how, session, asked)
    remove_copies(store.state_folder / "index")
    return report


def _index(store: Store, modality: str, asked: PrepareOptions, report: PrepareReport) -> list[CorpusRequest]:
    corpora = select(modality, asked.dataset)
    if asked.name is not None and len(corpora) != 1:
        raise OmniError(f"--name goes with a single corpus; --dataset {asked.dataset} is {len(corpora)} of them")
    refuse_twice(store.root, asked.sources)
    requests = []
    read: dict[str, NDArray[np.int64]] = {}
    for corpus in corpora:
        try:
            request, read[corpus.name] = _request(store, corpus, asked, is_alone=len(corpora) == 1)
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


def _run(requests: Sequence[CorpusRequest], session: Once, report: PrepareReport, asked: PrepareOptions) -> None:
    @contextmanager
    def session_with_user_corpora() -> Iterator[None]:
        with session():
            travel_by_value(own_modules())
            yield

    cluster = asked.cluster
    report.units_made += run_requests(
        requests, session_with_user_corpora, asked.told, cpus_per_task=cluster.cpus_per_task, gpus=cluster.gpus
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
    splits = ", ".join(request.state.measured)
    if not request.state.measured:
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
        "versions": [corpus.version, version, *([corpus.code] if corpus.code else [])],
        "params": params.as_json(),
        "columns": dict(options.columns),
        **({"keep_columns": True} if options.keep_columns else {}),
    }


def _request(
    store: Store, corpus: Corpus, asked: PrepareOptions, *, is_alone: bool
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
        say=asked.told.say,
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
    spec = {**found.tree.spec(), "points": str(cache.absolute()), "run": uuid.uuid4().hex}
    job = Job(name, Together(found.reader), spec, kind, params, corpus_store.storage, asked.keep_columns)
    state = replace(
        _state(job, found, identities(store.root, sources), choice(reading)),
        max_samples=limit,
        units=len(units),
        held_from=drafts.held_from,
    )
    return CorpusRequest(job, units, corpus_store, state, asked.reset), found.reads()


def _state(job: Job, found: LocatedCorpus, sources: tuple[str, ...], chosen: dict[str, list[str]]) -> CorpusState:
    """What is noted of a corpus where it was found; how far it is wanted, and how many units that takes, comes later."""
    return CorpusState(
        corpus=job.corpus.name,
        name=job.name,
        modality=job.modality.name,
        source=found.tree.location,
        params=job.params.as_json(),
        max_samples=None,
        units=0,
        required=0,
        unread_records=None,
        cut=None,
        licence=job.corpus.licence,
        homepage=job.corpus.homepage,
        files=found.files(),
        sources=sources,
        chosen=chosen,
        measured=found.measured(),
    )


def _as_cleaned(store: Store, summaries: Sequence[Summary]) -> list[Summary]:
    now = {(each.modality, each.name): each for each in (c.summary() for c in training_corpora(store))}
    return [now[each.modality, each.name] for each in summaries]
