"""The notebook of the guides runs, and shows what is under way and what became of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

from tests.docs.transcripts import DOCS


@pytest.mark.slow
def test_the_notebook_runs_and_shows_progress_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    kernel = tmp_path / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(
        f'{{"argv": ["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"], "language": "python"}}'
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    notebook = nbformat.read(DOCS / "guides/first-steps.ipynb", as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = "".join(output.get("text", "") for output in outputs)
    tables = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert "text/books (prepare): 1/1" in shown
    assert len(tables) == 3 and all("<table>" in table for table in tables)
    assert outputs[-1].data["text/plain"] == "True"
