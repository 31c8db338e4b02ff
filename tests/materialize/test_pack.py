"""Packed lines: what the trainer sees at once, of one document each, and nothing of the text is lost or said twice."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray import api
from omni_ray.cli import running
from omni_ray.cli.commands import app
from omni_ray.errors import OmniError
from omni_ray.materialize.combine import Combined, TrainingFileOptions, combine
from omni_ray.materialize.pack import pack_rows
from omni_ray.modalities.hold_out import held_out
from omni_ray.modalities.lines import one_line
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter
from omni_ray.training.plan import plan
from omni_ray.training.tokenizer import TokenizerRequest, train
from omni_ray.training.tokens import TokenCounter
from omni_ray.training.vocabulary import train_tokenizer
from omni_ray.verify.run import verify
from tests.conftest import without_ray
from tests.examples import examples
from tests.made_store import commit
from tests.quality.conftest import text_table

Documents = list[list[str]]
WORDS = ["the", "of", "and", "river", "lantern", "harbour", "mountain", "seven", "quick", "teacher", "bridge", "winter"]
CORPUS = Path("data/text/production_corpus.txt")


def documents(count: int, seed: int = 7, sentences: int = 4) -> Documents:
    """Documents of one to twelve paragraphs of a few sentences each."""
    rng = random.Random(seed)

    def sentence() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(3, 12))).capitalize() + "."

    return [
        [" ".join(sentence() for _ in range(rng.randint(1, sentences))) for _ in range(rng.randint(1, 12))]
        for _ in range(count)
    ]


def commit_documents(root: Path, shards: Sequence[Documents], name: str = "pages", **more: Any) -> None:
    """A corpus; documents are numbered over all its shards."""
    pages = itertools.count()
    rows = [
        [
            {"id": f"{name} {page}#{n}", "text": line}
            for lines, page in zip(shard, pages, strict=False)
            for n, line in enumerate(lines)
        ]
        for shard in shards
    ]
    commit(root, "text", name, rows, **more)


def in_threads(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    with ThreadPoolExecutor(4) as pool:
        yield from pool.map(function, items)


def nobody(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    raise AssertionError("there is nothing to do")


def run(root: Path, seed: int | None = 42, how: Any = inline, **more: Any) -> list[Combined]:
    return combine(Store(root), "text", TrainingFileOptions(seed, pack=True, **more), run=how)


def lines_of(root: Path, name: str | Path = CORPUS) -> list[str]:
    return (root / name).read_text("utf-8").split("\n")[:-1]


def set_ctx_len(root: Path, ctx_len: int) -> None:
    (root / "configs").mkdir(exist_ok=True)
    config = {"ctx_len": ctx_len, "vocab_size": 400}
    (root / "configs/thinker_tiny.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A tokenizer of made text."""
    folder = tmp_path_factory.mktemp("tokenizer")
    commit_documents(folder, [documents(60)])
    return train_tokenizer(folder, vocab_size=300).vocabulary.trained.model


@pytest.fixture
def project(tmp_path: Path, model: bytes) -> Path:
    """Thirty documents in three shards of small row groups, and a tokenizer that the user put there."""
    made = documents(30)
    commit_documents(tmp_path, [made[:11], made[11:12], made[12:]], group_rows=3)
    put_tokenizer(tmp_path, model)
    set_ctx_len(tmp_path, 64)
    return tmp_path


def put_tokenizer(root: Path, model: bytes) -> None:
    folder = root / "checkpoints/thinker_tiny"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model)


def tokens(model: bytes, lines: list[str]) -> list[int]:
    return [len(ids) for ids in sentencepiece.SentencePieceProcessor(model_proto=model).encode(lines)]


def check(lines: list[str], made: Documents, counts: list[int], room: int) -> None:
    """Lines in corpus order are the documents, each in lines of its own that fit."""
    rest = iter(zip(lines, counts, strict=True))
    for document in made:
        whole = " ".join(document)
        said: list[str] = []
        while len(" ".join(said)) < len(whole):
            line, count = next(rest)
            said.append(line)
            assert count <= room or " " not in line
        assert " ".join(said) == whole
    assert list(rest) == []


