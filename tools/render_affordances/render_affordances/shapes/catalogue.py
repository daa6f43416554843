"""Every class of object, its builder, and which classes the unseen split holds out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.random import Generator

from render_affordances.meshes.model import ObjectModel
from render_affordances.shapes import (
    carried,
    controls,
    cutters,
    hand_tools,
    keys,
    kitchen,
    pourers,
    strikers,
    taps,
    valves,
    vessels,
)
from render_affordances.shapes.compositions import rooms, tables
from render_affordances.shapes.furniture import appliances, chairs, doors, seats, sofas, storage
from render_affordances.shapes.parts.assembly import stretched

Builder = Callable[[Generator], ObjectModel]

CLASSES: Mapping[str, Builder] = MappingProxyType(
    {
        "armchair": sofas.build_armchair,
        "axe": cutters.build_axe,
        "bag": carried.build_bag,
        "bat": strikers.build_bat,
        "bench": sofas.build_bench,
        "bin": storage.build_bin,
        "bottle": vessels.build_bottle,
        "brush": hand_tools.build_brush,
        "bucket": carried.build_bucket,
        "chair": seats.build_chair,
        "cupboard": storage.build_cupboard,
        "dining_chair": chairs.build_dining_chair,
        "dispenser": keys.build_dispenser,
        "door": doors.build_door,
        "drawer": storage.build_drawer,
        "faucet": taps.build_faucet,
        "fork": kitchen.build_fork,
        "fridge": appliances.build_fridge,
        "glass": vessels.build_glass,
        "hammer": strikers.build_hammer,
        "jar": vessels.build_jar,
        "jug": pourers.build_jug,
        "kettle": pourers.build_kettle,
        "keyboard": keys.build_keyboard,
        "kitchen_unit": appliances.build_kitchen_unit,
        "knife": cutters.build_knife,
        "laptop": keys.build_laptop,
        "mallet": strikers.build_mallet,
        "microwave": storage.build_microwave,
        "mouse": keys.build_mouse,
        "mug": vessels.build_mug,
        "pan": kitchen.build_pan,
        "panel": controls.build_panel,
        "pen": hand_tools.build_pen,
        "pencil": hand_tools.build_pencil,
        "pliers": carried.build_pliers,
        "racket": strikers.build_racket,
        "remote": keys.build_remote,
        "saw": cutters.build_saw,
        "scissors": cutters.build_scissors,
        "screwdriver": hand_tools.build_screwdriver,
        "shovel": carried.build_shovel,
        "sofa": sofas.build_sofa,
        "spatula": kitchen.build_spatula,
        "spoon": kitchen.build_spoon,
        "stool": seats.build_stool,
        "swivel_chair": chairs.build_swivel_chair,
        "stove": appliances.build_stove,
        "suitcase": carried.build_suitcase,
        "switch": controls.build_switch,
        "teapot": pourers.build_teapot,
        "toothbrush": hand_tools.build_toothbrush,
        "torch": hand_tools.build_torch,
        "valve": valves.build_valve,
        "washer": appliances.build_washer,
        "watering_can": pourers.build_watering_can,
        "whisk": kitchen.build_whisk,
        "window": doors.build_window,
        "wine_glass": vessels.build_wine_glass,
    }
)
"""Class to its builder; the classes are the OBJECT folders."""

COMPOSITIONS: Mapping[str, Builder] = MappingProxyType(
    {
        "dinner": tables.build_dinner,
        "kitchen": rooms.build_kitchen,
        "lounge": rooms.build_lounge,
        "office": tables.build_office,
        "tabletop": tables.build_tabletop,
        "washstand": rooms.build_washstand,
    }
)
"""Several objects together, of any class: the split Unseen does without them."""

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


ROUND = frozenset(
    {
        "bottle",
        "bucket",
        "dispenser",
        "faucet",
        "glass",
        "jar",
        "jug",
        "kettle",
        "mug",
        "pan",
        "stool",
    }
    | {"panel", "switch", "teapot", "valve", "watering_can", "wine_glass"}
)
"""Classes that mostly keep their round parts round when their proportions are changed."""


def build_object(name: str, random: Generator) -> ObjectModel:
    """Build an instance of a class, in proportions of its own.

    The builders draw natural sizes. Here the whole is stretched a little along each axis, which
    gives shapes that none of them has.

    Args:
        name: of the class, or of a composition, which is not stretched.
        random: decides everything.

    Raises:
        KeyError: there is no such class.
    """
    if name in COMPOSITIONS:
        return COMPOSITIONS[name](random)
    model = CLASSES[name](random)
    factors = np.exp(np.clip(random.normal(0.0, 0.13, 3), -0.28, 0.28))
    if name in ROUND and random.random() < 0.75:
        across = 2 if model.support == "wall" or name == "panel" else 1
        factors[across] = factors[0]
    return stretched(model, factors)


_ACTIONS: Mapping[str, str] = {
    "armchair": "sit_on",
    "axe": "hold cut_with",
    "bag": "hold",
    "bat": "hold hit",
    "bench": "sit_on",
    "bin": "open press",
    "bottle": "open hold",
    "brush": "hold brush_with",
    "bucket": "hold",
    "chair": "sit_on",
    "cupboard": "open",
    "dining_chair": "sit_on",
    "dispenser": "press",
    "door": "open",
    "drawer": "open",
    "faucet": "turn",
    "fork": "hold",
    "fridge": "open",
    "glass": "hold drink_with",
    "hammer": "hold hit",
    "jar": "open hold",
    "jug": "hold pour",
    "kettle": "hold pour",
    "keyboard": "press",
    "kitchen_unit": "open",
    "knife": "hold cut_with",
    "laptop": "press",
    "mallet": "hold hit",
    "microwave": "open turn press",
    "mouse": "press",
    "mug": "hold drink_with",
    "pan": "hold",
    "panel": "turn press",
    "pen": "write",
    "pencil": "write",
    "pliers": "hold",
    "racket": "hold hit",
    "remote": "press",
    "saw": "hold cut_with",
    "scissors": "hold cut_with",
    "screwdriver": "hold",
    "shovel": "hold",
    "sofa": "sit_on",
    "spatula": "hold stir",
    "spoon": "hold stir",
    "stool": "sit_on",
    "swivel_chair": "sit_on",
    "stove": "open press turn",
    "suitcase": "hold",
    "switch": "press",
    "teapot": "hold pour",
    "toothbrush": "hold brush_with",
    "torch": "hold",
    "valve": "turn",
    "washer": "open press turn",
    "watering_can": "hold pour",
    "whisk": "hold stir",
    "window": "open",
    "wine_glass": "hold drink_with",
}


@cache
def actions_of_classes() -> Mapping[str, frozenset[str]]:
    """Class to every action that any of its families affords."""
    return {name: frozenset(actions.split()) for name, actions in _ACTIONS.items()}


def harmless_classes(actions: Collection[str]) -> tuple[str, ...]:
    """Classes that afford none of some actions, so that they may stand beside the labelled one."""
    return tuple(n for n, given in actions_of_classes().items() if not given & set(actions))
