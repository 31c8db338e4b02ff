"""Text of the user's own: files with one record per line, and tables with a column of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from omni_ray.corpora.base import CHATS, Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.table_repeats import text_units
from omni_ray.errors import SourceError
from omni_ray.sources.copies import names_once
from omni_ray.sources.line_blocks import line_units, read_lines
from omni_ray.sources.nameless import content_of
from omni_ray.sources.tables import read_table_unit
from omni_ray.trainers.files import FILES

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.sources.tree import Tree

_WHOLE, _HELD_OUT = FILES["text"].production, FILES["text"].held_out
_BYTES_PER_LINE = 200
"""Only an estimate."""


class TextFiles(Corpus):
    """A record is a line of a text file, or a row of a table; blank lines are no records.

    Line files come first, then tables, each in the order of their names. A document of several paragraphs needs a
    table: its line feeds separate them.
    """

    name = "text_files"
    modality = "text"
    title = "Text files and tables of your own"
    licence = "Yours to know"
    layout = (
        ".txt files with a record a line (also .gz, .bz2, .xz, .zst), or Parquet, Arrow, JSONL, JSON, CSV or TSV files "
        "with a column called text (any other: --columns text=NAME), conversations (messages, ShareGPT), or questions with "
        "their answers (Alpaca)"
    )
    manual = "Name your folder or file with --source."
    columns: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "text": ("text", "content", "sentence", "document", "body", CHATS),
        "title": ("title",),
        "url": ("url",),
        "lang": ("lang", "language"),
    }
    version = 5
    in_all = False
    keeps_columns = True

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """Byte ranges of line files, then slices of tables."""
        names = [name for name in names_once(tree) if content_of(tree, name) == "text"]
        again = _said_again(tree, names)
        for name in names:
            if name in again:
                tree.set_aside(name, "copy")
            else:
                yield from line_units(tree, name, options, _BYTES_PER_LINE)
        yield from text_units(tree, self.columns, options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected | pa.Table]:
        """The lines of a range, or the rows of a slice."""
        if "table" in payload:
            return read_table_unit(tree, payload)

        return read_lines(tree, payload)


def _said_again(tree: Tree, names: list[str]) -> set[str]:
    """Files of single corpora beside the training file of all of them, which has their lines in a different order.

    Raises:
        SourceError: there are others beside it: which lines they share cannot be told.
    """
    again: set[str] = set()
    for whole in (name for name in names if name.rpartition("/")[2] == _WHOLE):
        folder = whole.removesuffix(_WHOLE)
        beside = [name for name in names if name.rpartition("/")[0] == folder.rstrip("/")]
        made = {whole, folder + _HELD_OUT}
        parts = [name for name in beside if name not in made]
        sizes = [
            sum(map(tree.size, (each for each in beside if (each in made) is is_made))) for is_made in (True, False)
        ]
        if parts and sizes[0] != sizes[1]:
            raise SourceError(
                f"{whole} has the lines of several corpora, and of the files beside it perhaps those once more; name the "
                "one that is meant as the source, or move the others away"
            )
        again.update(parts)
    return again
