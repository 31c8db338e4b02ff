"""A file that is no picture is named for what it is."""

from __future__ import annotations

import pytest

from omni_ray.modalities import pixels
from omni_ray.records import Unusable

FILES = {
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "git-annex pointer": b"/annex/objects/SHA256E-s31390--f50d.jpg\n",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40,
    "JPEG XL picture": b"\xff\x0a\xfa\x7f\x01\x90",
    "SVG": b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "HTML page": b"\n<!DOCTYPE html><html><head><title>404</title>",
    "XML file": b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
    "JSON file": b'{"error": "rate limit"}',
    "text file": b"404: Not Found",
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "zero bytes": b"\0" * 400,
    "Photoshop": b"8BPS\0\1" + b"\0" * 30,
    "DICOM": b"\0" * 128 + b"DICM\2\0",
    "MP4": b"\0\0\0\x20ftypisom\0\0\2\0",
    "not a picture": b"\xde\xad\xbe\xef" * 9,
}


@pytest.mark.parametrize("name", list(FILES))
def test_a_file_that_is_no_picture_is_named(name: str) -> None:
    with pytest.raises(Unusable, match=name) as caught:
        pixels.decode(FILES[name])
    assert caught.value.reason == "decode_error"
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 100
