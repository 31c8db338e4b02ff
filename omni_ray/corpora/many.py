"""One corpus out of several sources: the units of each, one source after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Unpack

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft, Wrapped, downloads_folder
from omni_ray.corpora.locate import HowToFetch, LocatedCorpus, locate
from omni_ray.errors import SourceError
from omni_ray.media_names import plain_name
from omni_ray.sources.many import ManyTree, name_in
from omni_ray.unread import Files

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.sources.tree import Tree

_SOURCE = "//"
"""The key of a payload that says which source it belongs to: number and label. That of the first source has none."""


def locate_all(
    corpus: Corpus,
    root: Path,
    sources: Sequence[str],
    options: SourceOptions,
    *,
    all_of_them: bool,
    **how: Unpack[HowToFetch],
) -> tuple[LocatedCorpus, list[str]]:
    """Find and index ``corpus`` in each of ``sources``; in the downloads folder where there are none.

    Args:
        all_of_them: whether each source must hold the corpus; if not, those that do are taken.
        corpus, root, options, how: as for :func:`omni_ray.corpora.locate.locate`.

    Returns:
        What was found, and in which sources.

    Raises:
        SourceError: it is not there, or not laid out as the corpus needs.
        OmniError: it cannot be fetched.
    """
    found: list[tuple[str, LocatedCorpus]] = []
    problem: SourceError | None = None
    for source in sources or (None,):
        try:
            one = locate(corpus, root, source, options, **how)
            found.append((source or str(downloads_folder(root, corpus)), one))
        except SourceError as error:
            if all_of_them:
                raise
            problem = problem or error
    if not found:
        assert problem is not None
        raise problem
    names = [name for name, _ in found]
    return (found[0][1] if len(found) == 1 else FoundInMany([each for _, each in found], names)), names


class FoundInMany(LocatedCorpus):
    """Sources as one."""

    def __init__(self, found: Sequence[LocatedCorpus], sources: Sequence[str]) -> None:
        self._found = list(found)
        labels = [f"{plain_name(PurePath(source).name)}-{number}" for number, source in enumerate(sources, 1)]
        super().__init__(
            ManyTree([each.tree for each in found]),
            _all_drafts(found, labels),
            ManyReaders([each.reader for each in found]),
            found[0].splits,
            found[0].evaluation,
        )

    def _watched(self, drafts: Iterator[UnitDraft]) -> Iterator[UnitDraft]:
        return drafts  # each source watches its own

    def measured(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(split for each in self._found for split in each.measured()))

    def files(self) -> Files:
        counts = [each.files() for each in self._found]
        unread = sorted((group for each in counts for group in each.unread), key=lambda group: not group.fault)
        return Files(sum(each.read for each in counts), unread)


def _all_drafts(found: Sequence[LocatedCorpus], labels: Sequence[str]) -> Iterator[UnitDraft]:
    for number, (each, label) in enumerate(zip(found, labels, strict=True)):
        for draft in each.drafts:
            if not number:
                yield draft
                continue
            inputs, reads = (tuple(name_in(number, name) for name in names) for names in (draft.inputs, draft.reads))
            yield replace(draft, payload={**draft.payload, _SOURCE: [number, label]}, inputs=inputs, reads=reads)


class ManyReaders(Wrapped):
    """Reads each unit with its source's reader; ids and media of all sources but the first get the source's label."""

    def __init__(self, readers: Sequence[Corpus]) -> None:
        super().__init__(readers[0])
        self.readers = tuple(readers)

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        raise NotImplementedError("each source is indexed by itself")

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected | pa.Table]:
        assert isinstance(tree, ManyTree)
        number, label = payload.get(_SOURCE, (0, ""))
        inner = {key: value for key, value in payload.items() if key != _SOURCE}
        items = self.readers[number].read(tree.trees[number], inner)
        yield from (_labelled(item, label) for item in items) if number else items


def _labelled(item: dict[str, Any] | Rejected | pa.Table, label: str) -> dict[str, Any] | Rejected | pa.Table:
    named = f"{label}/"
    if isinstance(item, Rejected):
        return replace(item, id=named + item.id, where=named + item.where)
    if isinstance(item, dict):
        item = {**item, **{key: named + item[key] for key in ("id", "where", "path") if item.get(key) is not None}}
        if "words" in item:
            item["words"] = [{**word, "id": named + word["id"]} for word in item["words"]]
        return item
    import pyarrow as pa
    import pyarrow.compute as pc

    for key in ("id", "where"):
        if key in item.column_names:
            place = item.schema.get_field_index(key)
            prefix = pa.scalar(named, item[key].type)
            joined = pc.binary_join_element_wise(prefix, item[key], pa.scalar("", item[key].type))
            item = item.set_column(place, item.schema.field(place), joined)
    return item
