"""The card of a Hugging Face dataset: ``README.md`` with what machines read in front and what people read below.

Front matter: https://github.com/huggingface/hub-docs/blob/main/datasetcard.md. The features in ``dataset_info`` are
those of the shards' own schema, written by the ``datasets`` package itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from omni_ray import __version__
from omni_ray.export.parts import CorpusParts
from omni_ray.modalities.base import schema_for
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.parts import columns_of
from omni_ray.storage import write_atomic

_LICENCES = {
    "cc by 4.0": "cc-by-4.0",
    "cc by-sa 4.0": "cc-by-sa-4.0",
    "cc0": "cc0-1.0",
    "cc0 1.0": "cc0-1.0",
}
"""Only licences of the whole corpus: one that needs more words has to be read in full."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))  # fmt: skip
_LANGUAGE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True)
class SplitFiles:
    """The files of one split of a configuration.

    Attributes:
        files: patterns relative to the card.
        rows: in them.
        plain_bytes: of the columns before compression.
        file_bytes: of the files.
    """

    files: tuple[str, ...]
    rows: int
    plain_bytes: int
    file_bytes: int


@dataclass(frozen=True)
class CardConfig:
    """One configuration of the dataset.

    Attributes:
        name: for ``load_dataset(DIR, name)``.
        members: the corpora in it, of one modality.
        splits: by name: what is to be trained on, and what is held out.
    """

    name: str
    members: Sequence[CorpusParts]
    splits: Mapping[str, SplitFiles]

    @property
    def modality(self) -> str:
        """Decides its columns."""
        return self.members[0].state.modality

    @property
    def files(self) -> tuple[str, ...]:
        """Patterns of all its files."""
        return tuple(name for split in self.splits.values() for name in split.files)

    def sum(self, what: str) -> int:
        """The rows, plain_bytes or file_bytes of all splits."""
        return sum(int(getattr(split, what)) for split in self.splits.values())


def write_card(folder: Path, title: str, configs: Sequence[CardConfig], corpora: Sequence[CorpusParts]) -> None:
    """Write ``README.md`` into ``folder``."""
    front = _front_matter(title, configs, corpora, _languages(folder, configs))
    write_atomic(folder / "README.md", f"---\n{front}\n---\n\n{_body(title, configs, corpora)}".encode())


def _front_matter(
    title: str, configs: Sequence[CardConfig], corpora: Sequence[CorpusParts], languages: list[str]
) -> str:
    from datasets import DatasetInfo, Features, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    licences = licence_ids(corpus.state.licence for corpus in corpora)
    card = DatasetCardData(
        pretty_name=title,
        language=languages or None,
        license=licences[0] if len(licences) == 1 else licences,
        size_categories=[size_category(sum(part.rows for corpus in corpora for part in corpus.parts))],
        task_categories=list(dict.fromkeys(task for config in configs for task in modality_of(config.modality).tasks)),
        tags=["omni-ray", *dict.fromkeys(config.modality for config in configs)],
    )
    infos, places = DatasetInfosDict(), MetadataConfigs()
    for number, config in enumerate(configs):
        splits = SplitDict()
        for name, split in config.splits.items():
            splits.add(SplitInfo(name, split.plain_bytes, split.rows))
        infos[config.name] = DatasetInfo(
            features=Features.from_arrow_schema(schema_for(modality_of(config.modality).schema, _columns(config))),
            splits=splits,
            download_size=config.sum("file_bytes"),
            dataset_size=config.sum("plain_bytes"),
        )
        places[config.name] = {
            "data_files": [{"split": name, "path": list(split.files)} for name, split in config.splits.items()]
        }
        if number == 0:
            places[config.name]["default"] = True
    infos.to_dataset_card_data(card)
    places.to_dataset_card_data(card)
    return card.to_yaml()


def _columns(config: CardConfig) -> set[str]:
    """The columns of a configuration's files, all together."""
    return {column for corpus in config.members for column in columns_of(corpus.parts[0])}


def licence_ids(licences: Iterable[str]) -> list[str]:
    """The Hub's identifiers for what corpora say about their licence; ``other`` for what must be read. Sorted."""
    return sorted({_LICENCES.get(licence.strip().lower(), "other") for licence in licences})


