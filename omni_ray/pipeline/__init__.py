"""Units, the Ray Data run, shard commit, manifests, resume. Knows no modality and no corpus."""
