"""Reading the training files back: independent of what wrote them, and as strict as the trainers are fragile."""
