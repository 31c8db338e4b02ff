"""The report: one page that needs nothing else, says what the store says, and takes whatever the data hold."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import nullcontext
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omni_ray import api
from omni_ray.api import planning
from omni_ray.api.cluster import Cluster
from omni_ray.cli.commands import app
from omni_ray.errors import OmniError
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.report.collect import collect
from omni_ray.report.page import write_report
from omni_ray.training.vocabulary import find_tokenizer
from tests.made_store import ROWS, audio_row, clip, commit, image_row, make_store, text_row, word_row

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page; complains of what is not closed or closed twice."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page_of(root: Path) -> Page:
    return Page(write_report(root).read_text("utf-8"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(make_store(tmp_path_factory.mktemp("made") / "my project"))


def test_nothing_is_fetched_from_anywhere(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "srcset", "data", "poster", "action", "background"}:
                assert value.startswith("data:"), (tag, value[:80])
            if name == "href" and tag != "a":
                assert value == "data:,"
            if name == "style":
                assert re.fullmatch(r"((flex|left|width|height):[\d.]+%?;?)+", value), value
    [style] = re.findall(r"<style>(.*?)</style>", page.html, re.S)
    assert "url(" not in style and "@import" not in style
    [policy] = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_links_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", each) for each in ids)
    for link in page.all("a"):
        if not link["href"].startswith("#"):
            assert link["href"] == "https://example.org" and "noreferrer" in link["rel"]
        else:
            assert link["href"][1:] in ids
    for _, attributes in page.elements:
        assert attributes.get("aria-labelledby", "overview") in ids


def test_every_section_is_there_and_the_numbers_add_up(page: Page) -> None:
    words = page.words
    assert "my project: what is in it" in words
    # 10 lines, 10 clips, 30 captions, 10 words, and one quarantined record of each
    assert "4 corpora, 64 records in: 60 kept (93.8 %), 4 quarantined with a reason" in words
    for heading in ("What came in, and what became of it", "Text", "Speech", "Images", "Words in pictures",
                    "Provenance and licences"):  # fmt: skip
        assert heading in words
    for modality in ROWS:
        assert f"{modality}_corpus" in words
    for chart in ("Line length", "Duration", "Speaking rate", "Caption length", "Size of the source", "Label length",
                  "Characters"):  # fmt: skip
        assert chart in words
    assert "the image, clip or archive member cannot be decoded" in words and "list.txt:7" in words
    assert "CC BY 4.0" in words and "/somewhere/on/a/disk/corpus" in words
    assert len(page.all("audio")) == 3 and len(page.all("img")) == 10 + 10 + 3
    assert "10 clips, 5 s of speech" in words and "30 captions on 10 pictures" in words


def test_whoever_cannot_see_or_point_can_use_it(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en" and any(m.get("name") == "viewport" for m in page.all("meta"))
    for picture in page.all("img"):
        assert picture["alt"].strip() and picture["width"] and picture["height"]
    for drawing in page.all("svg"):
        assert drawing["role"] == "img" and drawing["aria-label"]
    for player in page.all("audio"):
        assert "controls" in player and player["aria-label"] and "autoplay" not in player
    for _, attributes in page.elements:
        assert int(attributes.get("tabindex", 0)) <= 0
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert page.all("a")[0] == {"class": "skip", "href": "#overview"}
    assert len(page.all("main")) == 1 and all(cell.get("scope") == "col" for cell in page.all("th"))


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e</style>\x00&amp;"


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    bad = [{"id": HOSTILE, "where": HOSTILE, "reason": "bad_row", "detail": HOSTILE}]
    more = {"licence": HOSTILE, "source": HOSTILE, "homepage": "javascript:alert(3)//https://", "quarantine": bad}
    root = tmp_path / "a<b>&'c"
    commit(root, "text", "t&<i>x", [[text_row(0, text=HOSTILE, title=HOSTILE, id=HOSTILE)]], **more)
    commit(root, "audio", "a'\"b", [[audio_row(0, text=HOSTILE, speaker=HOSTILE, id=HOSTILE)]], **more)
    commit(root, "images", "i", [[image_row(0, captions=0) | {"captions": [HOSTILE, HOSTILE]}]], **more)
    commit(root, "ocr", "o", [[word_row(0, text=HOSTILE)]], **more)
    page = page_of(root)
    test_nothing_is_fetched_from_anywhere(page)
    assert not page.all("script") and all(link["href"].startswith("#") for link in page.all("a"))
    assert "{{7*7}}" in page.words and "<script>alert(1)</script>" in page.words
    assert "\u202e" not in page.html and "\x00" not in page.html
    assert page.html.count("</style>") == 1


@pytest.mark.slow
def test_the_page_stays_small_whatever_the_data_hold(tmp_path: Path) -> None:
    long = "x" * 300_000
    bad = [{"id": long, "where": long, "reason": "bad_row", "detail": long} for _ in range(50)]
    commit(tmp_path, "text", "long", [[text_row(n, text=long, title=long) for n in range(20)]], quarantine=bad)
    commit(tmp_path, "ocr", "long", [[word_row(n, text=chr(0x4E00 + n) * 500) for n in range(300)]])
    commit(tmp_path, "images", "long", [[image_row(0, captions=3000)]])
    minute = clip(1, 60.0)
    audio = {"bytes": minute, "path": "a.flac"}
    commit(
        tmp_path, "audio", "long", [[audio_row(n, audio=audio, num_samples=960_000, duration=60.0) for n in range(9)]]
    )
    path = write_report(tmp_path)
    assert path.stat().st_size < 2_500_000
    assert "the first 12 s of it" in Page(path.read_text("utf-8")).words


def test_odd_projects_give_a_page_too(tmp_path: Path) -> None:
    bad = [{"id": "b", "where": "w", "reason": "decode_error"}]
    commit(tmp_path, "images", "nothing_kept", [[]], quarantine=bad)
    commit(tmp_path, "text", "empty", [[]])
    commit(tmp_path, "images", "cut", [[image_row(n) for n in range(4)]], limit=7)
    commit(tmp_path, "audio", "unfinished", [[audio_row(0)], [audio_row(1)]])
    (tmp_path / "data/shards/accounts/audio/unfinished/part-00001.json").unlink()
    page = page_of(tmp_path)
    assert "Not finished: 1 of its units" in page.words
    assert "7 captions, the first of the corpus: the limit is 7" in page.words
    assert "beyond the limit 5" in page.words
    with pytest.raises(OmniError, match="nothing is prepared here"):
        write_report(tmp_path / "elsewhere")


def test_what_cleaning_removed_is_shown(tmp_path: Path) -> None:
    rows = [text_row(n) for n in range(6)]
    commit(tmp_path, "text", "web", [rows], removed={"near_duplicate": 3, "boilerplate": 1})
    words = page_of(tmp_path).words
    assert "Removed by cleaning samples 10 near_duplicate 3 an earlier document" in words
    assert "boilerplate 1" in words and words.index("near_duplicate") < words.index("boilerplate")


def test_a_damaged_picture_costs_a_picture(tmp_path: Path) -> None:
    rows = [image_row(0), image_row(1, image={"bytes": b"not a picture", "path": "x.jpg"}), image_row(2)]
    commit(tmp_path, "images", "coco", [rows])
    assert len(page_of(tmp_path).all("img")) == 2


@pytest.mark.slow
def test_the_same_shards_give_the_same_page(tmp_path: Path) -> None:
    root = make_store(tmp_path / "p", 4)
    first = write_report(root).read_bytes()
    assert write_report(root, tmp_path / "again.html").read_bytes() == first


def test_all_corpora_of_a_large_project_are_counted_on_one_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    monkeypatch.setattr(planning, "_MANY", 0)
    monkeypatch.setattr(Cluster, "session", lambda self, connection: nullcontext(begun.append(connection)))
    monkeypatch.setattr(Cluster, "run", lambda self, function, items: inline(function, items))
    api.write_report(make_store(tmp_path / "p", 4))
    assert len(begun) == 1


@pytest.mark.slow
def test_the_plan_and_the_training_files_are_on_it(tmp_path: Path) -> None:
    from omni_ray.synth.tiny import synthesize_tiny
    from omni_ray.training.plan import plan

    root = make_store(tmp_path / "p", 4)
    synthesize_tiny(root, 60, 42, map)
    report = plan(root, dry_run=True)
    assert not report.problems
    words = Page(write_report(root, plan=report).read_text("utf-8")).words
    assert "Training plan" in words and "[Stage A] Text-only Training" in words and "[Vocoder]" in words


def test_tokens_of_lines_are_counted_with_the_projects_tokenizer(tmp_path: Path) -> None:
    import sentencepiece

    lines = [f"Line {n} says " + "a word or two " * (n % 5 + 1) for n in range(40)]
    folder = tmp_path / "checkpoints" / "thinker_tiny"
    folder.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(folder / "tokenizer"), vocab_size=30, minloglevel=2
    )
    commit(tmp_path, "text", "lines", [[text_row(n, text=text.strip()) for n, text in enumerate(lines)]])
    assert find_tokenizer(tmp_path), "the thinker's folder"
    [counted] = [page.counted for page in collect(Store(tmp_path), inline)]
    tokens = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    expected = [len(each) for each in tokens.encode([text.strip() for text in lines])]
    histogram = counted.histograms["tokens"]
    assert (histogram.total, histogram.sum) == (40, sum(expected))
    assert (histogram.low, histogram.high) == (min(expected), max(expected))
    assert "Tokens of a line" in page_of(tmp_path).words


def test_the_command_needs_no_ray_for_a_small_project(tmp_path: Path) -> None:
    root = make_store(tmp_path / "p", 2)
    done = CliRunner().invoke(app, ["report", "--root", str(root), "--out", str(tmp_path / "x.html"), "--json"])
    assert done.exit_code == 0 and f'"page": "{tmp_path}/x.html"' in done.stdout


def test_on_a_phone_every_column_is_there_with_its_name(page: Page) -> None:
    assert not re.search(r"display:\s*none", page.html.partition("@media (max-width")[2].partition("@media print")[0])
    for table in re.findall(r"<table>.*?</table>", page.html, re.S):
        names = re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', table)
        for row in re.findall(r"<tr>(<td.*?)</tr>", table, re.S):
            if "colspan" not in row:
                assert re.findall(r'<td data-label="([^"]*)"', row) == names[1:]


@pytest.mark.slow
def test_the_page_names_the_recipe_that_was_run(tmp_path: Path) -> None:
    root = make_store(tmp_path / "project")
    assert "recipe" not in page_of(root).words
    (root / "data/recipe.yaml").write_text("# SHA-256: 12ab\nprepare:\n  modality: <b>text\n", "utf-8")
    assert "SHA-256: 12ab prepare: modality: <b>text" in page_of(root).words


@pytest.mark.slow
def test_a_page_takes_the_place_of_a_page_of_ours_alone(tmp_path: Path) -> None:
    root = make_store(tmp_path / "p", 4)
    mine = tmp_path / "thesis.html"
    mine.write_text("<html>mine</html>")
    (tmp_path / "link.html").symlink_to(mine)
    for place in (mine, tmp_path / "link.html", tmp_path):
        with pytest.raises(OmniError, match="--out"):
            write_report(root, place)
    assert mine.read_text() == "<html>mine</html>" and (tmp_path / "link.html").is_symlink()
    with pytest.raises(OmniError, match=r"s3://bucket/page\.html: the page is a file of this machine"):
        api.write_report(root, "s3://bucket/page.html")
    page = write_report(root)
    (root / "data/report.html").write_bytes(b"")
    assert write_report(root) == page and page.stat().st_size
    page.write_text(page.read_text() + "<p>with a word of mine</p>")
    with pytest.raises(OmniError, match=r"report\.html is not a report of omni-ray as it was written"):
        write_report(root)
