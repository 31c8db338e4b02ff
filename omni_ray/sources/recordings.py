"""Recordings, decoded block by block from their beginning to their true end.

libsndfile reads what it gets right: WAV and its relatives, FLAC, Ogg Vorbis and Opus, and MP3 whose length it guesses
right. Other MP3, and everything it does not know (AAC, MP4, WebM, WMA, ...), goes through FFmpeg. It would stop at the
count in a FLAC header, so it is not shown the count; and after the first file of an Ogg chain, so chains are split. What is
decoded is then compared with what the headers count.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import soundfile

from omni_ray.records import Unusable
from omni_ray.sources import audio_headers, mpeg_audio, ogg_pages
from omni_ray.sources.signatures import named

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

Block = npt.NDArray[Any]
"""Shape (n, channels): int16, or float32 with full scale at 1.0."""

MAX_CHANNELS = 64
RATES = range(1_000, 768_001)
_SNDFILE = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "AIFF", "AU", "CAF", "NIST"}
"""libsndfile also reads formats of samplers and MATLAB, with marks that any file might begin with."""
_BLOCK = 1 << 16
"""Values read at once: they fit into a core's cache, and libsndfile clears what it cannot fill of a longer buffer."""
_SLACK = 0.05
"""Seconds by which a decoder may fall short of what a container says: frames at both ends are longer than what was recorded."""
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"#!AMR", "amr"),
    (0, b"wvpk", "wv"),
    (0, b"MAC ", "ape"),
    (0, b"TTA1", "tta"),
    (0, b"RIFF", "wav"),
    (0, b"RF64", "wav"),
    (0, b"riff", "w64"),
    (0, b"RIFX", ""),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    (0, b"caff", "caf"),
    (0, b".snd", "au"),
    (0, b"dns.", ""),
    (0, b"NIST_1A", "nistsphere"),
)
"""Where a mark is, the mark, and FFmpeg's name for the format: FFmpeg never has to guess."""
_BY_FFMPEG = frozenset({"mov", "matroska", "asf", "amr", "wv", "ape", "tta"})
_SAY_THEIR_LENGTH = frozenset({"mov", "matroska", "asf", "wv", "ape", "tta"})
_HAVE_CHECKSUMS = frozenset({"wavpack", "tta", "flac", "ape"})
"""FFmpeg's decoders of frames with checksums, which they compare when they are told to."""


@dataclass
class Recording:
    """A recording that is open for reading, once.

    Attributes:
        rate: in Hz.
        blocks: in order, to the true end; each is good until the next is asked for. Raises Unusable where they fall
            short of what the header counts.
        is_float: its samples are numbers of any size, and their scale depends on the program that wrote them.
        is_as_said: after the last block, whether it was as long as its header says, with nothing after it.
    """

    rate: int
    channels: int
    blocks: Iterator[Block] = field(default_factory=lambda: iter(()))
    is_float: bool = False
    is_as_said: bool = True


@contextmanager
def opened(data: bytes) -> Iterator[Recording]:
    """The file open for reading, if it and what it says about itself are believable.

    Raises:
        Unusable: ``decode_error`` or ``truncated``, also while its blocks are read.
    """
    with _decoder(data) as recording:
        if recording.rate not in RATES:
            raise Unusable("decode_error", f"a sampling rate of {recording.rate} Hz")
        if not 1 <= recording.channels <= MAX_CHANNELS:
            raise Unusable("decode_error", f"{recording.channels} channels")
        yield recording


def can_seek(data: bytes) -> bool:
    """Whether libsndfile reads the file, and finds any place in it exactly."""
    return _format(data) not in (None, *_BY_FFMPEG, "ogg")


def _format(data: bytes) -> str | None:
    start = audio_headers.flac_start(data)
    if start is not None:
        return "flac"
    return next((name for at, mark, name in _MARKS if data[at : at + len(mark)] == mark), None)


def _decoder(data: bytes) -> AbstractContextManager[Recording]:
    kind = _format(data)
    if kind in _BY_FFMPEG:
        if behind := audio_headers.second_file(data):
            raise Unusable("decode_error", behind)
        return nullcontext(_by_ffmpeg(data, str(kind)))
    if kind is not None:
        return _by_libsndfile(data, kind)
    if data[:1] == b"\xff" and len(data) > 7 and data[1] & 0xF6 == 0xF0:
        if audio_headers.adts_is_cut(data):
            raise Unusable("truncated", "its last frame is cut")
        return nullcontext(_by_ffmpeg(data, "aac"))
    frames = mpeg_audio.scan(data)
    if frames is None:
        name = named(data)
        raise Unusable(
            "decode_error",
            f"there is no sound in it; it is {name}" if name else "no recording of a format that is known",
        )
    return _mpeg(data, frames)


