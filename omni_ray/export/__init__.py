"""What is prepared, as datasets that other tools read: Hugging Face and WebDataset."""
