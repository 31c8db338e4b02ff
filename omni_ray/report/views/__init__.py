"""The modalities as the page shows them, one file each."""
