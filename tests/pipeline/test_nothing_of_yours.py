"""Whatever commands follow each other: a file that is not ours is, afterwards, as it was, or kept beside as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.export.run import export
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.synth.tiny import synthesize_tiny
from omni_ray.training.plan import plan
from omni_ray.training.vocabulary import train_tokenizer
from omni_ray.verify.run import verify
from tests.examples import examples
from tests.made_store import audio_row, commit, text_row
from tests.without_ray import Here


def prepared(root: Path, number: int) -> None:
    """What a finished ``prepare --reset`` of one corpus of text and one of clips leaves."""
    for modality, rows in (("text", [text_row(n) for n in range(9)]), ("audio", [audio_row(n) for n in range(4)])):
        corpus = Store(root).corpus(modality, "diary")
        corpus.reset()
        commit(root, modality, "diary", [rows[number % 2 :]])


COMMANDS: dict[str, Callable[[Path, int], object]] = {
    "prepare --reset": prepared,
    "clean": lambda root, n: api.clean(root, ["text", "audio"], preset=("default", "off")[n % 2], cluster=Here()),
    "combine": lambda root, n: api.combine(root, ["text", "audio"], seed=n, cluster=Here()),
    "combine --replace": lambda root, n: api.combine(root, ["audio"], seed=n, replace=True, cluster=Here()),
    "combine --holdout": lambda root, n: api.combine(root, ["text", "audio"], holdout=0.3, cluster=Here()),
    "synth": lambda root, n: synthesize_tiny(root, 2 + n, n % 2, kinds=["text", "images"]),
    "report": lambda root, n: api.write_report(root),
    "plan": lambda root, n: plan(root, configs=["thinker"]),
    "tokenizer train": lambda root, n: train_tokenizer(root, vocab_size=50 + n, force=n % 2 == 0),
    "verify": lambda root, n: verify(root),
    "export": lambda root, n: export(
        Store(root), "hf", root / "export", modalities=[("text", "audio")[n % 2]], run=inline
    ),
}
PLACES = [
    "data/text/production_corpus.txt",
    "data/text/tiny_corpus.txt",
    "data/text/diary.txt",
    "data/audio/diary/train/19/1.flac",
    "data/audio/heldout_asr.csv",
    "data/images/synthetic/000001.jpg",
    "data/images/annotations.json",
    "data/report.html",
    "data/shards/text/diary/part-00003.parquet",
    "data/shards/text/diary/part-00000.json",
    "data/shards/audio/diary/notes.txt",
    "configs/thinker_tiny.json",
    "configs/thinker_tiny.json.bak",
    "checkpoints/thinker_tiny/tokenizer.vocab",
    "checkpoints/thinker_tiny/tokenizer.model.bak",
    "export/README.md",
    "export/notes.txt",
]
COPIES = {"configs", "checkpoints"}
"""Where what is replaced is kept beside, without being asked."""


def is_kept(root: Path, name: str, data: bytes, step: str) -> bool:
    places = [root / name]
    if name.partition("/")[0] in COPIES or step == "combine --replace":
        places += (root / name).parent.glob(f"{Path(name).name}*.bak")
    return any(each.is_file() and each.read_bytes() == data for each in places)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A project before any command but prepare, and after all of them."""
    before, after = tmp_path_factory.mktemp("before") / "project", tmp_path_factory.mktemp("after") / "project"
    for root in (before, after):
        prepared(root, 0)
    for command in COMMANDS.values():
        command(after, 0)
    return {"before": before, "after": after}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_each_command_keeps_what_is_yours(made: dict[str, Path], tmp_path: Path, name: str, when: str) -> None:
    shutil.copytree(made[when], tmp_path, dirs_exist_ok=True)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b'{"mine": 1}\n' + (path.read_bytes() if path.exists() else b"")
    path.write_bytes(data)
    for number, step in enumerate(COMMANDS, 1):
        with suppress(OmniError):
            COMMANDS[step](tmp_path, number)
        if step == "combine --replace" and list(path.parent.glob(f"{path.name}.*.bak")):
            assert is_kept(tmp_path, name, data, step)
            return  # asked to put it aside
        assert is_kept(tmp_path, name, data, step), step


STEPS = st.lists(
    st.tuples(st.sampled_from([*COMMANDS, "mine", "edit"]), st.integers(0, len(PLACES) - 1)), min_size=2, max_size=7
)
MINE = b'{"batch_size": 4,\n "mine": %d}\n'


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@settings(
    max_examples=examples(10),
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS)
def test_any_sequence_of_commands_keeps_every_byte_of_yours(tmp_path: Path, steps: list[tuple[str, int]]) -> None:
    root = tmp_path / "project"
    shutil.rmtree(root, ignore_errors=True)
    prepared(root, 0)
    mine: dict[str, bytes] = {}
    for number, (step, pick) in enumerate(steps):
        path = root / PLACES[pick]
        if step == "mine" or (step == "edit" and path.exists()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(MINE % number + (path.read_bytes() if step == "edit" else b""))
            mine[PLACES[pick]] = path.read_bytes()
        elif step in COMMANDS:
            with suppress(OmniError):
                COMMANDS[step](root, pick)
        for name, data in mine.items():
            assert is_kept(root, name, data, "combine --replace"), (name, steps[: number + 1])
