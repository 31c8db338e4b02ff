"""The table of contents of an archive, on disk: a SQLite table of its members, sorted by name.

An archive may have millions of members. Nothing here holds them as Python objects: they are written as they come.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from omni_ray.sources.tree import RefusedMembers
from omni_ray.storage import atomic_writer


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: relative, with forward slashes.
        offset: where it begins: in a tar, its data in the unpacked stream; in a zip, its local header in the file.
        size: bytes, unpacked, as the archive declares.
        packed: bytes it takes in a zip; the same as ``size`` in a tar.
        method: of compression in a zip; 0 in a tar.
        crc: CRC-32 of the bytes in a zip; -1 where the archive has none.
    """

    name: str
    offset: int
    size: int
    packed: int
    method: int = 0
    crc: int = -1


_COLUMNS = ", ".join(Member._fields)
_BEGIN = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
BEGIN;
CREATE TABLE members ({_COLUMNS}, number, PRIMARY KEY (name, number)) WITHOUT ROWID;
"""
"""Until the file has its name, nobody reads it, and a kill costs all of it. 64 MiB hold the names being sorted."""
_REPLACED = """
SELECT name, next_crc = crc AND crc >= 0 AND next_size = size FROM (
    SELECT *, lead(number) OVER same AS next, lead(crc) OVER same AS next_crc, lead(size) OVER same AS next_size
    FROM members WINDOW same AS (PARTITION BY name ORDER BY number)
) WHERE next IS NOT NULL
"""
"""Members that later ones of their names replace: copies of those where size and CRC-32 are the same."""
_REMOVE = """
DELETE FROM members WHERE number < (SELECT max(number) FROM members AS same WHERE same.name = members.name)
"""


def write(path: Path, members: Iterable[Member], refused: RefusedMembers | None = None) -> int:
    """Write members; of several with one name, the last is kept, as unpacking would, and the others are counted as refused.

    Args:
        path: the file; it appears when it is whole. Nobody waits for the disk: there may be thousands.
        members: in archive order.
        refused: what was left out; read when ``members`` are exhausted.

    Returns:
        how many are kept.

    Raises:
        OSError: the file cannot be written.
    """
    refused = RefusedMembers() if refused is None else refused
    try:
        with atomic_writer(path, sync=False) as out, closing(_connected(Path(out.name), "nolock")) as database:
            database.executescript(_BEGIN)
            rows = ((*member, number) for number, member in enumerate(members))
            database.executemany("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            for name, is_copy in database.execute(_REPLACED):
                refused.add(name, "a later member has its name", "copy" if is_copy else "superseded")
            if refused:
                database.execute(_REMOVE)
            said = json.dumps(vars(refused))
            database.execute("CREATE TABLE note AS SELECT count(*), total(size), ? FROM members", [said])
            database.commit()
            [count] = database.execute("SELECT count(*) FROM members").fetchone()
    except sqlite3.OperationalError as error:
        is_full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise OSError(errno.ENOSPC if is_full else errno.EIO, str(error)) from error
    return int(count)


def _connected(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}=1", uri=True, check_same_thread=False)


class _Open:
    """A table that is open for reading as long as this object lives, and no longer."""

    def __init__(self, path: Path) -> None:
        self.database = _connected(path, "immutable")
        weakref.finalize(self, self.database.close)


@lru_cache(maxsize=64)  # each is an open file, and a folder may have thousands of archives
def _opened(path: Path) -> _Open:
    return _Open(path)


class Listing:
    """A written table of contents. Any thread may read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        table = _opened(path)
        self._count, size, note = table.database.execute("SELECT * FROM note").fetchone()
        self.total_bytes = int(size)
        """Of all members, unpacked, as the archive declares."""
        said = json.loads(note)
        self.refused = RefusedMembers(said["counts"], [(reason, name, why) for reason, name, why in said["examples"]])

    def __len__(self) -> int:
        return int(self._count)

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Every member's name and bytes, by name."""
        yield from _opened(self._path).database.execute("SELECT name, size FROM members ORDER BY name")

    def find(self, name: str) -> Member | None:
        """The member called ``name``, or None."""
        table = _opened(self._path)
        try:
            found = table.database.execute(f"SELECT {_COLUMNS} FROM members WHERE name = ?", [name]).fetchone()
        except UnicodeEncodeError:
            return None
        return None if found is None else Member(*found)

    def children(self, folder: str) -> tuple[list[str], list[str]]:
        """Names of folders and files directly in ``folder``, each sorted; whole subfolders are jumped over."""
        table = _opened(self._path)
        names = "SELECT name FROM members WHERE name >= ? ORDER BY name"
        prefix = f"{folder}/" if folder else ""
        folders: list[str] = []
        files: list[str] = []
        rows = table.database.execute(names, [prefix])
        while (found := next(rows, ("",))[0]).startswith(prefix) and found:
            head, slash, _ = found[len(prefix) :].partition("/")
            (folders if slash else files).append(head)
            if slash:
                rows = table.database.execute(names, [f"{prefix}{head}0"])  # "0" follows "/"
        return sorted(folders), sorted(files)
