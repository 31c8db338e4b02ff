"""Rules of the user's own: applied, accounted, remembered, and refused where they are not what they were."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omni_ray import api
from omni_ray.cli.commands import app
from omni_ray.corpora import registry
from omni_ray.errors import OmniError
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.session import ray_session
from omni_ray.pipeline.store import Store
from omni_ray.quality import own
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning
from omni_ray.quality.own import read
from omni_ray.quality.preset import Settings
from omni_ray.quality.settings import settings_of
from omni_ray.report.page import write_report
from tests.made_store import ROWS, commit, text_row

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"
LOUD = ["THIS PAGE SHOUTS AT", "EVERYBODY WHO READS it"]


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    with ray_session(num_cpus=2):
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The example of the page, as the file that a reader would save."""
    code = next(block for block in PAGE.read_text("utf-8").split("```python\n")[1:] if "my_rules.py" in block)
    path = tmp_path / "my_rules.py"
    path.write_text(code.split("```", 1)[0], "utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    loud = [text_row(9, id=f"loud#{n}", text=text) for n, text in enumerate(LOUD)]
    commit(root, "text", "books", [[text_row(1), *loud, text_row(2)], [text_row(3, id="digits#0", text="1 2 3")]])
    commit(root, "audio", "ls", [[ROWS["audio"](0), ROWS["audio"](1, text="hm")]])
    return root


def clean(root: Path, modality: str, *files: Path, preset: str | None = "off", **rules: float | bool) -> bool:
    """As ``omni-ray clean``, without Ray."""
    before = {modality: Cleaning(Store(root), modality).settings}
    [settings] = settings_of(before, preset, rules, None, [read(str(path)) for path in files]).values()
    return clean_shards(Store(root), modality, settings, run=inline)


@pytest.mark.usefixtures("ray_here")
def test_the_example_of_the_page_works_on_workers(root: Path, file: Path) -> None:
    (root / "bench.txt").write_text("Nothing that any of the few lines of this project says, so that nothing goes.\n")
    report = api.clean(root, preset="off", files=[file], decontaminate=[str(root / "bench.txt")])
    assert {each.name: (each.samples, each.removed) for each in report.summaries} == {
        "books": (3, {"shouting": 2}),
        "ls": (1, {"too_few_words": 1}),
    }
    assert "<td>text/books</td><td>4</td><td>4</td><td>0</td><td>0</td><td>2</td><td>3</td>" in report._repr_html_()
    removed = [(row["id"], row["where"], row["reason"], row["detail"], row["samples"]) for row in api.removed(root)]
    assert removed == [
        ("loud#0", "books/part-00000", "shouting", "capitals: 0.9429, wanted at most 0.3", 1),
        ("loud#1", "books/part-00000", "shouting", "capitals: 0.9429, wanted at most 0.3", 1),
        ("19-198-0001", "ls/part-00000", "too_few_words", "words: 1, wanted at least 2", 1),
    ]
    assert not api.clean(root).changed, "what was chosen before"
    assert api.combine(root, ["text"])[0].samples == 3
    assert "shouting" in write_report(root).read_text("utf-8")
    file.write_text(file.read_text() + "\n# another text\n")
    with pytest.raises(OmniError, match=r"my_rules\.py, which has changed since; run `omni-ray clean text --rule-file"):
        api.combine(root, ["text"])
    file.unlink()
    with pytest.raises(OmniError, match=r"rules that are gone: .*my_rules\.py: not a readable Python file"):
        api.combine(root, ["text"])


def removed_of(root: Path) -> list[str]:
    return [row["id"] for row in api.removed(root)]


def test_limits_can_be_changed_and_a_changed_file_begins_anew(root: Path, file: Path) -> None:
    assert clean(root, "text", file) and removed_of(root) == ["loud#0", "loud#1"]
    assert not clean(root, "text", preset=None)
    assert clean(root, "text", preset=None, capitals=0.99) and removed_of(root) == []
    assert clean(root, "text", preset=None, capitals=True) and len(removed_of(root)) == 2
    assert clean(root, "text", preset=None, capitals=False) and removed_of(root) == []
    file.write_text(file.read_text().replace("high=0.3", "high=0.01"))
    assert clean(root, "text", file) and len(removed_of(root)) == 4
    assert clean(root, "text", preset="off") and not (root / "data/shards/cleaned").exists()


def test_it_stands_beside_the_rules_that_are_there(root: Path, file: Path) -> None:
    clean(root, "text", file, gopher_min_words=4)
    reasons = {row["id"]: row["reason"] for row in api.removed(root)}
    assert reasons == {"digits#0": "too_few_words", "loud#0": "shouting", "loud#1": "shouting"}
    [summary] = [each for each in api.status(root) if each.name == "books"]
    assert summary.samples + sum(summary.removed.values()) == 5


WRONG = {
    "x = 1": "has no rule",
    "def f(:": "SyntaxError",
    "import nothing_like_it": "ModuleNotFoundError: No module named 'nothing_like_it'",
    "from omni_ray.quality.own import rule\n@rule('text', reason='r')\ndef f(rows): ...": "f: a rule needs a limit",
    "from omni_ray.quality.own import rule\n@rule('tex', high=1, reason='r')\ndef f(rows): ...": "not a modality",
    "from omni_ray.quality.own import rule\n@rule('text', high=1, reason='r s')\ndef f(rows): ...": "not a reason code",
    "from omni_ray.quality.own import rule\n@rule('text', high=1, reason='r')\ndef gopher_min_words(rows): ...": "already",
    "from omni_ray.quality.own import rule\n@rule('ocr', high=1, reason='r')\ndef f(rows): ...": "has no rule for text",
    "from omni_ray.quality.own import rule\n@rule('text', high=1, reason='r')\ndef f(rows): return [1]": "1 numbers for 3",
    "from omni_ray.quality.own import rule\n@rule('text', high=1, reason='r')\ndef f(rows): return 1 / 0": (
        r"f: ZeroDivisionError: division by zero \(at books/part-00000\)"
    ),
}


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_with_a_file_is_one_sentence(root: Path, file: Path, code: str) -> None:
    file.write_text(code)
    with pytest.raises(OmniError, match=rf"my_rules\.py.*{WRONG[code]}") as error:
        clean(root, "text", file)
    assert "\n" not in str(error.value)


def test_it_is_listed(file: Path) -> None:
    shown = CliRunner().invoke(app, ["clean", "--list", "text", "--rule-file", str(file)], env={"COLUMNS": "300"})
    assert shown.exit_code == 0
    line = next(line for line in shown.output.splitlines() if "capitals" in line and "shouting" in line)
    assert "document" in line and "at most 0.3" in line and "Share of capital letters" in line


@pytest.fixture
def package(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with rules and a corpus of its own."""
    folder = tmp_path / "site"
    (folder / "acme-1.dist-info").mkdir(parents=True)
    (folder / "acme-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    points = "[omni_ray.rules]\nacme = acme_rules\n\n[omni_ray.corpora]\nacme = acme_corpora\n"
    (folder / "acme-1.dist-info/entry_points.txt").write_text(points)
    (folder / "acme_rules.py").write_text(file.read_text())
    page = (PAGE.parent / "adding-a-corpus.md").read_text("utf-8")
    (folder / "acme_corpora.py").write_text(page.split("```python\n", 1)[1].split("```", 1)[0])
    monkeypatch.syspath_prepend(str(folder))
    registry._installed.cache_clear()
    yield folder
    registry._installed.cache_clear()
    for name in ("acme_rules", "acme_corpora"):
        sys.modules.pop(name, None)


def test_packages_bring_rules_and_corpora(root: Path, package: Path) -> None:
    assert own.installed() == ["acme"]
    before: dict[str, Settings | None] = {"text": None}
    [settings] = settings_of(before, "off", None, None, [read("acme")]).values()
    assert [file.path for file in settings.files] == ["acme"]
    assert clean_shards(Store(root), "text", settings, run=inline) and len(removed_of(root)) == 2
    assert "subtitles" in [corpus.name for corpus in registry.all_corpora("text")]
    (package / "acme_rules.py").write_text("")
    with pytest.raises(OmniError, match="cleaned with acme, which has changed since"):
        clean_shards(Store(root), "text", settings, run=inline)
