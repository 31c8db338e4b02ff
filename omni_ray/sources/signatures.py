"""What a file that its reader cannot read is, by its first bytes: a name that tells its owner what to do."""

from __future__ import annotations

import codecs
import re

_HEAD = 1024
_STARTS = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself: run git lfs pull"),
    (b"version https://hawser.github.com/spec/", "a Git LFS pointer, not the file itself: run git lfs pull"),
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"8BIM", "a Photoshop document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"\x1f\x8b", "compressed with gzip: unpack it"),
    (b"BZh", "compressed with bzip2: unpack it"),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    (b"II\xbc", "a JPEG XR picture"),
    (b"BPG\xfb", "a BPG picture"),
    (b"FLIF", "a FLIF picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"#?RGBE", "a Radiance HDR picture"),
    (b"DDS ", "a DirectDraw texture"),
    (b"\xabKTX ", "a KTX texture"),
    (b"gimp xcf", "a GIMP document"),
    (b"AT&TFORM", "a DjVu document"),
    (b"SIMPLE  =", "a FITS file"),
    (b"icns", "a Mac icon"),
    (b"\0\0\x02\0\x01\0", "a Windows cursor"),
    (b"\x8aMNG", "a MNG animation"),
    (b"\x8bJNG", "a JNG picture"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"/* XPM", "an X pixmap"),
    (b"farbfeld", "a farbfeld picture"),
    (b"P7\n", "a PAM picture"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"FOVb", "a camera's raw file"),
    (b"\0MRM", "a camera's raw file"),
    (b"IIRO", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM film"),
    (b"OggS", "an Ogg file of sound or film"),
    (b"fLaC", "a FLAC sound file"),
    (b"ID3", "an MP3 sound file"),
    (b"PAR1", "a Parquet table"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x80\x04\x95", "a Python pickle"),
)
_BOXES = {
    **dict.fromkeys(("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"), "a HEIC (HEIF) picture"),
    **dict.fromkeys(("avif", "avis"), "an AVIF picture that cannot be decoded"),
    "crx ": "a camera's raw file",
    "qt  ": "a QuickTime film",
    "M4A ": "an AAC sound file (.m4a)",
}
_RIFF = {b"WAVE": "a WAV sound file", b"AVI ": "an AVI film"}
_MARKUP = (
    (re.compile(rb"<svg[\s>]|<!doctype svg", re.IGNORECASE), "an SVG drawing"),
    (
        re.compile(rb"<!doctype html|<html[\s>]|<head[\s>]|<body[\s>]", re.IGNORECASE),
        "an HTML page, not the file itself",
    ),
    (re.compile(rb"^<\?xml|^<[a-z!]", re.IGNORECASE), "an XML file"),
)
_POINTER = re.compile(rb"version https://(?:git-lfs\.github|hawser\.github)\.com/spec/|[^\n]{0,120}annex/objects/")
_PAGE = re.compile(rb"<!doctype html|<html[\s>]", re.IGNORECASE)


def named(data: bytes) -> str:
    """What a file is by its first bytes, with an article: "a HEIC (HEIF) picture". "" where they say nothing.

    Called after the readers have given up: a file may begin as one thing and be another.
    """
    head = data[:_HEAD]
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[4:8] == b"ftyp":
        return _BOXES.get(head[8:12].decode("latin-1"), "an MP4 film or sound file")
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[128:132] == b"DICM":
        return "a DICOM file"
    if data[-18:-2] == b"TRUEVISION-XFILE":
        return "a TGA picture"
    return _of_text(head)


def instead_of_text(data: bytes) -> str:
    """What a file that should be plain text is, by its first bytes, if it is surely not text; else "".

    Text may begin with any letters: only marks that no text has count, and binary formats where there are zero bytes.
    """
    head = data[:_HEAD].removeprefix(codecs.BOM_UTF8).lstrip()
    is_marked = head.startswith(b"%PDF-") or _POINTER.match(head) or _PAGE.match(head)
    is_binary = (
        b"\0" in head and head[:2] not in (b"\xff\xfe", b"\xfe\xff") and head[:1] != b"\0" and head[1:2] != b"\0"
    )
    name = named(head) if is_marked or is_binary else ""
    return "" if name in ("a text file", "a JSON file", "an XML file") else name


def _of_text(head: bytes) -> str:
    if not head.strip(b"\0"):
        return "nothing but zero bytes"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "a text file"
    head = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if b"annex/objects/" in head[:200]:
        return "a git-annex pointer, not the file itself: run git annex get"
    if head[:1] == b"<":
        return next((name for pattern, name in _MARKUP if pattern.search(head)), "")
    if any(byte < 9 or 13 < byte < 32 for byte in head) or not _is_utf8(head):
        return ""
    return "a JSON file" if head[:1] in (b"{", b"[") else "a text file"


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character is cut at the end of what was read
    return True
