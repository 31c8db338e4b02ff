"""What a plan found, decided and wrote."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from omni_ray.errors import DONE, FALLS_SHORT, WRONG_INPUT
from omni_ray.training.configs import Config
from omni_ray.training.counts import Counts
from omni_ray.training.data import DataFile
from omni_ray.training.plan_types import ConfigPlan
from omni_ray.training.vocabulary import Vocabulary


@dataclass
class DataSet:
    """One file that trainers read, and what is in it."""

    file: DataFile
    counts: Counts = field(default_factory=Counts)
    problem: str = ""


@dataclass
class PlanReport:
    """What was found and decided, and what was written.

    Attributes:
        root: the project folder.
        dry_run: nothing was written.
        data: the data sets, each file once.
        tokenizer: the tokenizer all stages share; None where no stage planned needs one.
        plans: of each configuration asked for, in the order of training.
        sharers: configurations that are not planned, and get the ``vocab_size`` of the tokenizer they share.
        written: files, relative to the root.
    """

    root: str
    dry_run: bool
    data: list[DataSet] = field(default_factory=list)
    tokenizer: Vocabulary | None = None
    plans: list[ConfigPlan] = field(default_factory=list)
    sharers: list[Config] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Why some configurations could not be planned."""
        return [problem for plan in self.plans for problem in plan.problems]

    @property
    def exit_code(self) -> int:
        """0; 1 where a configuration could not be planned; 2 where none could."""
        if not self.problems:
            return DONE
        return FALLS_SHORT if any(not plan.problems for plan in self.plans) else WRONG_INPUT

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: every number with its rule and inputs."""
        return {
            "root": self.root,
            "dry_run": self.dry_run,
            "data": [_data_as_dict(each) for each in self.data],
            "tokenizer": _tokenizer_as_dict(self.tokenizer),
            "configs": [_plan_as_dict(plan) for plan in self.plans],
            "sharers": {
                config.name: [asdict(change) for change in config.changes] for config in self.sharers if config.changes
            },
            "written": self.written,
            "problems": self.problems,
            "exit_code": self.exit_code,
        }


def _data_as_dict(each: DataSet) -> dict[str, Any]:
    counts = each.counts.as_json()
    counts |= {"distinct_characters": len(each.counts.characters), "longest": each.counts.longest}
    del counts["characters"], counts["lengths"], counts["gaps"]
    file = each.file
    return {
        "dataset": file.dataset,
        "path": file.path,
        "origin": file.origin,
        **({"image_root": file.image_root} if file.image_root else {}),
        **counts,
        **({"problem": each.problem} if each.problem else {}),
    }


def _tokenizer_as_dict(vocabulary: Vocabulary | None) -> dict[str, Any] | None:
    if vocabulary is None:
        return None
    trained = vocabulary.trained
    return {
        "pieces": trained.pieces,
        "wanted": trained.wanted,
        "how": vocabulary.how,
        "written_to": vocabulary.places,
        "warnings": vocabulary.warnings,
    }


def _plan_as_dict(plan: ConfigPlan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "file": plan.file,
        "figures": {name: asdict(figure) for name, figure in plan.figures.items()},
        "changes": [asdict(change) for change in plan.changes],
        "warnings": plan.warnings,
        "problems": plan.problems,
    }
