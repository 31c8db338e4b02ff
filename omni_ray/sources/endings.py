"""Endings of the names of media files, in one place: what a source is searched for."""

from __future__ import annotations

AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif")
"""Recordings that are read; with the dot, in lower case."""
