"""The closed list of reasons why an input record was not kept.

Every input record ends in exactly one of: kept, quarantined with one of these reasons, or beyond
``--max-samples``. ``fault`` reasons mean the record should have been usable: their share is compared with ``--max-quarantine``.
The others are records a corpus contains by design but that are not samples (redirects, illegible words): they are listed and
counted all the same, but blame nobody.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One reason code.

    Attributes:
        code: the stable name, as it appears in manifests and in the quarantine.
        meaning: one sentence for people.
        fault: whether it counts against ``--max-quarantine``.
    """

    code: str
    meaning: str
    fault: bool = True


_ALL = (
    Reason("decode_error", "the image, clip or archive member cannot be decoded"),
    Reason("crashes_decoder", "any process that decodes the record, or reads on from it, crashes"),
    Reason("truncated", "the file ends before its own header says it should"),
    Reason("too_short", "the clip has fewer samples than the trainers need, or than --min-seconds asks"),
    Reason("too_long", "the clip is longer than --max-seconds"),
    Reason("non_finite", "the clip contains NaN or infinite samples"),
    Reason("wrong_scale", "the clip's samples are floats far beyond full scale"),
    Reason("missing_channel", "the recording lacks the requested channel"),
    Reason("too_large", "the declared or decoded size is over the safety cap"),
    Reason("empty_text", "no visible text is left once markup and blanks are gone"),
    Reason("missing_media", "the annotation names a file that is not there"),
    Reason("missing_text", "the media file has no transcript, caption or label"),
    Reason("bad_encoding", "the bytes are not UTF-8, and their encoding is in doubt: see --encoding"),
    Reason("bad_row", "the row or record cannot be parsed, or lacks a column"),
    Reason("bad_path", "the media path is absolute or leaves the source, or the URL may not be fetched"),
    Reason("unreachable", "the URL gave no answer, or asked to try later; --retry-failed tries again"),
    Reason("bad_geometry", "the word's polygon is empty, degenerate or outside its image"),
    Reason("text_too_long", "the transcript, caption or label is longer than a CSV field may be"),
    Reason(
        "duplicate_id",
        "an earlier record of the corpus is the same, or an earlier picture of the list has the same id",
    ),
    Reason("wrong_header", "the book has no recognisable start of text"),
    Reason("redirect", "the page only redirects to another", fault=False),
    Reason("other_namespace", "the page is not an article (talk, template, category, ...)", fault=False),
    Reason("disambiguation", "the page only lists other pages", fault=False),
    Reason("stub", "the page has nothing but markup, tables or headings", fault=False),
    Reason("dead_link", "the URL gives no picture, but an error status or a web page", fault=False),
    Reason("opted_out", "the owner does not want the picture fetched or trained on", fault=False),
    Reason("illegible", "the annotators marked the word as illegible", fault=False),
    Reason("duplicate_edition", "another file has the same book in a better encoding", fault=False),
)

REASONS: dict[str, Reason] = {reason.code: reason for reason in _ALL}


def is_fault(code: str) -> bool:
    """Whether ``code`` counts against ``--max-quarantine``. Raises KeyError for an unknown code."""
    return REASONS[code].fault