def test_lines_of_a_document_fill_the_window_and_keep_its_text(project: Path, model: bytes) -> None:
    made = documents(30)
    *_, production = run(project, seed=None)
    lines = lines_of(project)
    counts = tokens(model, lines)
    check(lines, made, counts, room=63)
    assert (production.records, production.samples) == (len(lines), sum(map(len, made)))
    assert lines_of(project, "data/text/pages.txt") == lines
    assert sum(counts) / len(counts) > 0.5 * 64


def test_the_order_of_work_and_the_cut_of_shards_do_not_show(project: Path, model: bytes, tmp_path: Path) -> None:
    run(project)
    shuffled = lines_of(project)
    other = tmp_path / "other"
    made = documents(30)
    commit_documents(other, [made[:11], made[11:12], made[12:]], group_rows=1000)
    put_tokenizer(other, model)
    set_ctx_len(other, 64)
    run(other, how=in_threads)
    assert (other / CORPUS).read_bytes() == (project / CORPUS).read_bytes()
    run(project, seed=None)
    assert lines_of(project) != shuffled and sorted(lines_of(project)) == sorted(shuffled)


def test_a_paragraph_that_does_not_fit_is_cut_at_its_sentences(tmp_path: Path, model: bytes) -> None:
    made = [["Short."], [" ".join(documents(1, sentences=40)[0])], ["w" * 500, "End."]]
    commit_documents(tmp_path, [made])
    put_tokenizer(tmp_path, model)
    set_ctx_len(tmp_path, 48)
    run(tmp_path, seed=None)
    lines = lines_of(tmp_path)
    counts = tokens(model, lines)
    check(lines, made, counts, room=47)
    assert all(line.endswith(".") for line in lines[1:-2]), "between sentences only"
    assert lines[-2:] == ["w" * 500, "End."], "a word is never cut"


def test_nothing_is_done_twice_and_everything_when_it_must(project: Path, model: bytes) -> None:
    files = run(project)
    state = {path: path.stat().st_mtime_ns for path in (project / "data/text").iterdir()}
    assert run(project, how=nobody) == files
    assert {path: path.stat().st_mtime_ns for path in state} == state
    before = (project / CORPUS).read_bytes()
    set_ctx_len(project, 32)
    run(project)
    assert len(lines_of(project)) > len(before.splitlines())
    set_ctx_len(project, 64)
    run(project)
    assert (project / CORPUS).read_bytes() == before
    other = train(TokenizerRequest(source_of(project), 45)).model
    put_tokenizer(project, other)
    run(project)
    assert (project / CORPUS).read_bytes() != before
    assert all(count <= 63 for count in tokens(other, lines_of(project)))


def source_of(root: Path) -> Any:
    from omni_ray.training.counts import CountedSource

    return CountedSource("text", str(root / CORPUS))


def test_unpacked_files_are_as_if_nothing_had_ever_been_packed(project: Path, tmp_path: Path) -> None:
    combine(Store(project), "text", run=inline)
    plain = (project / CORPUS).read_bytes()
    run(project)
    assert (project / CORPUS).read_bytes() != plain
    *_, production = combine(Store(project), "text", run=inline)
    assert (project / CORPUS).read_bytes() == plain
    assert production.records == production.samples == len(plain.splitlines())


def test_the_limit_counts_lines_of_the_shards(tmp_path: Path, model: bytes) -> None:
    made = documents(8)
    flat = [(page, line) for page, lines in enumerate(made) for line in lines]
    commit_documents(tmp_path, [made], limit=20)
    put_tokenizer(tmp_path, model)
    set_ctx_len(tmp_path, 64)
    *_, production = run(tmp_path, seed=None)
    assert production.samples == 20
    kept = [[line for of, line in flat[:20] if of == page] for page in range(8)]
    lines = lines_of(tmp_path)
    check(lines, [lines_ for lines_ in kept if lines_], tokens(model, lines), room=63)


