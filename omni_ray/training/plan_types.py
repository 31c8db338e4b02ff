"""What a plan is made from, and what it is: plain values that travel between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omni_ray.training.clips import ClipSurvey
from omni_ray.training.configs import Config, KeyChange, file_name
from omni_ray.training.counts import Counts
from omni_ray.training.data import DataFile
from omni_ray.training.schedule import Figure, Rule

TITLES = {
    "thinker": "[Stage A] Text-only Training",
    "audio_enc": "[Stage B] Audio Encoder Training",
    "vision": "[Stage C] Vision Encoder Training",
    "talker": "[Stage D] Talker Training",
    "omni_sft": "[Stage E] Multimodal SFT Training",
    "vocoder": "[Vocoder] HiFi-GAN Training",
    "ocr": "[OCR] OCR Training",
}


@dataclass(frozen=True)
class PlanChoices:
    """What the user decides.

    Attributes:
        vram_gib: memory of the card, in GiB.
        steps_rule: how text steps are counted; None for whichever fits the data.
        allow_accumulation: write ``gradient_accumulation_steps`` above 1, for trainers that can use it.
        assumed_tokens: tokens of the text corpus, taken on trust; None where they were counted.
        has_token_counts: whether the tokens of the text corpus are known, counted or assumed.
    """

    vram_gib: float = 12.0
    steps_rule: Rule | None = None
    allow_accumulation: bool = False
    assumed_tokens: int | None = None
    has_token_counts: bool = True


@dataclass(frozen=True)
class Inputs:
    """What one configuration is planned from.

    Attributes:
        files: its data sets' files, and ``counts``: what is in them, both by data set.
        clips: what the clips of its CSV are like, where it has one.
        pieces: pieces of the tokenizer it will find; 0 where it uses none.
        has_weights: there are weights that were trained with the tokenizer.
        others: for the multimodal stage, the values of ``audio_enc``, ``vision`` and ``thinker``.
        thinker_ckpt: for the multimodal stage, the folder to take instead of the thinker's own; "" where its own will do.
    """

    config: Config
    files: Mapping[str, DataFile]
    counts: Mapping[str, Counts]
    clips: ClipSurvey | None = None
    pieces: int = 0
    has_weights: bool = False
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    thinker_ckpt: str = ""
    options: PlanChoices = field(default_factory=PlanChoices)


@dataclass
class ConfigPlan:
    """The plan of one training run.

    Attributes:
        config: the configuration as it should be; None where nothing could be planned.
        figures: every number, with its rule and inputs.
        warnings: what a person should know; the run works all the same.
        problems: why it could not be planned.
    """

    name: str
    config: Config | None = None
    figures: dict[str, Figure] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        """Of the configuration, relative to the project root."""
        return file_name(self.name)

    @property
    def title(self) -> str:
        """Of its stage."""
        return TITLES[self.name]

    @property
    def changes(self) -> list[KeyChange]:
        """What is to change in the file; nothing where there is a problem."""
        return self.config.changes if self.config and not self.problems else []

    def value(self, figure: str) -> int:
        """The whole number under ``figure``."""
        return int(self.figures[figure].value)
