"""A Wikipedia dump, Gutenberg books, Parquet and JSON Lines, with sentences from a book."""

from __future__ import annotations

import bz2
import json
import textwrap
from collections import Counter
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape

from omni_ray.synth import book
from omni_ray.synth.book import passage
from omni_ray.synth.native_task import CorpusToWrite, ExpectedCounts, put
from omni_ray.synth.seeds import stream

_NAMESPACES = {0: "", 1: "Talk", 2: "User", 4: "Wikipedia", 6: "File", 10: "Template", 14: "Category"}


def _page(number: int, title: str, namespace: int, text: str, redirect: str = "") -> str:
    pointer = f'    <redirect title="{escape(redirect)}" />\n' if redirect else ""
    data = text.encode()
    return f"""  <page>
    <title>{escape(title)}</title>
    <ns>{namespace}</ns>
    <id>{number}</id>
{pointer}    <revision>
      <id>{900_000 + number}</id>
      <timestamp>2025-01-11T12:10:00Z</timestamp>
      <contributor>
        <username>Gardener</username>
        <id>42</id>
      </contributor>
      <comment>/* History */ copy-edit</comment>
      <model>wikitext</model>
      <format>text/x-wiki</format>
      <text bytes="{len(data)}" xml:space="preserve">{escape(text)}</text>
    </revision>
  </page>
"""


def _article(r: Random, title: str) -> str:
    """An article on a town: infobox, lead, sections, a list, a table, a picture, categories."""
    town, other, river = (book.name(r) for _ in range(3))
    rows = "\n".join(f"|-\n| {book.name(r)} || {r.randrange(100_000):,}" for _ in range(3))
    return f"""{{{{Short description|Town in {other}}}}}
{{{{Infobox settlement
| name = {title}
| population_total = {r.randrange(100_000):,}
| leader_name = [[{book.name(r)}]]
}}}}
'''{title}''' is a town in [[{other}]].{{{{citation needed|date=May 2024}}}} {passage(r, 220)}

[[File:{title} bridge.jpg|thumb|right|220px|The [[bridge]] at {title}, {r.randint(1890, 1990)}]]

== History ==
{{{{Main|History of {title}}}}}
{passage(r, 260)} See [[{town}]] and the [[{river} (river)|river]].<ref>{{{{cite book |last={town} |title=On {river}}}}}</ref>

{passage(r, 200)}<!-- needs a source -->

== Geography ==
=== Climate ===
{passage(r, 160)}

{{| class="wikitable"
! Town !! Inhabitants
{rows}
|}}

== Notable people ==
* [[{book.name(r)}]], sailor
* ''{book.name(r)}'', painter

== References ==
{{{{reflist}}}}

[[Category:Towns in {other}]]
"""


def _numbered(r: Random, n: int, title: str, previous: str) -> tuple[str, str]:
    """Page ``n`` of the dump, and the reason why it is not kept, "" for an article."""
    number = 10 + 3 * n
    kind = n // 8 % 5 if n % 8 == 7 else -1
    if kind == 0:
        text = f"#REDIRECT [[{previous}]]\n{{{{R from move}}}}"
        return _page(number, f"{title} (town)", 0, text, previous), "redirect"
    if kind == 1:
        return _page(number, f"Talk:{previous}", 1, f"== Sources ==\n{passage(r, 90)} ~~~~"), "other_namespace"
    if kind == 2:
        text = "{{navbox |list1=* [[North]] * [[South]]}}"
        return _page(number, f"Template:{title} districts", 10, text), "other_namespace"
    if kind == 3:
        listed = "\n".join(f"* [[{title} ({place})]]" for place in ("abbey", "bridge", "island"))
        text = f"'''{title}''' may refer to:\n{listed}\n{{{{disambiguation}}}}"
        return _page(number, f"{title} (disambiguation)", 0, text), "disambiguation"
    if kind == 4:
        text = "{{Infobox settlement\n| name = x\n}}\n\n== See also ==\n"
        return _page(number, f"Outline of {title}", 0, text), "stub"
    return _page(number, title, 0, _article(r, title)), ""


