"""The pages of docs/reference, which say what the code says: ``python -m tests.docs.generated`` writes them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields

from omni_ray import api
from omni_ray.option import options_of
from omni_ray.quality.clean import rules_of
from omni_ray.quality.duplicate_kinds import KINDS
from omni_ray.quality.reasons import QUALITY_REASONS
from omni_ray.quality.rules import Rule
from omni_ray.reasons import REASONS
from omni_ray.trainers.files import all_modalities
from omni_ray.unread import REASONS as UNREAD
from tests.docs.transcripts import DOCS


def _table(*rows: tuple[str, ...]) -> Iterator[str]:
    head, *others = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    yield from (head, "|" + "---|" * len(rows[0]), *others, "")


def commands() -> str:
    """Every command and option, as ``--help`` has them."""
    words = [sys.executable, "-m", "typer", "omni_ray.cli.commands", "utils", "docs", "--name", "omni-ray"]
    page = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return page.replace("# `omni-ray`", "# Commands", 1).rstrip() + "\n"


def rules() -> str:
    """Every rule of cleaning, with its limits and where it comes from, and every kind of duplicates."""
    lines = ["# Rules of cleaning", "", "What they judge and how is told in [cleaning](../quality.md).", ""]
    for modality in all_modalities():
        rows = [("rule", "judges", "measures", "kept", "reason", "source", "default", "strict")]
        for rule in rules_of(modality):
            judged = (
                (rule.unit, rule.says, rule.limits, f"`{rule.reason}`")
                if isinstance(rule, Rule)
                else ("changes", rule.says, "", "")
            )
            chosen = ["yes" if preset in rule.presets else "" for preset in ("default", "strict")]
            rows.append((f"`{rule.name}`", *judged, rule.source, *chosen))
        kinds = [("duplicates", "equal", "reason", "usual")]
        for name, kind in KINDS.items():
            if kind.modality == modality:
                kinds.append((f"`{name}`", kind.says, f"`{kind.reason}`", "yes" if kind.usual else ""))
        lines += [f"## {modality}", "", *_table(*rows), *(_table(*kinds) if len(kinds) > 1 else ())]
    return "\n".join(lines)


def reasons() -> str:
    """Every reason code, for records, samples and files."""
    records = [(f"`{code}`", "fault" if why.fault else "by design", why.meaning) for code, why in REASONS.items()]
    samples = [(f"`{code}`", why.meaning) for code, why in QUALITY_REASONS.items()]
    files = [(f"`{code}`", why.meaning) for code, why in UNREAD.items()]
    lines = [
        "# Reasons",
        "",
        "Faults count against `--max-quarantine`; what is left out by design does not.",
        "",
        *("## Records that are quarantined", "", *_table(("reason", "kind", "meaning"), *records)),
        *("## Samples that cleaning removes", "", *_table(("reason", "meaning"), *samples)),
        *("## Files that are not read", "", *_table(("reason", "meaning"), *files)),
    ]
    return "\n".join(lines)


def functions() -> str:
    """Every function of the API with what it says of itself, and the options that it takes."""
    lines = ["# Python", "", "::: omni_ray.api", "    options: {members: false}", ""]
    for name in api.__all__:
        lines += [f"::: omni_ray.api.{name}", ""]
        if kind := getattr(getattr(api, name), "takes", None):
            rows = [("argument", "default", "on the command line", "what")]
            names = [field.name for field in fields(kind)]
            for field in (each for each in options_of(kind) if each.name in names):
                default = "" if field.default is MISSING else f"`{field.default!r}`"
                flag = "" if field.option.is_argument else f"`{field.flag}`"
                what = f"False: {field.option.help}" if field.default is True else field.option.help
                rows.append((f"`{field.name}`", default, flag, what))
            if "cluster" in names:
                rows.append(("`cluster`", "`Cluster()`", "the rest of Where to run", "Where it runs, and with what."))
                rows.append(("`reporter`", "`None`", "`--quiet`", "Shows progress; by default on standard error."))
            lines += _table(*rows)
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "api.md": functions,
    "commands.md": commands,
    "rules.md": rules,
    "reasons.md": reasons,
}


def main() -> None:
    """Write all of them."""
    for name, page in PAGES.items():
        (DOCS / "reference" / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