class Told(Reporter):
    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def model_of(root: Path) -> bytes:
    return (root / "checkpoints/thinker_tiny/tokenizer.model").read_bytes()


def pack(root: Path) -> list[str]:
    told = Told()
    combine(Store(root), "text", TrainingFileOptions(pack=True), run=inline, reporter=told)
    return [line for line in told.lines if "tokenizer" in line]


@pytest.mark.slow
def test_a_tokenizer_is_trained_where_there_is_none_and_again_when_the_text_changes(tmp_path: Path) -> None:
    commit_documents(tmp_path, [documents(40)])
    set_ctx_len(tmp_path, 64)
    [said] = [line for line in pack(tmp_path) if "pieces: trained on" in line]
    assert "data/shards/text" in said
    first = model_of(tmp_path)
    assert pack(tmp_path) == [] and model_of(tmp_path) == first
    commit_documents(tmp_path, [documents(30, seed=8, sentences=2)], name="more")
    assert any("trained on" in line for line in pack(tmp_path))
    second = model_of(tmp_path)
    assert second != first
    (tmp_path / "checkpoints/thinker_tiny/thinker.pt").write_bytes(b"weights")
    commit_documents(tmp_path, [documents(50, seed=9)], name="even more")
    assert any("thinker.pt" in line for line in pack(tmp_path))
    assert model_of(tmp_path) == second, "weights and their tokenizer belong together"


def test_a_tokenizer_of_the_users_own_stays(project: Path, model: bytes) -> None:
    pack(project)
    commit_documents(project, [documents(5, seed=9)], name="more")
    pack(project)
    assert model_of(project) == model


def test_the_plan_reads_packed_lines_and_keeps_their_tokenizer(tmp_path: Path) -> None:
    commit_documents(tmp_path, [documents(400, sentences=2)], group_rows=500)
    set_ctx_len(tmp_path, 32)
    pack(tmp_path)
    before = model_of(tmp_path)
    lines = lines_of(tmp_path)
    report = plan(tmp_path, configs=["thinker"])
    [thinker] = report.plans
    config = json.loads((tmp_path / "configs/thinker_tiny.json").read_text())
    assert model_of(tmp_path) == before and config["vocab_size"] == TokenCounter(before).processor.get_piece_size()
    assert thinker.value("rows") == len(lines)
    [text] = report.data
    assert (text.counts.tokens, text.counts.cut_rows) == (sum(tokens(before, lines)), 0)
    assert pack(tmp_path) == []


def test_held_out_documents_take_no_part_in_training_a_tokenizer(tmp_path: Path) -> None:
    made = documents(60)
    made[7] = ["Ωmega Ωmega Ωmega."]
    commit_documents(tmp_path, [made])
    set_ctx_len(tmp_path, 64)
    [key] = modality("text").group_keys(pa.table({"id": ["pages 7#0"], "text": made[7]})).to_pylist()
    share = next(n / 100 for n in range(1, 100) if held_out([key], n / 100).all())
    run(tmp_path, holdout=share)
    assert "Ω" in (tmp_path / "data/text/heldout_corpus.txt").read_text("utf-8")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model_of(tmp_path))
    assert processor.piece_to_id("Ω") == processor.unk_id()


def test_verify_accepts_packed_lines_and_misses_one_that_is_gone(project: Path) -> None:
    run(project, holdout=0.3)
    report = verify(project, modalities=["text"])
    assert report.ok, report.findings
    assert {file.file for file in report.files if "heldout" in file.file} == {"data/text/heldout_corpus.txt"}
    held = project / "data/text/heldout_corpus.txt"
    whole, packed = held.read_bytes(), max(lines_of(project), key=len)
    held.write_bytes(whole.partition(b"\n")[2] + f"{packed}\n".encode())
    finding, changed = verify(project, modalities=["text"]).findings
    assert (finding.code, finding.count, finding.examples[0].detail) == ("both_sides", 1, repr(packed[:60]))
    assert changed.code == "changed_file"
    held.write_bytes(whole)
    for name in (CORPUS, Path("data/text/heldout_corpus.txt")):
        whole = (project / name).read_bytes()
        (project / name).write_bytes(whole.partition(b"\n")[2])
        found = [finding.code for finding in verify(project, modalities=["text"]).findings]
        assert found == ["changed_file", "count_mismatch"]
        (project / name).write_bytes(whole)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
