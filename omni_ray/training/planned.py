"""What is planned: the configurations, the data of each, and the problems that leave some of them out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.pipeline.store import Store
from omni_ray.training import configs as config_files
from omni_ray.training.configs import NAMES, Config, file_name
from omni_ray.training.data import KEYS, Choice, DataFile, choose, committed_shards
from omni_ray.training.plan_types import ConfigPlan
from omni_ray.training.schema import problems


class Planned:
    """The configurations of a project, read and checked, and the data of those to plan.

    Attributes:
        configs: all that can be read, by name.
        broken: problems of all, by name; they leave a configuration out, and those that need it.
        plans: of those asked for, to be filled.
        files: of each of them its data sets.
    """

    def __init__(self, root: Path, store: Store, data: Choice, names: Sequence[str]) -> None:
        self.root, self.data = root, data
        self.shards_of = committed_shards(store)
        self.configs: dict[str, Config] = {}
        self.broken: dict[str, list[str]] = {}
        self.plans: dict[str, ConfigPlan] = {}
        self.files: dict[str, dict[str, DataFile]] = {}
        self._read(names)

    def _read(self, names: Sequence[str]) -> None:
        """Read and check every configuration, and choose the data of those asked for."""
        for name in NAMES:
            try:
                self.configs[name] = config_files.read(self.root, name)
                self.broken[name] = problems(name, self.configs[name].values)
            except OmniError as error:
                self.broken[name] = [str(error)]
        for name in names:
            plan = self.plans[name] = ConfigPlan(name)
            plan.problems += self.broken[name]
            if name == "omni_sft" and not plan.problems:
                plan.problems += self._encoder_problems()
            if not plan.problems:
                self._choose_data(plan)

    def _encoder_problems(self) -> list[str]:
        file = file_name("omni_sft")
        found = [
            f"{file}: its trainer reads {file_name(name)} too, which cannot be used"
            for name in ("audio_enc", "vision")
            if self.broken[name]
        ]
        if not found:
            vision = self.configs["vision"]
            size, patch = vision.get("img_size", 224), vision.get("patch", 16)
            if size // patch < 224 // patch:
                found.append(
                    f"{file}: its trainer feeds images of 224, and img_size in {file_name('vision')} is {size}"
                )
        return found

    def _choose_data(self, plan: ConfigPlan) -> None:
        files = self.files[plan.name] = {}
        for dataset in KEYS[plan.name]:
            try:
                files[dataset] = self._choose(plan.name, dataset)
            except OmniError as error:
                plan.problems.append(f"{plan.file}: {self.shown(str(error))}")

    def _choose(self, name: str, dataset: str) -> DataFile:
        return choose(self.root, self.shards_of, self.configs[name], dataset, self.data)

    def shown(self, text: str) -> str:
        """A problem for people, with files named as the project does."""
        return text.replace(f"{self.root.absolute()}/", "")

    def left(self) -> list[ConfigPlan]:
        """Those without problems."""
        return [plan for plan in self.plans.values() if not plan.problems]
