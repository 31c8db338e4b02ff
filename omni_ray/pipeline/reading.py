"""Tables that are read on any machine, as a dataset of Ray Data, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data


def read_in_order(
    readers: Sequence[Callable[[], Iterable[pa.Table]]], sizes: Sequence[int], schema: pa.Schema
) -> ray.data.Dataset:
    """A lazy dataset of what ``readers`` give, one read task each; rows keep their order.

    Args:
        readers: picklable.
        sizes: bytes of each, about.
        schema: of all their tables.
    """
    import ray.data
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    class Tables(Datasource):
        """One read task for each reader."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]

        def estimate_inmemory_data_size(self) -> int | None:
            return sum(sizes)

        def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[Any]:
            about = [BlockMetadata(num_rows=None, size_bytes=size, input_files=None, exec_stats=None) for size in sizes]
            return [ReadTask(read, each, schema) for read, each in zip(readers, about, strict=True)]

    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    with ray.data.DataContext.current(context):
        return ray.data.read_datasource(  # type: ignore[no-any-return]
            Tables(), override_num_blocks=max(1, len(readers))
        )
