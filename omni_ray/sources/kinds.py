"""What a file holds, by its ending: which look like data of a modality, and the names of the formats that nobody reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from omni_ray.sources.packed import SUFFIXES

AUDIO = tuple(
    """
    .wav .flac .mp3 .ogg .oga .opus .aiff .aif .aifc .au .snd .caf .w64 .rf64 .sph .mp1 .mp2 .m4a .m4b .mp4 .aac .webm
    .weba .mka .wma .amr .3gp .spx .wv .ape .tta
    """.split()
)
"""Recordings that :mod:`omni_ray.sources.recordings` reads; with the dot, in lower case."""
PICTURES = tuple(
    """
    .jpg .jpeg .jpe .jfif .jif .jfi .png .apng .webp .gif .bmp .dib .tif .tiff .avif .avifs .jp2 .j2k .j2c .jpc .jpf
    .jpx .ppm .pgm .pbm .pnm .pfm .ico .qoi .sgi .rgb .rgba .bw .mpo
    """.split()
)
"""Pictures that are read; with the dot, in lower case."""
ARCHIVES = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "tar.gz",
    ".tgz": "tar.gz",
    ".tar.bz2": "tar.bz2",
    ".tbz2": "tar.bz2",
    ".tar.xz": "tar.xz",
    ".txz": "tar.xz",
    ".tar.zst": "tar.zst",
    ".tzst": "tar.zst",
}
"""Archives that are read in place, and their kinds."""
TABLES = {
    "parquet": (".parquet",),
    "arrow": (".arrow", ".feather", ".ipc"),
    "lines": (".jsonl", ".ndjson", ".jsonlines"),
    "json": (".json",),
    "delimited": (".csv", ".tsv", ".tab"),
}
"""Tables that are read, by format."""
_NOT_READ = {
    "picture": {
        "HEIC": ".heic .heif .hif",
        "JPEG XL": ".jxl",
        "JPEG XR": ".jxr .wdp .hdp",
        "SVG": ".svg .svgz",
        "Photoshop": ".psd .psb",
        "PostScript": ".eps .ps .ai",
        "a camera's raw format": ".raw .cr2 .cr3 .nef .arw .dng .orf .rw2 .raf",
        "DICOM": ".dcm .dicom",
        "high dynamic range": ".exr .hdr",
        "a texture": ".dds .tga .ktx",
        "a drawing program's format": ".xcf .kra .ora .cdr",
        "a metafile": ".emf .wmf",
        "DjVu": ".djvu .djv",
        "an old picture format": ".pcx .xpm .xbm .ras .pam .bpg .flif .fits .icns",
    },
    "audio": {
        "protected or rarer AAC": ".m4p .adts .awb",
        "telephone speech": ".gsm .vox .sln",
        "RealAudio": ".ra .ram .rm",
        "lossless, of other programs": ".shn .dsf .dff",
        "Musepack": ".mpc",
        "of films": ".ac3 .eac3 .dts",
        "a rarer form of plain samples": ".nist .voc",
        "samples without a header": ".pcm .s16 .s16le",
        "notes, no sound": ".mid .midi",
    },
    "video": {"a film": ".m4v .mov .avi .mkv .mpg .mpeg .wmv .flv .ogv .3g2 .vob .mts .m2ts"},
    "text": {
        "HTML": ".html .htm .xhtml .mhtml",
        "marked-up text": ".md .markdown .rst .adoc .org .textile",
        "a word processor's format": ".doc .docx .odt .rtf .pages",
        "a web archive (WET files: --dataset wet)": ".warc .wet .wat .arc",
        "an e-book": ".epub .mobi .azw3 .fb2",
        "TeX": ".tex .latex",
        "PDF": ".pdf",
        "XML": ".xml .tei .sgml",
        "SQL": ".sql",
        "ZIM": ".zim",
        "subtitles": ".srt .vtt .ass",
    },
    "table": {
        "a spreadsheet": ".xlsx .xls .ods .xlsb",
        "a database": ".db .sqlite .sqlite3 .mdb .duckdb .lmdb",
        "of Python or NumPy": ".pkl .pickle .npz .npy .pt .pth",
        "HDF5": ".h5 .hdf5",
        "TensorFlow records": ".tfrecord .tfrecords",
        "Avro or ORC": ".avro .orc",
        "of a training library": ".beton .mds .recordio .rec",
    },
    "archive": {"an archive that is not looked into": ".7z .rar .lz4 .lz .lzma .br .z .cab .iso"},
}
"""What a file holds -> name of a format -> its endings. Those that are read anyway count as read."""
_READ = {
    "audio": AUDIO,
    "picture": PICTURES,
    "lines": (".txt", ".text"),
    "table": tuple(ending for endings in TABLES.values() for ending in endings),
}
_BY_ENDING = {
    ending: (holds, label)
    for holds, formats in _NOT_READ.items()
    for label, endings in formats.items()
    for ending in endings.split()
} | {ending: (holds, "") for holds, endings in _READ.items() for ending in endings}
_TABLES = {"lines", "table", "archive"}
_DATA = {
    "text": {"text", "lines", "table", "archive"},
    "audio": {"audio", "video", "table", "archive"},
    "images": {"picture", "table", "archive"},
    "ocr": {"picture", "table", "archive"},
}


def archive_kind(path: str | Path) -> str | None:
    """ "zip", "tar", "tar.gz", ... by the file's name, or None where it is no archive."""
    name = Path(path).name.lower()
    return next((kind for ending, kind in ARCHIVES.items() if name.endswith(ending)), None)


def archive_stem(name: str) -> str:
    """The name of an archive without its ending: ``a`` for ``a.tar.gz``."""
    return next(
        (name[: -len(ending)] for ending in sorted(ARCHIVES, key=len, reverse=True) if name.lower().endswith(ending)),
        name,
    )


@dataclass(frozen=True)
class FileKind:
    """What a name's ending says.

    Attributes:
        holds: picture, audio, video, lines (plain text), text (in some mark-up), table, archive; "" where it says nothing.
        label: the format's name, where it is one that nobody here reads; else "".
        ending: with the dot, in lower case, and with the ending of its compression: ``.jsonl.gz``; "" for none.
    """

    holds: str
    label: str
    ending: str

    def looks_like(self, modality: str) -> bool:
        """Whether such a file may hold data of ``modality``."""
        return self.holds in _DATA.get(modality, _TABLES)


def kind_of(name: str) -> FileKind:
    """The kind of a file of this name."""
    base = name.rpartition("/")[2].lower()
    packed = next((ending for ending in SUFFIXES if base.endswith(ending)), "")
    if archive_kind(base) is not None:
        return FileKind("archive", "", _last_ending(base))
    plain = base.removesuffix(packed) if packed else base
    ending = _last_ending(plain)
    holds, label = _BY_ENDING.get(ending, ("lines" if packed else "", ""))
    return FileKind(holds, label, ending + packed)


def _last_ending(base: str) -> str:
    found = re.search(r"(?<=.)(\.[a-z0-9_]{1,12})$", base)
    return found[1] if found else ""
