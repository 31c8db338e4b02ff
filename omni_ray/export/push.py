"""An export on the Hugging Face hub: one commit of the dataset's files, and none of those that it no longer has."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.export.folder import MARK, SIGNATURE, Mark
from omni_ray.trainers.files import all_modalities
from omni_ray.verbosity import is_verbose

_NAME = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_OURS = ["README.md", *(f"{modality}/*/*-of-*.parquet" for modality in all_modalities())]
"""What an export has; whatever else is in the repository is its owner's, and stays."""


def check_name(name: str) -> None:
    """Raise OmniError for what is not a valid name on the hub."""
    if not _NAME.fullmatch(name):
        raise OmniError(f"--push {name}: write it as on the hub, org/name")


def push(folder: Path, name: str, *, private: bool, say: Callable[[str], None]) -> str:
    """Upload an export for Hugging Face; what the hub has already is not sent again.

    Args:
        folder: the export.
        name: the dataset on the hub, ``org/name``; it is made where it does not exist.
        private: whether to make it private.
        say: told what is sent.

    Returns:
        Where it is.

    Raises:
        OmniError: no token or no right to write there, or the hub is out of reach.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils.tqdm import disable_progress_bars

    check_name(name)
    mark = Mark.load(folder)
    assert mark is not None  # it was exported just now
    say(f"{name}: sending {len(mark.files):,} files, {sum(mark.files.values()):,} bytes, as far as they are not there")
    if not is_verbose():
        disable_progress_bars()
    try:
        api = HfApi()
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        there = set(api.list_repo_files(name, repo_type="dataset"))
        if gone := sorted(each for each in there - mark.files.keys() if any(fnmatch(each, ours) for ours in _OURS)):
            say(f"{name}: {len(gone):,} files there that are not in this export are removed, such as {gone[0]}")
        api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=folder,
            ignore_patterns=[MARK, SIGNATURE],
            delete_patterns=_OURS,
            commit_message=f"omni-ray export {mark.fingerprint[:12]}",
        )
    except Exception as error:
        raise OmniError(f"--push {name}: {_why(error)}; the export itself is in {folder}") from error
    return f"{api.endpoint}/datasets/{name}"


def _why(error: Exception) -> str:
    """What the hub's client raises, as the part of a sentence that says what to do."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return "the hub does not let you write there; set HF_TOKEN to a token with write access to it"
    if status == 404:
        return "no such organisation or dataset, or a token without access to it; check the name and HF_TOKEN"
    first = " ".join(str(error).split())[:160]
    return f"the hub did not take it ({first}); check the network and HF_ENDPOINT, and run the same command again"
