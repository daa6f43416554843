"""The data sets that can be converted, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from affordance_grounding_core.data.conversion.base import Reader
from affordance_grounding_core.data.conversion.handal import read_handal
from affordance_grounding_core.data.conversion.iit_aff import read_iit_aff
from affordance_grounding_core.data.conversion.instructpart import read_instructpart
from affordance_grounding_core.data.conversion.threedoi import read_threedoi
from affordance_grounding_core.data.conversion.umd import read_umd

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "instructpart": read_instructpart,
        "umd": read_umd,
        "iit-aff": read_iit_aff,
        "handal": read_handal,
        "3doi": read_threedoi,
    }
)
"""Name of a data set to what reads its published layout."""
