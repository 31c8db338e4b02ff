"""Recordings are decoded to their true end, and what they hold is held against what their headers say."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
from clip_files import Signal, decoded, encoded, fitted, sine

from omni_ray.modalities.waveform import convert
from omni_ray.records import Unusable
from omni_ray.sources import mpeg_audio

RATE = 24_000
LOUD = np.random.default_rng(1).uniform(-0.4, 0.4, 2 * RATE)
QUIET = 0.001 * LOUD


def by_ffmpeg(samples: Signal, codec: str, kind: str, channels: int = 1, **options: str) -> bytes:
    """A file of ``samples``, shape (n,), in every channel, at ``RATE``."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind, options=options) as container:
        stream: Any = container.add_stream(
            codec, rate=RATE, options={"b": "64k"}, layout="mono" if channels == 1 else "stereo"
        )
        if "qscale" in options:
            stream.codec_context.flags |= av.codec.context.Flags.qscale
            stream.codec_context.global_quality = int(options["qscale"]) * 118
        wide = np.repeat(np.float32(samples)[None], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(wide, format="fltp", layout="mono" if channels == 1 else "stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def mp3(samples: Signal, channels: int = 1, **options: str) -> bytes:
    return by_ffmpeg(samples, "libmp3lame", "mp3", channels, **options)


def seconds(data: bytes) -> float:
    return convert(data, 16_000, "flac").num_samples / 16_000


def refused(data: bytes) -> str:
    with pytest.raises(Unusable) as caught:
        convert(data, 16_000, "flac")
    return caught.value.reason


def test_mp3_of_variable_rate_without_a_header_that_counts() -> None:
    data = mp3(np.concatenate([QUIET, LOUD, LOUD]), qscale="2", write_xing="0")
    frames = mpeg_audio.scan(data)
    assert frames is not None and frames.promised is None
    assert seconds(data) == pytest.approx(6.0, abs=0.1)


def test_mp3_with_a_header_is_as_long_as_what_went_in() -> None:
    assert seconds(mp3(LOUD)) == pytest.approx(2.0, abs=0.001)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_mp3_that_lacks_frames_its_header_counts(share: float) -> None:
    data = mp3(LOUD)
    assert refused(data[: int(len(data) * share)]) == "truncated"


def test_mp3_with_a_hole() -> None:
    data = mp3(LOUD)
    assert refused(data[: len(data) // 3] + data[len(data) // 2 :]) == "truncated"


def test_mp3_files_joined() -> None:
    assert seconds(mp3(LOUD) + mp3(LOUD)) == pytest.approx(4.0, abs=0.15)
    tag = b"ID3\x04\0\0\0\0\x01\0" + bytes(128)
    assert seconds(mp3(LOUD) + tag + mp3(LOUD, 2) + b"TAG" + bytes(125)) == pytest.approx(4.0, abs=0.15)
    cut = mp3(LOUD)
    assert refused(mp3(LOUD) + cut[: len(cut) // 2]) == "truncated"


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_files_joined_to_a_chain(subtype: str) -> None:
    one, other = (encoded(sine(hertz, 16_000), 16_000, "OGG", subtype) for hertz in (440, 1000))
    clip = convert(one + other, 16_000, "flac")
    assert clip.num_samples == pytest.approx(32_000, abs=10)
    both = decoded(clip.data)
    assert fitted(both[:16_000], 440)[2] > 20
    assert fitted(both[16_000:], 1000)[2] > 20
    assert refused(one + encoded(sine(440, 24_000), 24_000, "OGG", subtype)[:-50]) == "truncated"


def test_ogg_files_of_two_rates_are_no_clip() -> None:
    one, other = (encoded(sine(440, rate), rate, "OGG", "VORBIS") for rate in (16_000, 44_100))
    assert refused(one + other) == "decode_error"


def test_ogg_without_a_page_in_the_middle() -> None:
    data = encoded(np.tile(LOUD, 5), RATE, "OGG", "VORBIS")
    places = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    assert refused(data[: places[-3]] + data[places[-2] :]) == "truncated"


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_damaged_page_is_not_skipped(subtype: str) -> None:
    data = encoded(np.tile(LOUD, 5), RATE, "OGG", subtype)
    places = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    assert seconds(data + b"something behind it") == pytest.approx(10, abs=0.1)
    for place in (places[-2], places[-2] + 300, places[-1]):
        assert refused(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]) == "decode_error"


@pytest.mark.parametrize(("form", "codec"), [("wv", "wavpack"), ("tta", "tta")])
def test_frames_are_held_against_their_checksums(form: str, codec: str) -> None:
    data = by_ffmpeg(np.tile(LOUD, 2), codec, form)
    assert seconds(data) == pytest.approx(4, abs=0.1)
    place = len(data) // 2
    assert refused(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]) == "decode_error"


def test_mp3_that_ends_within_a_frame() -> None:
    data = mp3(LOUD, write_xing="0")
    assert seconds(data) == pytest.approx(2.0, abs=0.15)
    assert refused(data[:-50]) == "truncated"


def flac_that_counts(samples: int) -> bytes:
    data = bytearray(encoded(LOUD, 16_000, "FLAC", "PCM_16"))
    data[22:26] = samples.to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("counted", [1, 10_000, len(LOUD) - 1, 0])
def test_flac_that_counts_too_few_is_read_whole_and_written_anew(counted: int) -> None:
    data = flac_that_counts(counted)
    clip = convert(data, 16_000, "flac")
    assert clip.num_samples == len(LOUD) == len(decoded(clip.data))
    assert clip.data != data


def test_flac_files_joined_are_no_clip() -> None:
    data = encoded(LOUD, 16_000, "FLAC", "PCM_16")
    assert refused(data + data) == "decode_error"


def test_flac_whose_rate_changes_on_the_way_is_no_clip() -> None:
    data = encoded(LOUD, 16_000, "FLAC", "PCM_16")
    other = encoded(LOUD, 22_050, "FLAC", "PCM_16")
    first = other.index(b"\xff\xf8")
    whole = bytearray(data + other[first:])
    whole[22:26] = (2 * len(LOUD)).to_bytes(4, "big")
    assert refused(bytes(whole)) == "decode_error"


@pytest.mark.parametrize("kind", ["WAV", "RF64", "AIFF"])
def test_files_of_chunks_joined_are_no_clip(kind: str) -> None:
    data = encoded(LOUD, 16_000, kind, "PCM_16")
    assert refused(data + data) == "decode_error"


@pytest.mark.parametrize(("kind", "name"), [("WAV", b"data"), ("AIFF", b"SSND")])
def test_samples_in_two_chunks_are_no_clip(kind: str, name: bytes) -> None:
    data = encoded(LOUD, RATE, kind, "PCM_16")
    assert refused(data + data[data.index(name) :]) == "decode_error"


@pytest.mark.parametrize("kind", ["W64", "CAF", "AU", "NIST"])
def test_kin_of_wav_joined_are_no_clip(kind: str) -> None:
    data = encoded(LOUD, 16_000, kind, "PCM_16")
    assert refused(data + encoded(QUIET, 16_000, kind, "PCM_16")) == "decode_error"


@pytest.mark.parametrize(("codec", "form"), [("aac", "ipod"), ("tta", "tta")])
def test_what_ffmpeg_reads_joined_is_no_clip(codec: str, form: str) -> None:
    data = by_ffmpeg(LOUD, codec, form)
    assert seconds(data) == pytest.approx(2.0, abs=0.1)
    assert refused(data + by_ffmpeg(QUIET, codec, form)) == "decode_error"


def test_wav_that_counts_too_few() -> None:
    data = bytearray(encoded(LOUD, 16_000, "WAV", "PCM_16"))
    data[40:44] = (len(LOUD)).to_bytes(4, "little")  # half of it
    assert refused(bytes(data)) == "decode_error"


@pytest.mark.parametrize("kind", ["W64", "CAF", "AU", "NIST"])
def test_kin_of_wav_cut_short(kind: str) -> None:
    data = encoded(LOUD, 16_000, kind, "PCM_16")
    assert seconds(data) == len(LOUD) / 16_000
    assert refused(data[: len(data) // 2]) == "truncated"


FORMATS = [
    ("aac", "adts"),
    ("aac", "ipod"),
    ("alac", "ipod"),
    ("libopus", "webm"),
    ("libopus", "matroska"),
    ("wmav2", "asf"),
    ("mp2", "mp2"),
    ("tta", "tta"),
    ("wavpack", "wv"),
]


@pytest.mark.parametrize(("codec", "kind"), FORMATS)
def test_formats_that_ffmpeg_reads(codec: str, kind: str) -> None:
    try:
        data = by_ffmpeg(sine(440, RATE, 2.0), codec, kind)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg does not write {codec}: {error}")
    clip = convert(data, 16_000, "flac")
    assert clip.num_samples / 16_000 == pytest.approx(2.0, abs=0.15)
    level, _, over_rest = fitted(decoded(clip.data), 440)
    assert level == pytest.approx(0.5, rel=0.05) and over_rest > 15
    if codec != "mp2":  # which has no header that counts
        assert refused(data[: len(data) * 2 // 3]) in {"truncated", "decode_error"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE html><html>404</html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"Rar!\x1a\x07\1\0", "a RAR archive"),
        (bytes(1000), "zero bytes"),
        (b"\1\2\3\4" * 99, "no recording of a format that is known"),
    ],
)
def test_what_is_no_recording_is_named(data: bytes, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        convert(data, 16_000, "flac")
