"""Training the tokenizer: SentencePiece byte pairs, as the trainers would, but with a vocabulary that fits.

Text is streamed to the trainer, so no path reaches SentencePiece (a comma in one would split it) and none is
recorded in the model: the same text gives the same bytes anywhere. A corpus over the limit is sampled at even
distances through its whole length.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from omni_ray.errors import OmniError, said_by
from omni_ray.modalities.documents import whole_documents
from omni_ray.modalities.hold_out import held_out_rows
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.ours import keep_copy
from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.storage import write_atomic
from omni_ray.trainers.lines import MAX_LINE_BYTES, read_lines, split_lines
from omni_ray.trainers.reading import json_list
from omni_ray.training.counts import CountedSource, shard_texts
from omni_ray.training.tokens import digest, load

SAMPLE_BYTES = 128 << 20
"""Text a tokenizer is trained on, at most. More hardly changes the pieces, but costs memory (about six times as much)
and time (about 0.1 s a megabyte)."""
MODEL, VOCABULARY, RECORD = "tokenizer.model", "tokenizer.vocab", "tokenizer.json"
_BLOCK = 1 << 20
_TOO_HIGH = re.compile(r"value <= (\d+)")
_TOO_LOW = re.compile(r"required_chars\. \d+ vs (\d+)")


@dataclass(frozen=True)
class TokenizerRequest:
    """A tokenizer to train: from what, with how many pieces at most, on how many bytes of text at most."""

    source: CountedSource
    vocab_size: int
    sample_bytes: int = SAMPLE_BYTES


@dataclass(frozen=True)
class Trained:
    """A tokenizer, and how it came to be.

    Attributes:
        model: the serialized SentencePiece model.
        wanted: the vocabulary asked for.
        pieces: the vocabulary it has; fewer where the text does not yield more.
        fingerprint: digest of the wanted vocabulary and of the text it was trained on.
    """

    model: bytes
    wanted: int
    pieces: int
    fingerprint: str

    def save(self, folder: Path) -> None:
        """Write the record, the readable vocabulary, and the model to ``folder``: the model last, which is the commit.

        The record names the model that was there, so that after a kill in between that one is not taken for the user's.
        Any of the three files that was the user's own stays beside them as ``NAME.bak``.
        """
        there = find(folder)
        if there is not None and there == SavedTokenizer(self.model, there.pieces, self.wanted, self.fingerprint):
            write_atomic(
                folder / VOCABULARY, vocabulary(self.model)
            )  # the rest is there, and its record stays as it is
            return
        self._keep_others(folder, there)
        record = {**asdict(self), "model": digest(self.model)}
        with suppress(FileNotFoundError):
            record["replaces"] = digest((folder / MODEL).read_bytes())
        write_atomic(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
        write_atomic(folder / VOCABULARY, vocabulary(self.model))
        write_atomic(folder / MODEL, self.model)

    def _keep_others(self, folder: Path, there: SavedTokenizer | None) -> None:
        """Keep copies of the files in the way that are not of a tokenizer of ours."""
        is_ours = there is not None and there.wanted is not None
        texts = [vocabulary(self.model)] + ([vocabulary(there.model)] if there is not None and is_ours else [])
        kept = []
        if there is not None and not is_ours and there.model != self.model:
            kept.append(MODEL)
        if (folder / VOCABULARY).exists() and (folder / VOCABULARY).read_bytes() not in texts:
            kept.append(VOCABULARY)
        if (folder / RECORD).exists() and not _is_record(folder / RECORD):
            kept.append(RECORD)
        for name in kept:
            keep_copy(folder / name)


def _is_record(path: Path) -> bool:
    """Whether the file is a record of ours: Hugging Face's tokenizers are called the same."""
    try:
        return bool({"model", "wanted", "pieces", "fingerprint"} <= json.loads(path.read_bytes()).keys())
    except (ValueError, AttributeError):
        return False


@dataclass(frozen=True)
class SavedTokenizer:
    """A tokenizer on disk. The last three are None where the user put it there, rather than this project."""

    model: bytes
    pieces: int
    wanted: int | None = None
    fingerprint: str | None = None


def find(folder: Path) -> SavedTokenizer | None:
    """The tokenizer in ``folder``, if there is one. Raises OmniError where it cannot be read."""
    try:
        model = (folder / MODEL).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OmniError(f"{folder / MODEL}: {said_by(error)}") from error
    try:
        pieces = int(load(model).get_piece_size())
    except OmniError as error:
        raise OmniError(f"{folder / MODEL}: {error}") from error
    try:
        record = json.loads((folder / RECORD).read_bytes())
        if record["model"] == digest(model):
            return SavedTokenizer(model, pieces, int(record["wanted"]), str(record["fingerprint"]))
        if record.get("replaces") == digest(model):
            return SavedTokenizer(model, pieces, int(record["wanted"]), "")  # ours, and about to be replaced
    except (OSError, ValueError, KeyError, TypeError):
        pass  # without a record of these very bytes, the tokenizer is the user's own
    return SavedTokenizer(model, pieces)


def checkpoint_in(folder: Path) -> Path | None:
    """Weights in ``folder`` that belong to the tokenizer beside them."""
    weights = sorted(folder.glob("thinker*.pt")) if folder.is_dir() else []
    return weights[0] if weights else None


