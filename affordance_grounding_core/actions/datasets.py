"""The action vocabularies of the published data sets, in the order of their class indices."""

from __future__ import annotations

from types import MappingProxyType


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


AGD20K_SEEN = _words(
    "beat boxing brush_with carry catch cut cut_with drag drink_with eat hit hold jump kick "
    "lie_on lift look_out open pack peel pick_up pour push ride sip sit_on stick stir swing "
    "take_photo talk_on text_on throw type_on wash write"
)
"""36 actions of AGD20K, split Seen."""

AGD20K_UNSEEN = _words(
    "carry catch cut cut_with drink_with eat hit hold jump kick lie_on open peel pick_up pour "
    "push ride sip sit_on stick swing take_photo throw type_on wash"
)
"""25 actions of AGD20K, split Unseen."""

HICO_IIF = _words("cut_with drink_with hold open pour sip stick stir swing type_on")
"""10 actions of HICO-IIF."""

DATASET_ACTIONS = MappingProxyType(
    {
        "agd20k-seen": AGD20K_SEEN,
        "agd20k-unseen": AGD20K_UNSEEN,
        "hico-iif": HICO_IIF,
    }
)
"""Name of a data set to its actions."""


def actions_by_count(count: int) -> tuple[str, ...] | None:
    """Find the published vocabulary of a number of actions, which tells the three apart.

    Args:
        count: number of classes a network was trained for.

    Returns:
        Actions in the order of the classes; None where no published vocabulary is that long.
    """
    return next((actions for actions in DATASET_ACTIONS.values() if len(actions) == count), None)
