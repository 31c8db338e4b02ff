"""Cleaning words in pictures: each is judged on its own."""

from __future__ import annotations

from omni_ray.quality.clean import Cleaner, row_by_row
from omni_ray.quality.image_rules import Pictures
from omni_ray.quality.ocr_rules import OCR_RULES

CLEANER = Cleaner(OCR_RULES, row_by_row("ocr", Pictures))
