"""Names of things that are held, opened, turned or pressed."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """Make a set of the words of a text."""
    return frozenset(text.split())


OBJECTS = word_set(
    "mug cup glass bowl bottle jar can jug pitcher kettle teapot pot pan wok plate tray spoon fork "
    "knife scissors saw axe hammer mallet screwdriver wrench brush toothbrush broom bag suitcase "
    "backpack umbrella racket bat drawer door cupboard cabinet fridge oven box bucket basket lamp "
    "spatula whisk ladle faucet tap valve panel coffee tea water milk juice"
)
"""Nouns that a phrase without a verb may begin with: "bottle cap off"."""

GRASPABLE = OBJECTS - word_set(
    "drawer door cupboard cabinet fridge oven faucet tap valve panel coffee tea water milk juice"
) | word_set(
    # kitchen
    "salt pepper sugar butter honey mustard ketchup bread cheese egg eggs apple apples banana "
    "orange lemon onion tomato potato carrot cucumber saucepan skillet cutlery chopsticks tongs "
    "peeler grater sieve colander strainer corkscrew opener napkin napkins towel towels sponge "
    "cloth foil lid lids cap tin flask thermos saucer cups mugs glasses plates bowls spoons forks "
    "knives jars bottles cans straw apron board "
    # workshop
    "pliers spanner drill chisel file ruler nail nails screw screws bolt bolts nut nuts washer "
    "glue tape rope string cable wire ladder plank sandpaper clamp crowbar shovel rake hoe hose "
    "torch flashlight goggles gloves helmet toolbox tools sledgehammer wrenches hacksaw stapler "
    "shears "
    # office and living room
    "pen pens pencil pencils marker eraser notebook book books magazine newspaper envelope letter "
    "folder binder calculator laptop tablet keyboard mouse charger phone headphones remote "
    "controller cushion pillow blanket candle vase clock watch keys wallet purse toy ball doll "
    "guitar camera racquet hat coat jacket shoe shoes sock socks shirt belt comb hairbrush razor "
    "soap shampoo "
)
"""Things that are asked for by their name: "could I have the cup?"."""