@contextmanager
def _mpeg(data: bytes, frames: mpeg_audio.MpegAudio) -> Iterator[Recording]:
    # Some encoders count the frame that holds the count.
    if frames.promised is not None and frames.frames < frames.promised - (not frames.ends_early):
        raise Unusable("truncated", f"{frames.frames:,} of the {frames.promised:,} frames that its header counts")
    if frames.promised is None and frames.ends_early:
        raise Unusable("truncated", "its last frame is cut")
    file = _to_the_end(data, frames)
    recording = _by_ffmpeg(data, "mp3") if file is None else _of_libsndfile(file)
    least = frames.samples - frames.unheard - round(_SLACK * recording.rate) - 1
    recording.blocks = _held_against(recording.blocks, least, recording.rate)
    try:
        with file or nullcontext():
            yield recording
    except soundfile.LibsndfileError as error:
        raise Unusable("decode_error", error.error_string.strip()) from error


def _to_the_end(data: bytes, frames: mpeg_audio.MpegAudio) -> soundfile.SoundFile | None:
    """libsndfile, which takes half of FFmpeg's time but stops where it believes the end to be; None where that is early."""
    if frames.parts > 1 or not frames.is_uniform:
        return None
    try:
        file = _Forward(io.BytesIO(data))
    except soundfile.LibsndfileError:
        return None
    if file.format == "MP3" and file.frames >= frames.samples - frames.unheard:
        return file
    file.close()
    return None


def _held_against(blocks: Iterator[Block], least: float, rate: int) -> Iterator[Block]:
    """The same blocks; raises at the end if there were fewer samples than this."""
    count = 0
    for block in blocks:
        count += len(block)
        yield block
    if count < least:
        raise Unusable("truncated", f"{count / rate:.2f} s of {least / rate:.2f} s can be decoded")


# --- libsndfile


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """Reads from front to back, until nothing comes, however many frames the header counts.

    soundfile would seek after each block, and stop at the number of frames in the header.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _by_libsndfile(data: bytes, kind: str) -> Iterator[Recording]:
    start = audio_headers.flac_start(data)
    links = _ogg_links(data) if kind == "ogg" else [data]
    _check_headers(data, start)
    raw = io.BytesIO(links[0]) if start is None else audio_headers.WithoutCount(data, start)
    try:
        file = _open(raw)
    except soundfile.LibsndfileError as error:
        if len(links) > 1 or not kind:
            raise _failed(error, data, raw) from error
        yield _other_codec(data, kind, error)
        return
    try:
        with file:
            recording = _of_libsndfile(file)
            if start is not None:
                recording.blocks = _flac_blocks(file, data, start, recording)
            elif links[1:]:
                recording.blocks = _chain(file, links[1:])
            yield recording
    except soundfile.LibsndfileError as error:
        raise _failed(error, data, raw) from error


def _check_headers(data: bytes, flac_start: int | None) -> None:
    missing = audio_headers.missing_bytes(data)
    if missing:
        raise Unusable("truncated", f"{missing:,} bytes fewer than its header says")
    behind = audio_headers.second_file(data)
    if behind:
        raise Unusable("decode_error", behind)
    if flac_start is not None and audio_headers.flac_changes(data, flac_start):
        raise Unusable("decode_error", "its rate or its bits a sample change on the way")


def _open(raw: io.BytesIO) -> soundfile.SoundFile:
    file = _Forward(raw)
    if file.format not in _SNDFILE:
        file.close()
        raise Unusable("decode_error", f"a file in the format {file.format}")
    return file


def _failed(error: soundfile.LibsndfileError, data: bytes, raw: io.BytesIO) -> Unusable:
    # A decoder that fails inside the file found damage; one that fails at its end wanted more of it.
    is_cut = data[:4] in {b"fLaC", b"RIFF", b"RF64", b"FORM"} and raw.tell() >= len(data)
    return Unusable("truncated" if is_cut else "decode_error", error.error_string.strip())


def _other_codec(data: bytes, kind: str, error: soundfile.LibsndfileError) -> Recording:
    """WAV and Ogg are wrappers: what libsndfile does not know in them, FFmpeg may."""
    try:
        return _by_ffmpeg(data, kind)
    except Unusable:
        raise Unusable("decode_error", error.error_string.strip()) from error


def _of_libsndfile(file: soundfile.SoundFile) -> Recording:
    is_float = file.subtype in ("FLOAT", "DOUBLE")
    return Recording(file.samplerate, file.channels, _blocks_of(file), is_float)


def _blocks_of(file: soundfile.SoundFile, most: int | None = None) -> Iterator[Block]:
    """What comes next, ``most`` samples of each channel, or all there are."""
    # libsndfile turns 16 bits into floats one by one, which takes longer than reading them.
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    buffer = np.empty((max(1, _BLOCK // file.channels), file.channels), dtype)
    while most is None or most > 0:
        count = file.buffer_read_into(buffer[:most], dtype)
        if not count:
            return
        most = None if most is None else most - count
        yield buffer[:count]


def _flac_blocks(file: soundfile.SoundFile, data: bytes, start: int, recording: Recording) -> Iterator[Block]:
    """To the number of samples that the header counts, and on from there while there are frames."""
    promised = audio_headers.flac_samples(data, start)
    frames = 0
    for block in _blocks_of(file, promised or None):
        frames += len(block)
        yield block
    if frames < promised:
        raise Unusable("truncated", f"{frames:,} of {promised:,} samples are there")
    try:
        more = next(_blocks_of(file, 1), None)
    except soundfile.LibsndfileError:
        if data.find(b"fLaC", start + 4) >= 0:
            raise Unusable("decode_error", "another file is joined to it") from None
        recording.is_as_said = False  # something that is not sound, which players skip
        return
    recording.is_as_said = promised > 0 and more is None
    if more is not None:
        yield more
        yield from _blocks_of(file)


def _ogg_links(data: bytes) -> list[bytes]:
    pages = ogg_pages.scan(data)
    if pages.damaged:
        raise Unusable("decode_error", f"{pages.damaged:,} of its pages are damaged")
    if pages.short:
        raise Unusable("truncated", f"{pages.short:,} bytes fewer than its last page says")
    if pages.missing:
        raise Unusable("truncated", f"{pages.missing:,} of its pages are missing")
    ends = [*pages.links[1:], len(data)]
    return [data[begin:end] for begin, end in zip(pages.links, ends, strict=False)] or [data]


def _chain(first: soundfile.SoundFile, others: list[bytes]) -> Iterator[Block]:
    yield from _blocks_of(first)
    for link in others:
        with _open(io.BytesIO(link)) as file:
            if (file.samplerate, file.channels) != (first.samplerate, first.channels):
                raise Unusable("decode_error", "files of different rates or channels are joined in it")
            yield from _blocks_of(file)


# --- FFmpeg


def _by_ffmpeg(data: bytes, kind: str) -> Recording:
    """Its first frame is decoded here: only this tells the true sampling rate."""
    frames = _frames(data, kind)
    try:
        first = next(frames)
    except StopIteration:
        raise Unusable("decode_error", "there is no sound in it") from None
    return Recording(first.sample_rate, first.layout.nb_channels, _frame_blocks(first, frames))


def _frames(data: bytes, kind: str) -> Iterator[AudioFrame]:
    """The frames of the first stream of sound.

    Raises:
        Unusable: ``decode_error`` or ``truncated``.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        with av.open(io.BytesIO(data), "r", format=kind, options=_PROBE.get(kind, {})) as container:
            if not container.streams.audio:
                raise Unusable("decode_error", "there is no sound in it")
            stream = container.streams.audio[0]
            if stream.codec_context.name in _HAVE_CHECKSUMS:
                stream.codec_context.options = {"err_detect": "crccheck+explode"}
            promised = _seconds(container, stream) if kind in _SAY_THEIR_LENGTH else 0.0
            seconds, longest = 0.0, 0.0
            for packet in container.demux(stream):
                try:
                    decoded = packet.decode()
                except av.error.InvalidDataError:
                    if kind != "mp3":  # whose frames are counted
                        raise
                    continue
                for frame in decoded:
                    longest = max(longest, frame.samples / frame.sample_rate)
                    seconds += frame.samples / frame.sample_rate
                    yield frame
            if seconds < promised - _SLACK - 2 * longest:
                raise Unusable("truncated", f"{seconds:.2f} s of {promised:.2f} s are there")
    except av.error.FFmpegError as error:
        said = (error.strerror or type(error).__name__).lower()
        raise Unusable("decode_error", f"FFmpeg: {said}") from error


