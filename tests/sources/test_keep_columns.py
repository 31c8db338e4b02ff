"""``--keep-columns``: what else a source says of a record goes along as JSON, to the shards and to every export."""

from __future__ import annotations

import csv
import datetime
import io
import json
import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from omni_ray import api
from omni_ray.corpora.base import Corpus, SourceOptions
from omni_ray.corpora.coco import Coco
from omni_ray.corpora.common_voice import CommonVoice
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.karpathy import Karpathy
from omni_ray.corpora.llava import Llava
from omni_ray.corpora.mjsynth import MJSynth
from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import SourceError
from omni_ray.materialize.pack import pack_rows
from omni_ray.modalities.base import with_extra
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.quality.clean import clean_table
from omni_ray.sources.extra import extra_text, joined, rest_of
from tests.list_sources import Source, kept
from tests.made_store import ROWS as ROW_MAKERS
from tests.made_store import clip, picture

KEEP = SourceOptions(keep_columns=True)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def extras(source: Source, corpus: Corpus, **more: Any) -> list[Any]:
    """Of each record; parsed."""
    rows = kept(source.rows(corpus, keep_columns=True, **more))
    return [json.loads(row["extra"]) if row["extra"] else None for row in rows]


ROWS = [
    {"text": "one", "url": "http://a", "score": "0.5", "tags": "a,b"},
    {"text": "two", "url": "http://b", "score": "", "tags": "zwölf"},
]
WANTED = [{"score": "0.5", "tags": "a,b"}, {"score": "", "tags": "zwölf"}]


def written(rows: list[dict[str, Any]], name: str) -> bytes:
    ending = name.rpartition(".")[2]
    out = io.BytesIO()
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), out)
    elif ending == "arrow":
        table = pa.Table.from_pylist(rows)
        with pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
    elif ending == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    elif ending == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    else:
        return json.dumps(rows, indent=1).encode()
    return out.getvalue()


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet", "arrow"])
def test_every_form_of_table(source: Source, ending: str) -> None:
    source.put(f"t.{ending}", written(ROWS, f"t.{ending}"))
    wanted = [{k: v for k, v in row.items() if v} for row in WANTED] if ending == "csv" else WANTED
    assert extras(source, TextFiles()) == wanted


def test_values_of_every_type() -> None:
    values = {
        "z": datetime.datetime(2026, 1, 2, 3, 4, 5),
        "a": Decimal("1.50"),
        "n": float("nan"),
        "deep": [{"x": float("inf"), "y": b"bytes", "k": b"\xff\xfe"}],
        "big": 1 << 70,
        "none": None,
    }
    said = '{"a":"1.50","big":1180591620717411303424,"deep":[{"k":"//4=","x":null,"y":"bytes"}],"n":null,"z":"2026-01-02T03:04:05"}'
    assert extra_text(values) == said == extra_text(dict(reversed(values.items())))
    assert extra_text({"a": None}) is None and extra_text({}) is None
    assert extra_text({"half": "\ud800 ß"}) == '{"half":"\\ud800 \\u00df"}'
    nested: Any = 1
    for _ in range(100_000):
        nested = [nested]
    assert extra_text({"a": nested}) == '{"a":"nested too deeply"}'


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet", "arrow"])
def test_what_is_within_a_column_that_is_read(source: Source, ending: str) -> None:
    row = {"doc": {"text": "words", "by": {"name": "me", "id": 7}}, "n": 1}
    assert rest_of(row, ["doc.text"]) == {"doc": {"by": {"name": "me", "id": 7}}, "n": 1}
    assert rest_of(row, ["doc.by.name", "n"]) == {"doc": {"text": "words", "by": {"id": 7}}}
    source.put(f"t.{ending}", written([row], ending))
    assert extras(source, TextFiles(), columns="text=doc.text") == [{"doc": {"by": {"name": "me", "id": 7}}, "n": 1}]


def test_columns_that_share_a_name_and_great_numbers(source: Source) -> None:
    source.put("a.csv", "text,note,note\nwords,first,second\n")
    source.put("b.jsonl", '{"text": "more", "n": 123456789012345678901234567890, "f": 0.1}\n')
    assert extras(source, TextFiles()) == [
        {"note": "first", "note (3)": "second"},
        {"n": 123456789012345678901234567890, "f": 0.1},
    ]


def test_columns_of_a_conversation_are_not_kept_twice(source: Source) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    source.put("a.jsonl", json.dumps({"system": "Be kind.", "messages": turns, "source": "made"}))
    source.put("b.jsonl", json.dumps({"instruction": "Say it", "input": "", "output": "It", "n": 2}))
    assert extras(source, TextFiles()) == [{"source": "made"}, {"n": 2}]


