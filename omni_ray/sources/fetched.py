"""What was fetched from a list of addresses: a ledger with a line for each, and the files, named by digest.

A line is written once a file is in place, so a kill costs only what was under way, and a rerun asks nobody twice. A list that grew,
was moved or lost rows has its addresses at other rows, in other units or another folder: what was fetched for it is found by
address, in the ledgers of all lists. Its server may be gone by then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from omni_ray.digests import number_of
from omni_ray.sources.holders import Holders, table_of
from omni_ray.sources.kept import locked
from omni_ray.sources.web import Answer

_THREADS = 16


@dataclass(frozen=True)
class FetchRecord:
    """What became of the address of one row.

    Attributes:
        row: its number in the unit, from 0.
        url: the address as listed; ``final`` the one that answered.
        status: the HTTP status; None where no server answered.
        size, sha256: of the file; 0 and "" where there is none.
        reason, detail: why there is none.
        round: how often failures had been tried again, when this was written.
    """

    row: int
    url: str
    final: str = ""
    status: int | None = None
    size: int = 0
    sha256: str = ""
    reason: str = ""
    detail: str = ""
    round: int = 0


class _Known:
    """The addresses in all ledgers that gave a file: twelve bytes for each.

    Args:
        folder: for all lists.
    """

    def __init__(self, folder: Path) -> None:
        self._ledgers = sorted(folder.glob("*/ledgers/*.jsonl"))
        keys = ((_key(entry.url) for entry in _lines(path) if not entry.reason) for path in self._ledgers)
        self._holders = Holders(table_of(keys))
        self._by_url = lru_cache(maxsize=8)(_by_url)  # neighbours in a list are mostly neighbours in a ledger

    def answers(self, url: str) -> Iterator[Answer]:
        """What an address gave, read from the files that are there."""
        for path in (self._ledgers[number] for number in self._holders.of(_key(url))):
            for entry in self._by_url(path).get(url, ()):
                data = _data(_file(path.parent.parent, entry), entry)
                if data is not None:
                    yield Answer(entry.status, data, final=entry.final)


@lru_cache(maxsize=1)
def _known(folder: Path, run: object) -> _Known:
    """As it was when a run first looked; what other units fetch meanwhile has rows of its own."""
    return _Known(folder)


def _key(url: str) -> int:
    return number_of(url.encode("utf-8", "surrogatepass"))


def _file(folder: Path, entry: FetchRecord) -> Path:
    return folder / "files" / entry.sha256[:2] / entry.sha256


def _data(path: Path, entry: FetchRecord) -> bytes | None:
    """The file of an entry; None where it is not there as it was fetched."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if sha256(data).hexdigest() == entry.sha256 else None


def _lines(ledger: Path) -> Iterator[FetchRecord]:
    """All entries, but for a line that a kill cut off."""
    try:
        lines = ledger.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield FetchRecord(**json.loads(line))
        except (ValueError, TypeError):
            continue


def _by_url(ledger: Path) -> dict[str, list[FetchRecord]]:
    """The entries that gave a file, by address."""
    found: dict[str, list[FetchRecord]] = {}
    for entry in _lines(ledger):
        if not entry.reason:
            found.setdefault(entry.url, []).append(entry)
    return found


class Fetched:
    """The ledger of one unit, and the files.

    Args:
        folder: for all of the list's ledgers and files.
        name: the unit's.
        run: tells one run from others in the same process.
    """

    def __init__(self, folder: Path, name: str, run: object = None) -> None:
        self._run = run
        self._folder = folder
        self._ledger = folder / "ledgers" / f"{name}.jsonl"
        self._round = folder / "ledgers" / f"{name}.round"

    @property
    def round(self) -> int:
        """How many rounds of retries were asked for."""
        try:
            return int(self._round.read_text())
        except (OSError, ValueError):
            return 0

    def try_again(self) -> None:
        """Let addresses that failed for a passing reason be tried again, unless those are still to be tried."""
        now = self.round
        if any(entry.reason == "unreachable" and entry.round >= now for entry in self.entries().values()):
            temporary = self._round.with_name(f"{self._round.name}.tmp")
            temporary.write_text(str(now + 1))
            temporary.replace(self._round)

    def entries(self) -> dict[int, FetchRecord]:
        """By row, the last entry for each."""
        return {entry.row: entry for entry in _lines(self._ledger)}

    def path(self, entry: FetchRecord) -> Path:
        """Where an entry's file is."""
        return _file(self._folder, entry)

    def complete(self, urls: Sequence[str], get: Callable[[str], Answer], round_: int) -> list[FetchRecord]:
        """An entry for each address, in order: those that are missing, or failed in an earlier round, are fetched."""
        self._ledger.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._ledger.with_suffix(".lock")):  # two attempts at a unit must not both fetch
            done = {
                row: entry
                for row, entry in self.entries().items()
                if row < len(urls) and entry.url == urls[row] and self._stands(entry, round_)
            }
            missing = [row for row in range(len(urls)) if row not in done]
            if missing:
                done.update(self._fetch(urls, missing, self._from_others(get), round_))
        return [done[row] for row in range(len(urls))]

    def _from_others(self, get: Callable[[str], Answer]) -> Callable[[str], Answer]:
        """What fetches an address, unless the file that it gave is there, whatever list it was fetched for."""
        known = _known(self._folder.parent, self._run)

        def found_or_fetched(url: str) -> Answer:
            return next(known.answers(url), None) or get(url)

        return found_or_fetched

    def _stands(self, entry: FetchRecord, round_: int) -> bool:
        if entry.reason:
            return entry.reason != "unreachable" or entry.round >= round_
        try:
            return self.path(entry).stat().st_size == entry.size
        except OSError:
            return False

    def _fetch(
        self, urls: Sequence[str], rows: Sequence[int], get: Callable[[str], Answer], round_: int
    ) -> dict[int, FetchRecord]:
        done = {}
        with self._ledger.open("ab") as ledger, ThreadPoolExecutor(_THREADS) as threads:
            ledger.write(b"\n" if ledger.tell() else b"")  # ends a line that a kill cut off
            for future in as_completed([threads.submit(self._one, row, urls[row], get, round_) for row in rows]):
                entry = future.result()
                ledger.write(json.dumps(asdict(entry)).encode() + b"\n")
                ledger.flush()
                done[entry.row] = entry
        return done

    def _one(self, row: int, url: str, get: Callable[[str], Answer], round_: int) -> FetchRecord:
        answer = get(url)
        under_way = self._ledger.with_suffix(f".{row}.tmp")  # the name of a file that lost its row to a kill
        if answer.data is None:
            under_way.unlink(missing_ok=True)
            return FetchRecord(
                row, url, answer.final, answer.status, reason=answer.reason, detail=answer.detail, round=round_
            )
        digest = sha256(answer.data).hexdigest()
        entry = FetchRecord(row, url, answer.final, answer.status, len(answer.data), digest, round=round_)
        target = self.path(entry)
        target.parent.mkdir(parents=True, exist_ok=True)
        under_way.write_bytes(answer.data)
        under_way.replace(target)
        return entry
