"""Filters and duplicates."""