def size_category(rows: int) -> str:
    """The Hub's size category of so many rows."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1T" if rows >= 10**12 else "1B<n<10B")


def _languages(folder: Path, configs: Sequence[CardConfig]) -> list[str]:
    """The languages that texts name, as ISO 639 codes, sorted."""
    found: set[str] = set()
    for config in configs:
        if config.name == config.modality and "lang" in modality_of(config.modality).schema.names:
            for pattern in config.files:
                for path in sorted(folder.glob(pattern)):
                    shard = pq.ParquetFile(path)
                    for group in range(shard.num_row_groups):
                        found.update(shard.read_row_group(group, columns=["lang"])["lang"].unique().to_pylist())
    codes = {str(each).lower().partition("-")[0] for each in found if each}
    return sorted(code for code in codes if _LANGUAGE.fullmatch(code))


def _body(title: str, configs: Sequence[CardConfig], corpora: Sequence[CorpusParts]) -> str:
    first = configs[0].name
    single = next((config.name for config in configs if "-" in config.name), first)
    lines = [
        f"# {_plain(title)}",
        "",
        f"Prepared with omni_ray {__version__}: every record of the sources is kept, or listed with the reason why not.",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'rows = load_dataset("DIR", split="train")  # {first}',
        f'rows = load_dataset("DIR", "{single}", split="train")',
        "```",
        "",
        "## What is in it",
        "",
        "| configuration | a row is a | rows | samples | MB |",
        "|---|---|---:|---:|---:|",
    ]
    for config in configs:
        samples = sum(part.samples for corpus in config.members for part in corpus.parts)
        lines.append(
            f"| `{config.name}` | {modality_of(config.modality).row} | {config.sum('rows'):,} | {samples:,} | {config.sum('file_bytes') / 1e6:,.1f} |"
        )
    held = {c.name: c.splits["validation"].rows for c in configs if "validation" in c.splits}
    if held:
        rows = ", ".join(f"`{name}` {count:,}" for name, count in held.items())
        lines += [
            "",
            f"Split `train` is what is to be trained on. Of these rows, so many are held out from it, as split `validation`: {rows}.",
            "Documents, speakers and pictures are on one side as a whole; a corpus of one speaker is parted by clip.",
        ]
    lines += [
        "",
        "Audio is 16 kHz mono; pictures are square 8-bit RGB. `corpus` names the corpus, `id` never changes for the same source.",
        "",
    ]
    lines += _where_records_went(corpora)
    lines += ["", "## Provenance and licences", ""]
    for corpus in corpora:
        lines.append(f"- **{corpus.name}**: {_provenance(corpus)}")
    lines += [
        "",
        "Check each corpus's licence before you pass the data on: the strictest one counts for the whole.",
        "",
    ]
    return "\n".join(lines)


def _where_records_went(corpora: Sequence[CorpusParts]) -> list[str]:
    lines = [
        "## Where the records went",
        "",
        "Records in = kept + quarantined + beyond the limit. A record that is kept gives one or more samples; cleaning removed "
        "some of these, and some are beyond the share of their corpus in the mixture.",
        "",
        "| corpus | in | kept | quarantined | beyond the limit | why quarantined | samples | beyond its share | removed by cleaning | why removed |",
        "|---|---:|---:|---:|---:|---|---:|---:|---:|---|",
    ]
    for corpus in corpora:
        s = corpus.summary
        lines.append(
            f"| {corpus.name} | {s.records_in:,} | {s.kept:,} | {s.quarantined:,} | {s.beyond:,} | {_counts(s.reasons)} "
            f"| {s.samples:,} | {s.beyond_share:,} | {sum(s.removed.values()):,} | {_counts(s.removed)} |"
        )
    return lines


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"`{code}` {count:,}" for code, count in sorted(reasons.items()))


def _provenance(corpus: CorpusParts) -> str:
    state = corpus.state
    home = f" <{state.homepage}>." if state.homepage else ""
    params = ", ".join(f"{key} {_plain(str(value))}" for key, value in state.params.items() if value is not None)
    return (
        f"{state.corpus}; licence: {_plain(state.licence)}.{home} "
        f"Read from `{source_name(state.source)}`; made with {params}."
    )


def source_name(source: str) -> str:
    """A source as it may be published: only the last part of a path on somebody's machine."""
    is_path = source.startswith((".", "/", "~")) or Path(source).exists()
    name = Path(source).name if is_path and "://" not in source else source
    return name.replace("`", "'")


def _plain(text: Any) -> str:
    """Text that Markdown takes as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(str(text).split()))