def wikipedia(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """A dump of the current pages. One page in eight is no article: redirects, talk, templates, lists, stubs."""
    count = task.count(160, 40)
    pages, reasons = [], Counter[str]()
    title = "Ashbridge"
    for n in range(count):
        r = stream(task.seed, "wikipedia", n)
        title, previous = book.name(r), title
        page, reason = _numbered(r, n, title, previous)
        pages.append(page)
        reasons[reason] += 1
    del reasons[""]
    spaces = "\n".join(
        f'      <namespace key="{key}" case="first-letter">{name}</namespace>' for key, name in _NAMESPACES.items()
    )
    dump = f"""<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>enwiki</dbname>
    <case>first-letter</case>
    <namespaces>
{spaces}
    </namespaces>
  </siteinfo>
{"".join(pages)}</mediawiki>
"""
    (folder / "enwiki-latest-pages-articles.xml.bz2").write_bytes(bz2.compress(dump.encode()))
    return [ExpectedCounts("wikipedia", "text", "wikipedia", count, dict(reasons))]


def _chapter(r: Random, number: int) -> str:
    paragraphs = [textwrap.fill(passage(r, r.randint(180, 420)), 72) for _ in range(6)]
    return "\n\n".join([f"CHAPTER {number}", *paragraphs])


def _book(number: int, title: str, author: str, body: str, encoding: str) -> str:
    return f"""The Project Gutenberg EBook of {title}, by {author}

This text was made by a computer programme. Copy it, change it, or throw
it away, as you like.

Title: {title}

Author: {author}

Release Date: January 1, 2020 [EBook #{number}]

Language: English

Character set encoding: {encoding}

*** START OF THE PROJECT GUTENBERG EBOOK {title.upper()} ***




{title.upper()}

by {author}


{body}



*** END OF THE PROJECT GUTENBERG EBOOK {title.upper()} ***

Nothing after this line belongs to the book: here a real one has the
terms under which it may be used, which are not to be learned by heart.
"""


def books(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """Books in folders by number, with header, markers and tail.

    One is there in two encodings, one has no markers.
    """
    count = task.count(24, 22)
    for n in range(count):
        r = stream(task.seed, "books", n)
        number = 50_000 + 7 * n
        title = f"The {book.name(r)}"
        author = book.name(r)
        body = "\n\n\n".join(_chapter(r, chapter) for chapter in range(1, 4))
        text = _book(number, title, author, body, "UTF-8")
        if n == 9:
            text = "\n".join(line for line in text.split("\n") if not line.startswith("***"))
        shelf = folder / "gutenberg" / "files" / str(number)
        ends = "\r\n" if n % 2 else "\n"
        put(shelf / f"{number}-0.txt", "\ufeff" * (n % 3 == 0) + text.replace("\n", ends))
        if n == 4:
            latin = _book(number, title, author, body, "ISO-8859-1").replace("\n", "\r\n")
            put(shelf / f"{number}-8.txt", latin.encode("latin-1", "replace"))
    return [ExpectedCounts("books", "text", "books", count + 1, {"duplicate_edition": 1, "wrong_header": 1})]


def parquet(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """Two Parquet files with the columns id, url, title and text. One text is missing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = task.count(400, 60)
    rows = []
    for n in range(count):
        r = stream(task.seed, "text parquet", n)
        title = book.name(r)
        text = None if n == 21 else "\n\n".join(passage(r, 240) for _ in range(3))
        rows.append({"id": str(n), "url": f"https://example.org/{n}", "title": title, "text": text})
    half = count // 2
    for part, slice_ in enumerate((rows[:half], rows[half:])):
        pq.write_table(pa.Table.from_pylist(slice_), folder / f"train-{part:05d}-of-00002.parquet", compression="zstd")
    return [ExpectedCounts("text_files", "text", "text_parquet", count, {"missing_text": 1})]


def jsonl(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """Texts as JSON Lines. One line is cut short, one text is blank."""
    count = task.count(400, 60)
    lines = []
    for n in range(count):
        r = stream(task.seed, "text jsonl", n)
        line = json.dumps({"text": "" if n == 33 else passage(r, 300), "source": book.name(r)}, ensure_ascii=False)
        lines.append(line[: len(line) // 2] if n == 12 else line)
    put(folder / "part-000.jsonl", "\n".join(lines) + "\n")
    return [ExpectedCounts("text_files", "text", "text_jsonl", count, {"bad_row": 1, "empty_text": 1})]
