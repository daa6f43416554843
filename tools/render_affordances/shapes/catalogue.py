"""Every class of object, its builder, and which classes the unseen split holds out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from numpy.random import Generator

from tools.render_affordances.model import ObjectModel
from tools.render_affordances.shapes import (
    cutters,
    fittings,
    furniture,
    hand_tools,
    kitchen,
    pourers,
    strikers,
    vessels,
)

Builder = Callable[[Generator], ObjectModel]

CLASSES: Mapping[str, Builder] = MappingProxyType(
    {
        "axe": cutters.build_axe,
        "bat": strikers.build_bat,
        "bottle": vessels.build_bottle,
        "brush": hand_tools.build_brush,
        "chair": furniture.build_chair,
        "cupboard": furniture.build_cupboard,
        "dispenser": fittings.build_dispenser,
        "door": furniture.build_door,
        "drawer": furniture.build_drawer,
        "faucet": fittings.build_faucet,
        "glass": vessels.build_glass,
        "hammer": strikers.build_hammer,
        "jar": vessels.build_jar,
        "jug": pourers.build_jug,
        "kettle": pourers.build_kettle,
        "keyboard": fittings.build_keyboard,
        "knife": cutters.build_knife,
        "mallet": strikers.build_mallet,
        "microwave": furniture.build_microwave,
        "mug": vessels.build_mug,
        "pan": kitchen.build_pan,
        "panel": fittings.build_panel,
        "pen": hand_tools.build_pen,
        "pencil": hand_tools.build_pencil,
        "racket": strikers.build_racket,
        "remote": fittings.build_remote,
        "saw": cutters.build_saw,
        "scissors": cutters.build_scissors,
        "screwdriver": hand_tools.build_screwdriver,
        "spatula": kitchen.build_spatula,
        "spoon": kitchen.build_spoon,
        "stool": furniture.build_stool,
        "switch": fittings.build_switch,
        "teapot": pourers.build_teapot,
        "toothbrush": hand_tools.build_toothbrush,
        "torch": hand_tools.build_torch,
        "valve": fittings.build_valve,
        "watering_can": pourers.build_watering_can,
        "whisk": kitchen.build_whisk,
    }
)
"""Class to its builder; the classes are the OBJECT folders."""

HELD_OUT = frozenset(
    {
        "axe",
        "dispenser",
        "glass",
        "jar",
        "mallet",
        "pan",
        "pencil",
        "stool",
        "teapot",
        "toothbrush",
        "valve",
        "whisk",
    }
)
"""Classes that only the unseen split's test set shows; every action keeps another class."""