def _fingerprinted(request: TokenizerRequest, value: hashlib._Hash) -> Iterator[str]:
    """The sentences, which pass into the digest of what the tokenizer is trained on, and of the vocabulary wanted."""
    value.update(f"bpe {request.vocab_size}\n".encode())
    for sentence in sentences(request):
        value.update(f"{sentence}\n".encode())
        yield sentence


def fingerprint(request: TokenizerRequest) -> str:
    """Digest of what the tokenizer would be trained on, and of the vocabulary wanted."""
    value = hashlib.sha256()
    deque(_fingerprinted(request, value), 0)
    return value.hexdigest()


def train(request: TokenizerRequest) -> Trained:
    """Train a tokenizer.

    Raises:
        OmniError: there is no text, it has more distinct characters than the vocabulary has room, or it cannot be read.
    """
    seen = hashlib.sha256()
    where = request.source.path
    try:
        first = next(sentences(request), None)
    except OSError as error:
        raise OmniError(f"{where}: {said_by(error)}") from error
    if first is None:
        raise OmniError(f"{where}: no text to train a tokenizer on")
    model, limit = _train(_fingerprinted(request, seen), request.vocab_size, where)
    if model is None:
        model, _ = _train(sentences(request), limit, where)
    if model is None:
        raise OmniError(f"{where}: SentencePiece found no vocabulary that fits; give it more text")
    return Trained(model, request.vocab_size, int(load(model).get_piece_size()), seen.hexdigest())


def _train(text: Iterator[str], vocab_size: int, where: str) -> tuple[bytes | None, int]:
    """A model, or None and the largest vocabulary that the text allows."""
    import sentencepiece

    out = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=text,
            model_writer=out,
            vocab_size=vocab_size,
            model_type="bpe",
            character_coverage=1.0,
            max_sentence_length=MAX_LINE_BYTES,
            minloglevel=2,
        )
    except RuntimeError as error:
        if too_high := _TOO_HIGH.search(str(error)):
            return None, int(too_high[1])
        if too_low := _TOO_LOW.search(str(error)):
            raise OmniError(
                f"{where}: has {int(too_low[1]) - 3:,} distinct characters; "
                f"vocab_size {vocab_size:,} has no room for them, set it to {too_low[1]} or more"
            ) from error
        raise OmniError(
            f"{where}: SentencePiece cannot train on it ({str(error).splitlines()[0]}); give it more text"
        ) from error
    return out.getvalue(), vocab_size


def vocabulary(model: bytes) -> bytes:
    """The readable vocabulary: a piece and its score a line."""
    processor = load(model)
    lines = []
    for piece in range(processor.get_piece_size()):
        score = processor.get_score(piece)
        lines.append(f"{processor.id_to_piece(piece)}\t{score:g}\n")
    return "".join(lines).encode()


# --- text to train on ---


def sentences(request: TokenizerRequest) -> Iterator[str]:
    """The lines to train on, blank and over-long ones left out."""
    for line in _lines(request.source, request.sample_bytes):
        text = line.strip().replace("\0", "")
        if text and len(text.encode()) <= MAX_LINE_BYTES:
            yield text


def _lines(source: CountedSource, limit: int) -> Iterator[str]:
    if source.shards:
        return _shard_lines(source, limit)
    return _file_lines(source.path, limit) if source.kind == "text" else _caption_lines(source.path, limit)


def _file_lines(path: str, limit: int) -> Iterator[str]:
    """All lines, or those that begin in evenly spaced blocks of 1 MiB, ``limit`` bytes in all."""
    size = Path(path).stat().st_size
    if size <= limit:
        starts = list(range(0, size, _BLOCK))
    else:
        blocks = max(2, limit // _BLOCK)
        starts = [number * (size - _BLOCK) // (blocks - 1) for number in range(blocks)]
    for start in starts:
        yield from split_lines(read_lines(path, start, min(start + _BLOCK, size)))


def _caption_lines(path: str, limit: int) -> Iterator[str]:
    step = -(-Path(path).stat().st_size // limit)
    with open(path, "rb") as file:
        for item in islice(json_list(file, path), 0, None, step):
            caption = item.get("caption") if isinstance(item, dict) else None
            if isinstance(caption, str):
                yield " ".join(caption.split())


def _shard_lines(source: CountedSource, limit: int) -> Iterator[str]:
    """The lines of every shard, or of every n-th, so that ``limit`` bytes are not passed by much."""
    size = sum(map(_text_bytes, source.shards))
    for shard in source.shards[:: max(1, -(-size // limit))]:
        if not source.holdout:
            yield from shard_texts(shard)
            continue
        for rows in whole_documents(read_rows(shard, columns=["id", "text"])):
            yield from rows["text"].filter(pa.array(~held_out_rows(rows, "text", source.holdout))).to_pylist()


def _text_bytes(shard: Part) -> int:
    """Uncompressed bytes of a shard's texts, as its footer says."""
    import pyarrow.parquet as pq

    with shard.storage.open(shard.file) as file:
        footer = pq.ParquetFile(file).metadata
    leaves = (footer.schema.column(number).path for number in range(footer.num_columns))
    place = [path.partition(".")[0] for path in leaves].index(modality_of(shard.modality).said)
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    return sum(group.column(place).total_uncompressed_size for group in groups)
