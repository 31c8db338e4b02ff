"""The closed list of reasons why cleaning removed a sample.

Cleaning judges what was usable: its reasons are separate from those of :mod:`omni_ray.reasons`, blame nobody
(``fault=False``), and never count against ``--max-quarantine``.
"""

from __future__ import annotations

from omni_ray.reasons import Reason

_SAID = {
    "emptied": "nothing visible was left after repair",
    "other_language": "the document is in a language that was not asked for",
    "too_few_words": "the document has fewer words than wanted",
    "too_many_words": "the document has more words than wanted",
    "word_length": "the words are too short or too long on average to be prose",
    "symbols": "too many hash signs or ellipses for the number of words",
    "bullets": "nearly all lines are list items",
    "cut_off": "too many lines end in an ellipsis",
    "not_letters": "too many words hold no letter",
    "no_stop_words": "the commonest words of the language are missing",
    "repeated_lines": "the document repeats its own lines",
    "repeated_phrases": "the document repeats its own phrases",
    "placeholder": "the document is filled with lorem ipsum",
    "code": "the document holds curly brackets",
    "too_few_sentences": "the document has fewer sentences than wanted",
    "long_word": "the line contains a word that no language has",
    "no_full_stop": "the line does not end as a sentence does",
    "short_line": "the line has too few words",
    "boilerplate": "the line or caption is what pages and cameras write by themselves",
    "few_full_stops": "too few lines of the document end as sentences do",
    "short_lines": "too many lines of the document are short",
    "list": "the document has too many line ends for its words",
    "benchmark": "it shares a run of 13 words with a benchmark",
    "duplicate_line": "an earlier line says the same",
    "duplicate_document": "an earlier document is the same",
    "near_duplicate": "an earlier document, clip or picture is nearly the same",
    "duplicate_clip": "an earlier clip has the same samples",
    "quiet": "the clip is too quiet",
    "clipped": "the clip is overdriven",
    "noisy": "speech barely stands out from the noise",
    "silence": "the clip is silent for too long before or after the speech",
    "too_long": "the clip is longer than --max-seconds or the rule too_long allows, and is never cut blindly",
    "duration": "the clip is shorter or longer than wanted",
    "speaking_rate": "the transcript is too short or too long for the clip",
    "alphabet": "the text is written with signs that are not speech or words",
    "text_length": "the transcript, caption or label is too short or too long",
    "ctc_infeasible": "the transcript has more characters than the audio encoder can have frames",
    "small_source": "the picture was too small before it was resized",
    "aspect": "the picture's shape is too long",
    "blank": "the picture shows next to nothing",
    "duplicate_caption": "the picture, or an earlier one, has the same caption",
    "contrast": "the word barely stands out from its ground",
    "label_mismatch": "the label does not fit the shape of the word's picture",
}

QUALITY_REASONS: dict[str, Reason] = {code: Reason(code, said, fault=False) for code, said in _SAID.items()}
