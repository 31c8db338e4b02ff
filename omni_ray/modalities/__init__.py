"""Text, audio, images, ocr: what a sample is, and how a raw record becomes one."""
