"""Where bytes come from: folders, archives, tables, Hugging Face, downloads. Knows no corpus."""