line = st.lists(st.one_of(st.sampled_from(WORDS), words), min_size=1, max_size=30).map(" ".join).map(one_line)


@pytest.mark.slow
@settings(max_examples=examples(80))
@given(st.lists(st.lists(line.filter(bool), min_size=1, max_size=6), max_size=5), st.integers(2, 40))
def test_any_text_keeps_its_words_in_windows_that_fit(model: bytes, made: Documents, ctx_len: int) -> None:
    counter = TokenCounter(model)
    packed, starts = pack_rows(text_table(made), lambda texts: counter.count(texts).tolist(), ctx_len)
    for row, count in zip(packed.to_pylist(), tokens(model, packed["text"].to_pylist()), strict=True):
        assert row["tokens"] == count
        assert count < ctx_len or " " not in row["text"]
    for number, document in enumerate(made):
        mine = [row["text"] for row in packed.to_pylist() if row["id"].startswith(f"made-{number}#")]
        # Cuts in scripts without spaces fall between characters.
        assert "".join(mine).replace(" ", "") == "".join(document).replace(" ", "")
    assert (starts[1:] >= starts[:-1]).all()


def test_a_tokenizer_that_looks_beyond_blanks_is_counted_as_it_is() -> None:
    """Every blank costs five tokens here: lines fit one by one and not together."""

    def count(texts: list[str]) -> list[int]:
        return [len(text.split()) + 5 * text.count(" ") for text in texts]

    packed, _ = pack_rows(text_table([["a"] * 20]), count, 12)
    assert " ".join(packed["text"].to_pylist()) == " ".join("a" * 20)
    assert max(packed["tokens"].to_pylist()) < 12 and packed.num_rows < 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prepare", "text", "--pack"], "give --combine too"),
        (["prepare", "audio", "images", "--combine", "--pack"], "not among audio, images"),
        (["combine", "--holdout", "1.5"], "between 0 and 1"),
    ],
)
def test_wrong_usage_is_one_sentence(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr("sys.argv", ["omni-ray", *arguments, "--root", str(project)])
    with pytest.raises(SystemExit) as ended:
        running.run(app)
    error = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and said in error and "\n" not in error


def test_no_text_for_a_tokenizer_is_one_sentence(tmp_path: Path) -> None:
    commit_documents(tmp_path, [[]])
    with pytest.raises(OmniError, match="data/shards/text: no text to train a tokenizer on"):
        pack(tmp_path)


@pytest.mark.slow
def test_real_books_make_the_token_rule_true(corpora: Path, tmp_path: Path) -> None:
    with without_ray():
        more = {"dataset": "books", "source": str(corpora / "books/gutenberg"), "combine": True}
        plain = api.prepare(tmp_path, "text", **more)
        unpacked = lines_of(tmp_path)
        packed = api.prepare(tmp_path, "text", pack=True, **more)
        again = (tmp_path / CORPUS).read_bytes()
        api.combine(tmp_path, ["text"], pack=True)
    assert (tmp_path / CORPUS).read_bytes() == again
    before, after = plain.files[-1], packed.files[-1]
    assert before.records == before.samples == after.samples == len(unpacked)
    lines = lines_of(tmp_path)
    counts = tokens(model_of(tmp_path), lines)
    assert after.records == len(lines) and max(counts) <= 511
    # Every word is where it was: the same ones, whatever lines they are in now.
    assert sorted(" ".join(lines).split()) == sorted(" ".join(unpacked).split())
    assert sum(counts) / len(counts) > 0.85 * 512
    report = plan(tmp_path, configs=["thinker"])
    assert report.plans[0].figures["steps_rule"].value == "tokens"
    assert verify(tmp_path).ok
