"""Progress for people: what is under way, and how it is shown."""
