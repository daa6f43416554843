"""UMD Part Affordance (Myers et al., ICRA 2015): tools on a turntable, a label for every pixel.

    ROOT/category_split.txt                          "1 bowl_01" for training, "2 bowl_02" for test
    ROOT/tools/bowl_01/bowl_01_00000001_rgb.jpg
    ROOT/tools/bowl_01/bowl_01_00000001_label.mat    gt_label: (480, 640), 0 to 7

ROOT is `part-affordance-dataset`. People labelled every third frame, the others are propagated:
`--every 3` takes the former.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affordance_grounding_core.data.conversion.base import Problems, Sample, require
from affordance_grounding_core.errors import DatasetError, RuntimeUnavailableError

AFFORDANCES = {
    1: ("grasp", "hold"),
    2: ("cut", "cut_with"),
    3: ("scoop", "scoop"),
    4: ("contain", "contain"),
    5: ("pound", "hit"),
    6: ("support", "support"),
    7: ("wrap-grasp", "hold"),
}
"""Value of a pixel to the data set's own name and the action that is asked for."""

_SPLITS = {"train": "1", "test": "2"}


def read_umd(root: Path, part: str, every: int, problems: Problems) -> Iterator[Sample]:
    """List the samples; see `Reader`."""
    tools = require(root / "tools", "the folder 'tools' of part-affordance-dataset-tools.tar.gz")
    for tool in _tools(root / "category_split.txt", part):
        for file in sorted((tools / tool).glob("*_label.mat"))[::every]:
            stem = file.name.removesuffix("_label.mat")
            try:
                labels = _labels(file)
            except (OSError, ValueError, KeyError, NotImplementedError) as error:
                problems.add("labels cannot be read", f"{file} ({error})")
                continue
            for value in sorted(set(np.unique(labels).tolist()) & AFFORDANCES.keys()):
                name, action = AFFORDANCES[value]
                yield Sample(
                    file.with_name(f"{stem}_rgb.jpg"),
                    f"{tool}/{stem}_{name}",
                    action,
                    labels == value,
                    tool.rsplit("_", 1)[0],
                    name,
                )


def _tools(file: Path, part: str) -> list[str]:
    require(file, "the split of part-affordance-dataset-tools.tar.gz")
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any(len(line) != 2 or line[0] not in _SPLITS.values() for line in lines):
        raise DatasetError(f"{str(file)!r} is no split of UMD; expected lines such as '2 bowl_02'")
    return sorted(tool for number, tool in lines if number == _SPLITS[part])


def _labels(file: Path) -> NDArray[np.uint8]:
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"UMD's labels are MATLAB files, which need SciPy ({error}); install it with "
            "`pip install scipy`"
        ) from error
    labels = np.asarray(loadmat(file)["gt_label"])
    if labels.ndim != 2:
        raise ValueError(f"gt_label has shape {labels.shape}, expected (H, W)")
    return labels.astype(np.uint8)
