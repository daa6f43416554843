"""Numbers that the papers and their authors report, to stand beside our own.

Copied by hand: KLD, SIM, NSS of the best epoch on the test set, the mean of the runs of a paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from affordance_grounding_core.evaluation.protocols import MapScore

Rows = Mapping[str, MapScore]

PUBLISHED: Mapping[tuple[str, str], Rows] = MappingProxyType(
    {
        ("locate", "Seen"): {
            "Cross-View-AG": MapScore(1.538, 0.334, 0.927),
            "LOCATE": MapScore(1.226, 0.401, 1.177),
            "INTRA": MapScore(1.199, 0.407, 1.239),
            "WSMA": MapScore(1.176, 0.416, 1.247),
            "LoopTrans": MapScore(1.088, 0.445, 1.322),
            "SelectiveCL": MapScore(1.124, 0.433, 1.280),
        },
        ("locate", "Unseen"): {
            "Cross-View-AG": MapScore(1.787, 0.285, 0.829),
            "LOCATE": MapScore(1.405, 0.372, 1.157),
            "INTRA": MapScore(1.365, 0.375, 1.209),
            "WSMA": MapScore(1.335, 0.382, 1.220),
            "LoopTrans": MapScore(1.247, 0.403, 1.315),
            "SelectiveCL": MapScore(1.243, 0.405, 1.368),
        },
        ("locate", "HICO-IIF"): {
            "Cross-View-AG": MapScore(1.779, 0.263, 0.946),
            "LOCATE": MapScore(1.593, 0.327, 0.966),
            "WSMA": MapScore(1.465, 0.358, 1.012),
            "LoopTrans": MapScore(1.399, 0.379, 1.226),
            "SelectiveCL": MapScore(1.358, 0.378, 1.231),
        },
        ("plsp", "Seen"): {"WSAG-PLSP": MapScore(0.890, 0.510, 1.547)},
        ("plsp", "Unseen"): {"WSAG-PLSP": MapScore(1.153, 0.437, 1.418)},
    }
)
"""Protocol and split to the published rows; of them WSAG-PLSP alone learns from part labels."""

PLSP_LOSSES: Mapping[int, Mapping[str, float]] = MappingProxyType(
    {
        0: {
            "loss": 20.28,
            "distribution": 1.480,
            "alignment": 0.136,
            "exocentric": 1.716,
            "noun": 0.203,
            "part": 0.751,
        },
        11: {
            "loss": 5.93,
            "distribution": 0.549,
            "alignment": 0.052,
            "exocentric": 0.472,
            "noun": 0.116,
            "part": 0.213,
        },
    }
)
"""Epoch to the losses of one run of WSAG-PLSP's authors on Seen, by our names of the terms."""

PLSP_TEST_KLD: Mapping[int, float] = MappingProxyType(
    {0: 1.110, 1: 1.091, 10: 0.872, 11: 0.911, 12: 0.935, 13: 0.899}
)
"""Epoch to the KLD of the same run on the test set, protocol "plsp"."""
