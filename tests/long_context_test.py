#!/usr/bin/env python3
"""tools/long_context.sh in its short form: every model is asked, and everything is written."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def check_needles(folder, name):
    """All questions were asked, and there is a picture of the answers."""
    cells = json.loads((folder / f"{name}.json").read_text())["cells"]
    assert len(cells) == 2 * 5 * 5, len(cells)  # tasks, lengths, depths
    for cell in cells:
        assert cell["run"] == 2 and 0 <= cell["right"] <= 2, (name, cell)
    picture = (folder / f"{name}.svg").read_text()
    assert picture.startswith("<svg") and picture.rstrip().endswith("</svg>"), name


with tempfile.TemporaryDirectory() as folder:
    out = Path(folder) / "out"
    subprocess.run([ROOT / "tools/long_context.sh", "cpu", "short"], check=True, env=os.environ | {"OUT": str(out)}, stdout=subprocess.DEVNULL)
    for name in ("yarn", "extended"):
        config = json.loads((out / name / "model/config.json").read_text())
        assert config["max_position_embeddings"] == 512, name
        assert config["rope_scaling"]["factor"] == 4, name
        assert config["rope_scaling"]["original_max_position_embeddings"] == 128, name
        check_needles(out, name)
    check_needles(out, "trained")
    for name in ("trained", "yarn", "extended"):
        ranges = json.loads((out / f"{name}-positions.json").read_text())["positions"]
        assert len(ranges) == 8, (name, ranges)
print("the short form of tools/long_context.sh wrote what it should")