def test_rows_of_one_picture_keep_what_each_says(source: Source) -> None:
    source.put("0.jpg", picture(0))
    source.put("list.csv", "image,caption,by,licence\n0.jpg,one,ann,CC BY\n0.jpg,two,bob,CC BY\n")
    assert extras(source, ImageCaptions()) == [{"by": ["ann", "bob"], "licence": "CC BY"}]
    assert joined([None, '{"a":1}']) == '{"a":[null,1]}' and joined(['{"a":1}'] * 2) == '{"a":1}' and not joined([None])


def test_rows_that_differ_in_nothing_that_is_read_are_one(source: Source) -> None:
    """As without the option: the list of all clips has a column that the lists of its splits have not."""
    source.put("all.jsonl", "".join(json.dumps({"text": f"t{n}", "split": "x"}) + "\n" for n in range(4)))
    source.put("train.jsonl", "".join(json.dumps({"text": f"t{n}"}) + "\n" for n in range(4)))
    plain = source.rows(TextFiles())
    both = source.rows(TextFiles(), keep_columns=True)
    assert len(plain) == len(both) == 4


def coco_list() -> dict[str, Any]:
    return {
        "licenses": [{"id": 4, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"}],
        "images": [
            {
                "id": 9,
                "file_name": "000000000009.jpg",
                "license": 4,
                "flickr_url": "http://farm5.staticflickr.com/9_z.jpg",
                "coco_url": "http://images.cocodataset.org/train2017/000000000009.jpg",
                "date_captured": "2013-11-19 20:40:11",
                "photographer": "Ann",
            },
            {"id": 10, "file_name": "000000000010.jpg", "license": 99},
        ],
        "annotations": [{"id": n, "image_id": 9 + n % 2, "caption": f"Caption {n}."} for n in range(4)],
    }


def test_licence_and_attribution_of_coco(source: Source) -> None:
    source.put("annotations/captions_train2017.json", coco_list())
    for number in (9, 10):
        source.put(f"train2017/{number:012}.jpg", picture(number))
    first, second = extras(source, Coco())
    assert first == {
        "id": 9,
        "license": "Attribution License",
        "license_url": "http://creativecommons.org/licenses/by/2.0/",
        "flickr_url": "http://farm5.staticflickr.com/9_z.jpg",
        "coco_url": "http://images.cocodataset.org/train2017/000000000009.jpg",
        "date_captured": "2013-11-19 20:40:11",
        "photographer": "Ann",
    }
    assert second == {"id": 10, "license": 99}
    assert "extra" not in source.rows(Coco())[0] or source.rows(Coco())[0]["extra"] is None


def test_other_lists_with_more_to_say(source: Source) -> None:
    source.put("val2014/a.jpg", picture(1))
    image = {"filepath": "val2014", "filename": "a.jpg", "sentences": [{"raw": "a"}], "cocoid": 5, "split": "test"}
    source.put("dataset_coco.json", {"images": [image]})
    assert extras(source, Karpathy()) == [{"cocoid": 5, "split": "test"}]
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A dog"}]
    source.put("llava.json", [{"id": "7", "image": "val2014/a.jpg", "conversations": turns, "from": "sbu"}])
    assert extras(source, Llava()) == [{"id": "7", "from": "sbu", "questions": ["What?"]}]


def test_a_sidecar_s_further_keys(source: Source) -> None:
    source.put("0.jpg", picture(0))
    source.put("0.json", {"caption": "A dog", "url": "http://a/b.jpg", "license": "CC0", "text": "other words"})
    assert extras(source, ImageCaptions()) == [{"url": "http://a/b.jpg", "license": "CC0", "text": "other words"}]


def test_json_beside_a_text(source: Source) -> None:
    """As img2dataset writes it: the text is the caption, and the JSON says the rest."""
    source.put("0.jpg", picture(0))
    source.put("0.txt", "A dog")
    source.put("0.json", {"caption": "A dog", "license": "CC0"})
    assert extras(source, ImageCaptions()) == [{"caption": "A dog", "license": "CC0"}]
    source.put("0.json", "no JSON")
    assert extras(source, ImageCaptions()) == [None]


def test_columns_of_common_voice(source: Source) -> None:
    source.put("cv/de/clips/a.mp3", clip(1))
    header = "client_id\tpath\tsentence\tup_votes\tage\tgender\taccents"
    source.put("cv/de/validated.tsv", f"{header}\nme\ta.mp3\tGuten Tag\t2\ttwenties\t\tÖsterreich\n")
    assert extras(source, CommonVoice()) == [{"up_votes": "2", "age": "twenties", "accents": "Österreich"}]


def test_a_layout_without_further_columns_says_so(source: Source) -> None:
    source.put("mjsynth/annotation.txt", "./1/1_word_1.jpg 1\n")
    source.put("mjsynth/1/1_word_1.jpg", picture(1))
    with pytest.raises(SourceError, match=r"mjsynth: .*no further columns to keep; leave out --keep-columns"):
        source.rows(MJSynth(), keep_columns=True)


def rows_of(modality: str, source: Source) -> str:
    """A list of two records with a licence each; its corpus."""
    if modality == "text":
        source.put("a.jsonl", "".join(json.dumps({"text": f"One {n}.\nTwo {n}.", "by": n}) + "\n" for n in range(2)))
        return "text_files"
    media, ending, made = ("audio", "flac", clip) if modality == "audio" else ("image", "jpg", picture)
    column = "caption" if modality == "images" else "text"
    for n in range(2):
        source.put(f"m/{n}.{ending}", made(n))
    source.put("a.csv", f"{media},{column},by\n" + "".join(f"m/{n}.{ending},Words {n},{n}\n" for n in range(2)))
    return {"audio": "audio_files", "images": "image_captions", "ocr": "ocr_images"}[modality]


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("modality", ["text", "audio", "images", "ocr"])
def test_from_the_source_to_every_export(source: Source, tmp_path: Path, modality: str) -> None:
    corpus = rows_of(modality, source)
    root = tmp_path / "project"
    for name, options in (("plain", SourceOptions()), ("whole", KEEP)):
        api.prepare(root, modality, dataset=corpus, source=str(source.folder), name=name, options=options, combine=True)
    shards = root / "data/shards" / modality
    assert "extra" not in pq.read_schema(shards / "plain/part-00000.parquet").names
    each = 2 if modality == "text" else 1  # a document's lines
    said = [json.loads(row) for row in pq.read_table(shards / "whole/part-00000.parquet")["extra"].to_pylist()]
    assert [str(row["by"]) for row in said] == [str(n) for n in range(2) for _ in range(each)]
    seen = [row for table in api.dataset(root, modality).tables() for row in table["extra"].to_pylist()]
    assert seen == [None] * 2 * each + [json.dumps(row, separators=(",", ":")) for row in said]
    api.export(root, "hf", tmp_path / "hf")
    loaded = load_dataset(str(tmp_path / "hf"), modality, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["extra"] == seen
    api.export(root, "webdataset", tmp_path / "wds")
    with tarfile.open(tmp_path / f"wds/{modality}-whole-000000.tar") as tar:
        members = [json.load(tar.extractfile(m)) for m in tar if m.name.endswith(".json")]  # type: ignore[arg-type]
    assert [member["extra"] for member in members] == said


@pytest.mark.usefixtures("no_ray")
def test_what_was_kept_is_not_dropped_in_silence(source: Source, tmp_path: Path) -> None:
    corpus = rows_of("text", source)
    root = tmp_path / "project"
    for options in (SourceOptions(), KEEP):  # wider is no loss
        api.prepare(root, "text", dataset=corpus, source=str(source.folder), options=options)
    with pytest.raises(SourceError, match="was made with --keep-columns, and with no --keep-columns some of it would"):
        api.prepare(root, "text", dataset=corpus, source=str(source.folder))


@pytest.mark.parametrize("modality", ROW_MAKERS)
def test_cleaning_and_packing_keep_it(modality: str) -> None:
    schema = with_extra(modality_of(modality).schema)
    rows = pa.Table.from_pylist([{**ROW_MAKERS[modality](n), "extra": f'{{"n":{n}}}'} for n in range(4)], schema=schema)
    for preset in ("off", "default", "strict"):
        kept = clean_table(rows, modality, preset).kept
        assert kept.schema.equals(schema) and set(kept["extra"].to_pylist()) <= set(rows["extra"].to_pylist())
    if modality == "text":
        packed, _ = pack_rows(rows, lambda texts: [len(text.split()) for text in texts], 64)
        assert packed["extra"].to_pylist() == rows["extra"].to_pylist()


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_columns_that_only_folders_say(source: Source, ending: str) -> None:
    for lang, year in (("de", "2024"), ("pt%20BR", "__HIVE_DEFAULT_PARTITION__")):
        name = f"lang={lang}/year={year}/id=7/part-0.{ending}"
        source.put(name, written([{"text": f"{lang} {number}", "stars": number} for number in (1, 2)], name))
    plain = kept(source.rows(TextFiles()))
    assert [row["lang"] for row in plain] == ["de", "de", "pt BR", "pt BR"]
    assert len({row["id"] for row in plain}) == 4
    folders = [{"year": "2024"}, {}]
    wanted = [{"stars": stars, "id": "7", **more} for more in folders for stars in (1, 2)]
    assert extras(source, TextFiles()) == wanted
    titled = kept(source.rows(TextFiles(), columns="title=year"))
    assert [row["title"] for row in titled] == ["2024", "2024", None, None]
    with pytest.raises(SourceError, match="no column yaer; it has text, stars, lang, year"):
        source.rows(TextFiles(), columns="title=yaer")


def test_a_column_of_the_file_comes_before_its_folder(source: Source) -> None:
    name = "lang=de/part-0.parquet"
    source.put(name, written([{"text": "one", "lang": "en"}], name))
    assert [row["lang"] for row in kept(source.rows(TextFiles()))] == ["en"]
    assert extras(source, TextFiles()) == [None]
