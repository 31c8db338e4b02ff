"""The training files, from committed shards."""
