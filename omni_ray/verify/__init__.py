"""Reading every production file back, as the trainers do."""
