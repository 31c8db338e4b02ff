"""Synthetic corpora: the tiny training files (:mod:`.tiny`), and small corpora in native layouts (:mod:`.native`).

Every sample is a pure function of a seed and an index. What is written is cut into picklable tasks, which a given ``run``
maps a top-level function over: :func:`map` in this process, or Ray tasks.
"""
