"""Synthetic corpora, in native layouts and as the tiny training files."""
