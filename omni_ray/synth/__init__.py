"""Synthetic corpora: the tiny training files, and small corpora in native layouts.

Samples, each a pure function of a seed and an index:

- ``book.make_text(seed, start, stop) -> list[str]``
- ``clips.make_clip(seed, i, kind=None) -> Clip(pcm: int16 at 16 kHz, text, speaker)``
- ``pictures.make_picture(seed, i) -> Picture(jpeg, captions)``
- ``word_images.make_word_image(seed, i) -> WordImage(jpeg, label)``

Files:

- ``tiny.synthesize_tiny(root, samples=None, seed=42, run=map, *, kinds=KINDS, speech=None) -> TinyReport``
- ``native.write_native(root, seed=42, scale=1.0, run=map, *, speech=None) -> dict[str, Expected]``

``run`` maps a top-level function over picklable items: :func:`map` in this process, or Ray tasks.
"""
