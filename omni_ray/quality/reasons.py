"""The closed list of reasons why cleaning removed a sample.

Cleaning judges what was usable: its reasons are separate from those of :mod:`omni_ray.reasons`, blame nobody
(``fault=False``), and never count against ``--max-quarantine``.
"""

from __future__ import annotations

from omni_ray.reasons import Reason

_ALL = (
    Reason("emptied", "nothing visible was left after repair", fault=False),
    Reason("other_language", "the document is in a language that was not asked for", fault=False),
    Reason("too_few_words", "the document has fewer words than wanted", fault=False),
    Reason("too_many_words", "the document has more words than wanted", fault=False),
    Reason("word_length", "the words are too short or too long on average to be prose", fault=False),
    Reason("symbols", "too many hash signs or ellipses for the number of words", fault=False),
    Reason("bullets", "nearly all lines are list items", fault=False),
    Reason("cut_off", "too many lines end in an ellipsis", fault=False),
    Reason("not_letters", "too many words hold no letter", fault=False),
    Reason("no_stop_words", "the commonest words of the language are missing", fault=False),
    Reason("repeated_lines", "the document repeats its own lines", fault=False),
    Reason("repeated_phrases", "the document repeats its own phrases", fault=False),
    Reason("placeholder", "the document is filled with lorem ipsum", fault=False),
    Reason("code", "the document holds curly brackets", fault=False),
    Reason("too_few_sentences", "the document has fewer sentences than wanted", fault=False),
    Reason("long_word", "the line contains a word that no language has", fault=False),
    Reason("no_full_stop", "the line does not end as a sentence does", fault=False),
    Reason("short_line", "the line has too few words", fault=False),
    Reason("boilerplate", "the line or caption is what pages and cameras write by themselves", fault=False),
    Reason("few_full_stops", "too few lines of the document end as sentences do", fault=False),
    Reason("short_lines", "too many lines of the document are short", fault=False),
    Reason("list", "the document has too many line ends for its words", fault=False),
    Reason("benchmark", "it shares a run of 13 words with a benchmark", fault=False),
    Reason("duplicate_line", "an earlier line says the same", fault=False),
    Reason("duplicate_document", "an earlier document is the same", fault=False),
    Reason("near_duplicate", "an earlier document, clip or picture is nearly the same", fault=False),
    Reason("duplicate_clip", "an earlier clip has the same samples", fault=False),
    Reason("quiet", "the clip is too quiet", fault=False),
    Reason("clipped", "the clip is overdriven", fault=False),
    Reason("noisy", "speech barely stands out from the noise", fault=False),
    Reason("silence", "the clip is silent for too long before or after the speech", fault=False),
    Reason(
        "too_long",
        "the clip is longer than --max-seconds or the rule too_long allows, and is never cut blindly",
        fault=False,
    ),
    Reason("duration", "the clip is shorter or longer than wanted", fault=False),
    Reason("speaking_rate", "the transcript is too short or too long for the clip", fault=False),
    Reason("alphabet", "the text is written with signs that are not speech or words", fault=False),
    Reason("text_length", "the transcript, caption or label is too short or too long", fault=False),
    Reason("ctc_infeasible", "the transcript has more characters than the audio encoder can have frames", fault=False),
    Reason("small_source", "the picture was too small before it was resized", fault=False),
    Reason("aspect", "the picture's shape is too long", fault=False),
    Reason("blank", "the picture shows next to nothing", fault=False),
    Reason("duplicate_caption", "the picture, or an earlier one, has the same caption", fault=False),
    Reason("contrast", "the word barely stands out from its ground", fault=False),
    Reason("label_mismatch", "the label does not fit the shape of the word's picture", fault=False),
)

QUALITY_REASONS: dict[str, Reason] = {reason.code: reason for reason in _ALL}