_PROBE = {"mp3": {"probesize": "4096", "analyzeduration": "0"}}
"""MP3 says everything in its first frame: looking for more takes as long as decoding a clip."""


def _seconds(container: Any, stream: Any) -> float:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return float(container.duration / 1_000_000)
    return 0.0


def _frame_blocks(first: AudioFrame, rest: Iterator[AudioFrame]) -> Iterator[Block]:
    """Frames, which are short, joined into blocks. Their channels may change, as in MP3 files that were joined."""
    rate, held, values = first.sample_rate, [_values(first)], 0
    for frame in rest:
        if frame.sample_rate != rate:
            raise Unusable("decode_error", f"its rate changes from {rate} to {frame.sample_rate} Hz on the way")
        block = _values(frame)
        if values >= _BLOCK or block.shape[1] != held[0].shape[1]:
            yield np.concatenate(held)
            held, values = [], 0
        held.append(block)
        values += block.size
    yield np.concatenate(held)


_SCALES: dict[str, Callable[[Block], Block]] = {
    "u": lambda values: (values.astype(np.float32) - 128) / 128,
    "i": lambda values: (values / np.float64(1 << 31)).astype(np.float32),
    "f": lambda values: values.astype(np.float32, copy=False),
}


def _values(frame: AudioFrame) -> Block:
    try:
        values = frame.to_ndarray()
    except ValueError as error:
        raise Unusable("decode_error", f"samples of the format {frame.format.name}") from error
    shaped = values.T if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels)
    return shaped if shaped.dtype == np.int16 else _SCALES[shaped.dtype.kind](shaped)
