"""What was fetched from a list of addresses: a ledger with a line for each, and the files, named by digest.

A line is written once a file is in place, so a kill costs only what was under way, and a rerun asks nobody twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

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


class Fetched:
    """The ledger of one unit, and the files.

    Args:
        folder: for all of the list's ledgers and files.
        name: the unit's.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._ledger = folder / "ledgers" / f"{name}.jsonl"
        self._round = folder / "ledgers" / f"{name}.round"
        self._files = folder / "files"

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
        """By row, the last entry for each; a line that a kill cut off does not count."""
        found: dict[int, FetchRecord] = {}
        try:
            lines = self._ledger.read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        for line in lines:
            try:
                entry = FetchRecord(**json.loads(line))
            except (ValueError, TypeError):
                continue
            found[entry.row] = entry
        return found

    def path(self, entry: FetchRecord) -> Path:
        """Where an entry's file is."""
        return self._files / entry.sha256[:2] / entry.sha256

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
                done.update(self._fetch(urls, missing, get, round_))
        return [done[row] for row in range(len(urls))]

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
