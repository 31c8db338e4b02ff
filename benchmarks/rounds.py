"""What benchmarks share: sides take turns, and medians are compared with their spread; options; processes and their memory."""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from omni_ray.errors import OmniError

Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's table.

    Attributes:
        task: what is done, such as "photos to 224 px".
        side: who does it: "ours", a peer's name, or a limit.
        amount, unit: how much one round does, such as 1200 "images".
        seconds: wall seconds of every round.
        cpu_seconds: CPU seconds of every round: this process and all that descend from it.
        clock: which of the two the rate is by.
        budget: the least ratio ours must have over this side, where there is one.
    """

    task: str
    side: str
    amount: float
    unit: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    clock: str = "wall"
    budget: float | None = None

    @property
    def times(self) -> list[float]:
        return self.seconds if self.clock == "wall" else self.cpu_seconds

    @property
    def rate(self) -> float:
        """Amount a second, by the median round."""
        return self.amount / statistics.median(self.times)

    @property
    def spread(self) -> float:
        """Half of the range of the rounds, as a share of their median."""
        return (max(self.times) - min(self.times)) / 2 / statistics.median(self.times)


def compare(
    task: str,
    amount: float,
    unit: str,
    sides: Mapping[str, Callable[[], Any]],
    *,
    rounds: int = 5,
    clock: str = "wall",
    budgets: Mapping[str, float] | None = None,
    warm_up: bool = True,
    before: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Run every side once to warm up and then ``rounds`` times, in turn, so that a slow minute meets them all.

    ``before`` each run comes what is not timed.
    """
    rows = {name: Row(task, name, amount, unit, clock=clock, budget=(budgets or {}).get(name)) for name in sides}
    for number in range(-1 if warm_up else 0, rounds):
        for name, run in sides.items():
            before()
            gc.collect()
            wall, cpu = time.perf_counter(), _cpu()
            run()
            if number >= 0:
                rows[name].seconds.append(time.perf_counter() - wall)
                rows[name].cpu_seconds.append(_cpu() - cpu)
    return list(rows.values())


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime + _descendants()


def _descendants() -> float:
    """CPU seconds of processes that descend from this one and live, such as a pool's or Ray's; 0 without /proc."""
    return sum(below_this().values()) / os.sysconf("SC_CLK_TCK")


def below_this() -> dict[int, int]:
    """Processes that descend from this one and live, and the clock ticks each has had."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
            ticks[int(stat.parent.name)] = sum(map(int, fields[11:15]))
    found: list[int] = []
    todo = [os.getpid()]
    while todo:
        above = todo.pop()
        below = [pid for pid, parent in parents.items() if parent == above]
        found += below
        todo += below
    return {pid: ticks[pid] for pid in found}


def peak(pid: int | str = "self") -> float:
    """Peak memory of a process so far, in MiB. Not getrusage's, which begins with that of the process that started it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def apart(function: Callable[..., Result], *given: Any) -> Result:
    """What a function of a module returns in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *given).result()


def run(rows: Callable[..., Sequence[Row]], doc: str | None) -> None:
    """A benchmark as a program: its options are the parameters of ``rows``, and ``--json``, which prints every round."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, each in signature(rows, eval_str=True).parameters.items():
        kind, default = each.annotation, each.default
        how: dict[str, Any] = {"required": True} if default is each.empty else {"default": default}
        if get_origin(kind) is Literal:
            how["choices"] = get_args(kind)
        elif get_origin(kind) is Sequence:
            how |= {"type": get_args(kind)[0], "nargs": "*"}
        else:
            how["type"] = get_args(kind)[0] if get_args(kind) else kind
        parser.add_argument(f"--{name.replace('_', '-')}", **how)
    parser.add_argument("--json", action="store_true", help="every round of every side")
    options = vars(parser.parse_args())
    as_json = options.pop("json")
    try:
        show(rows(**options), as_json=as_json)
    except OmniError as error:
        raise SystemExit(str(error)) from error


def show(rows: Sequence[Row], *, as_json: bool = False) -> None:
    """Print the rows: a Markdown table, or JSON with every round."""
    if as_json:
        print(json.dumps({"machine": machine(), "rows": [_as_dict(row, rows) for row in rows]}, indent=2))
        return
    print("| task | side | rate | spread | ours is | budget |\n|---|---|---|---|---|---|")
    for row in rows:
        ratio = _ratio(row, rows)
        is_ours = row.side == "ours"
        print(
            f"| {row.task} | {row.side} | {_number(row.rate)} {row.unit}/{'s' if row.clock == 'wall' else 'CPU s'} "
            f"| ±{row.spread:.0%} | {'' if is_ours or ratio is None else f'{ratio:.2f}x'} "
            f"| {'' if row.budget is None else f'{row.budget:g}x'} |"
        )


def machine(*packages: str) -> dict[str, Any]:
    """What a figure depends on: processor, cores, Python, versions."""
    found = {"machine": platform.machine(), "cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
    for name in packages or ("ray", "torch", "pillow", "pyarrow", "soundfile", "soxr", "sentencepiece"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _ratio(row: Row, rows: Sequence[Row]) -> float | None:
    ours = next((each for each in rows if each.task == row.task and each.side == "ours"), None)
    return ours.rate / row.rate if ours else None


def _as_dict(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    return {**asdict(row), "rate": row.rate, "spread": row.spread, "ours_ratio": _ratio(row, rows)}


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
