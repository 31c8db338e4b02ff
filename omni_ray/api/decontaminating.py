"""Reading the text of benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.pipeline.store import Store
from omni_ray.sources.extra import REST

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.quality.preset import Benchmark


def read_benchmark(store: Store, source: str, say: Callable[[str], None]) -> Benchmark:
    """Read a benchmark, whatever text its files hold in whatever columns, and keep its runs of words beside the shards.

    Args:
        store: the shards.
        source: a file, a folder, an archive, or a dataset on the hub.
        say: told how much was found.

    Raises:
        OmniError: it is not there, or has too few words in a row to look for.
    """
    from omni_ray.quality.benchmarks import RUN, benchmarks_of, save_runs

    lost: list[str] = []
    benchmark, runs = save_runs(benchmarks_of(store), source, _texts(store, source, lost, say))
    unread = f"; {len(lost):,} of its records cannot be read, the first at {lost[0]}" if lost else ""
    say(f"{source}: {runs:,} runs of {RUN} words to look for{unread}")
    return benchmark


def _texts(store: Store, source: str, lost: list[str], say: Callable[[str], None]) -> Iterator[pa.Array]:
    """All text, some records at a time; ``lost`` gets the places of what cannot be read."""
    import pyarrow as pa

    from omni_ray.corpora.locate import locate
    from omni_ray.corpora.text_files import TextFiles

    options = SourceOptions(columns={"text": REST})
    found = locate(TextFiles(), store.root, source, options, cache=store.state_folder / "index", say=say)
    for draft in found.drafts:
        for item in found.reader.read(found.tree, draft.payload):
            if isinstance(item, Rejected):
                lost.append(item.where)
            elif isinstance(item, dict):
                yield pa.array([item["text"]], pa.large_string())
            else:
                yield item["text"].combine_chunks()
