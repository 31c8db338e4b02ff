"""What the readers of the trainers need, said once: files, columns, roots, limits, clips, the validation split."""
