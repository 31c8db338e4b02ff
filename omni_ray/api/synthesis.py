"""Making corpora up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omni_ray.api.cluster import Cluster
from omni_ray.api.options import SynthesisOptions, verb
from omni_ray.pipeline import engine
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.results import Report
from omni_ray.synth import native
from omni_ray.synth.native_task import CorpusToWrite, ExpectedCounts
from omni_ray.synth.tiny import TinyReport, synthesize_tiny
from omni_ray.visible import visible


@verb(SynthesisOptions)
def synthesize(root: Path, asked: SynthesisOptions) -> TinyReport:
    """Write the tiny training files: synthetic text, speech, pictures and words, made in parallel on Ray.

    Raises:
        OmniError: a file cannot be written.

    Example:
        >>> [(file.path, file.samples) for file in api.synthesize("made_up", samples=4).files][:2]
        [('data/text/tiny_corpus.txt', 4), ('data/audio/asr.csv', 4)]
    """
    told = asked.told

    def run(function: Callable[[Any], int], chunks: Iterable[Any]) -> Iterator[int]:
        todo = list(chunks)
        with asked.cluster.session():
            told.begin("synthetic", len(todo), stage="synth")
            for chunk, made in zip(todo, asked.cluster.run(function, todo), strict=True):
                told.advance("synthetic", kept=chunk.stop - chunk.start)
                yield made
            told.end()

    with Store(root).lease("omni-ray synth"), told.together():
        return synthesize_tiny(root, asked.samples, asked.seed, run)


class NativeReport(Report, dict[str, ExpectedCounts]):
    """Corpora that were made up: what to expect of each, by the name of its folder.

    Attributes:
        folder: where they are.
    """

    def __init__(self, folder: str | Path, made: Mapping[str, ExpectedCounts]) -> None:
        super().__init__(made)
        self.folder = folder

    def lines(self) -> list[str]:
        return [visible(f"{len(self)} corpora in {self.folder}: {', '.join(self)}")]

    def as_dict(self) -> dict[str, Any]:
        return {name: vars(each) for name, each in self.items()}


def synthesize_native(
    folder: str | Path,
    *,
    seed: int = SynthesisOptions.seed,
    scale: float = 1.0,
    cluster: Cluster | None = None,
    reporter: Reporter | None = None,
) -> NativeReport:
    """Write small corpora in their native layouts, each in a folder of its name, made in parallel on Ray.

    Args:
        folder: an empty folder, or one with corpora that this function wrote.
        seed: the same seed gives the same bytes.
        scale: multiplies the number of records, some hundreds to a thousand for each modality.
        cluster, reporter: as for :func:`prepare`.

    Raises:
        OmniError: a folder holds something else, or cannot be written.

    Example:
        >>> made = api.synthesize_native("corpora", scale=0.01)
        >>> made["librispeech"].modality
        'audio'
    """
    told = reporter or usual()

    def run(
        write: Callable[[CorpusToWrite], list[ExpectedCounts]], tasks: Iterable[CorpusToWrite]
    ) -> Iterator[list[ExpectedCounts]]:
        todo = list(tasks)
        for task in todo:
            told.begin(task.name, 1, stage="synth")
        for task, made in zip(todo, engine.on_ray(write, todo), strict=True):
            told.advance(task.name, kept=sum(each.records for each in made))
            yield made

    with (cluster or Cluster()).session(), told.together():
        return NativeReport(folder, native.write_native(folder, seed, scale, run=run))
