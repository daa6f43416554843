"""English phrases for actions, sorted by what they ask for.

A pattern is matched against the words of a clause without its articles and possessives: the first
item is the verb the clause begins with, also with "-ing"; "|" separates alternatives; a word in
capitals stands for a class of `WORD_CLASSES`; ".." bridges up to six words; the other items follow
each other directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


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

WORD_CLASSES = MappingProxyType(
    {
        "LID": word_set("lid lids cap caps top tops cover cork stopper"),
        "DOOR": word_set(
            "drawer drawers door doors cupboard cabinet fridge refrigerator freezer oven microwave "
            "dishwasher box jar can bottle window"
        ),
        "BUTTON": word_set("button buttons key keys switch switches doorbell bell pump dispenser"),
        "KNOB": word_set(
            "tap faucet knob knobs dial valve light lights lamp heat heater stove oven burner "
            "water gas radio fan machine power"
        ),
        "PHONE": word_set("phone telephone mobile cellphone smartphone handset"),
        "BLADE": word_set("knife knives scissors blade saw axe shears cutter"),
        "BROOM": word_set("brush broom toothbrush paintbrush hairbrush"),
        "HANDLE": word_set("handle handles grip shaft haft hilt"),
        "ME": word_set("me us him them"),
        "OBJECT": OBJECTS,
    }
)
"""Name of a class to its words."""

THINGS = frozenset().union(*WORD_CLASSES.values()) | word_set(
    "it them here there nail nails ball bread meat vegetable vegetables onion garlic egg eggs "
    "cheese dough rice pasta sauce soup salt oil sugar tray packet container salad tomato potato "
    "wine beer "
    "phone book paper chair stool table bed sofa bike bicycle motorcycle car camera laptop keyboard"
)
"""Words for things that actions are done to; a phrase that names none of them is less sure."""

NOUN_VERBS = word_set(
    "hammer brush drink text box saw stick drum tap pack pound sip drag lift pick press catch "
    "whisk bat hand"
)
"""Verbs that may follow another one directly, because they are things, too: "hold hammer"."""


@dataclass(frozen=True)
class Sense:
    """One thing that is asked for.

    Attributes:
        name: for messages.
        entries: of a vocabulary that answer it, the best first; a substitute is listed only
            where the same place of the object is meant, as the handle for "pick up" and "hold".
        patterns: phrases; see the top of this file.
    """

    name: str
    entries: tuple[str, ...]
    patterns: tuple[str, ...]


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(pattern.strip() for pattern in text.split(","))


def _sense(entries: str, patterns: str) -> Sense:
    names = tuple(entries.split())
    return Sense(names[0], names, _patterns(patterns))


SENSES = (
    _sense(
        "hold",
        "hold, grasp, grip, grab, clasp, clutch, seize, grapple, take, get, fetch, bring, "
        "pass ME, hand ME, reach for, take hold, get hold, get grip, lay hold, hang on to, "
        "hold on to, hold onto",
    ),
    _sense("pick_up lift hold", "pick, pick up, pick .. up"),
    _sense("lift pick_up hold", "lift, raise, hoist, heave"),
    _sense("carry hold", "carry, transport, lug, haul"),
    _sense("drink_with", "drink, gulp, swallow, quaff, have|take|grab drink, take gulp|swig"),
    _sense("sip drink_with", "sip, take|have sip, take|have .. sip, slurp"),
    _sense(
        "cut_with",
        "cut with, cut .. with BLADE, slice|chop|carve|trim|dice|mince|snip .. with BLADE, "
        "cut|slice|chop|carve|trim|snip with, saw, snip, shear",
    ),
    _sense("cut cut_with", "cut, slice, chop, carve, trim, dice, mince"),
    _sense(
        "hit",
        "hit, hammer, strike, pound, whack, knock, bang, bash, thump, smack, smash, swat, "
        "drive nail, drive .. nail, drive .. with hammer, give .. whack|blow|bang|knock|hit",
    ),
    _sense("beat hit", "beat, drum, drum on, play .. drum|drums"),
    _sense("boxing", "punch, box, box with, throw punch"),
    _sense(
        "pour",
        "pour, fill, refill, serve .. tea|coffee|wine|juice|milk|water|drink|drinks, decant, "
        "tip out, tip .. out, tip .. into, empty .. into, top up, top .. up",
    ),
    _sense(
        "open",
        "open, uncover, unscrew, uncork, uncap, unseal, unlatch, unlid, "
        "take LID off, take .. LID off, take off LID, take off .. LID, remove LID, "
        "remove .. LID, pull|slide|get|twist|pry|push .. open, pull|slide|pry|push open, "
        "pull DOOR, pull .. DOOR out, pull out DOOR, "
        "twist|screw|pull|pop|turn|flip off LID, twist|screw|pull|pop|flip off .. LID, "
        "twist|screw|pull|pop|flip LID off, twist|screw|pull|pop|flip .. LID off",
    ),
    _sense(
        "turn",
        "turn, rotate, twist, spin, turn|switch on|off, turn|switch .. on|off, swivel, crank, "
        "turn|twist DOOR, turn .. clockwise|anticlockwise|counterclockwise",
    ),
    _sense(
        "press",
        "press, press down, press on, hit BUTTON, hit .. BUTTON, tap BUTTON, tap .. BUTTON, "
        "tap on, click, click on, depress, hold down BUTTON, hold down .. BUTTON",
    ),
    _sense(
        "press push",
        "push BUTTON, push .. BUTTON, push down, push down on, push in, push .. down, flip BUTTON, "
        "flip .. BUTTON, flick BUTTON, flick .. BUTTON",
    ),
    _sense("push", "push, shove, nudge, give .. push|shove"),
    _sense(
        "stir",
        "stir, mix, whisk, beat egg|eggs|batter|cream|mixture, give stir|mix, give .. stir|mix",
    ),
    _sense("brush_with", "brush, scrub .. with BROOM, sweep .. with BROOM, scrub|sweep with BROOM"),
    _sense("write", "write, jot, scribble, sign, note down, jot down, make note, take note|notes"),
    _sense("sit_on", "sit, sit down, take|have seat, be seated, seat yourself"),
    _sense("lie_on", "lie, lie down, lay down, lie on"),
    _sense("kick", "kick, give kick, give .. kick, boot"),
    _sense("throw", "throw, toss, hurl, fling, pitch, lob"),
    _sense("catch", "catch"),
    _sense("eat", "eat, bite, chew, munch, take|have bite, take|have .. bite, devour"),
    _sense("ride", "ride, go for ride, cycle, pedal"),
    _sense("type_on", "type, type on, key in"),
    _sense(
        "take_photo",
        "take|snap|shoot|make photo|picture|photograph|photos|pictures|snapshot|selfie, "
        "take|snap|shoot .. photo|picture|photograph|photos|pictures|snapshot, photograph",
    ),
    _sense(
        "talk_on",
        "talk on PHONE, talk .. PHONE, speak .. PHONE, make call, make .. call, answer PHONE, "
        "telephone, call .. on PHONE",
    ),
    _sense("text_on", "text, send text|message, send .. text|message, text on"),
    _sense("wash", "wash, rinse, wash up"),
    _sense("peel", "peel, skin"),
    _sense("pack", "pack"),
    _sense("drag", "drag, pull, tow, tug"),
    _sense("swing", "swing"),
    _sense("jump", "jump, leap, hop on"),
    _sense("look_out", "look out, look through binoculars|telescope, look .. binoculars|telescope"),
    _sense("stick", "stick, poke, stab, spear, skewer, impale, prick"),
)
"""What can be asked for. Several senses may share a name."""

HINTS = (
    _sense("open", "LID off"),
    _sense("hold", "by HANDLE, HANDLE"),
    _sense("press", "button"),
)
"""Phrases without a verb, at the end of a clause that has nothing but objects before them."""

IDIOMS = _patterns(
    "hold on second|minute|moment|sec, hold breath|horses|meeting|position|line|thought|"
    "still|tight|fast|back|fire|tongue, take care|time|break|breather|look|walk|nap|shower|"
    "bath|rest|chance|risk|advice|guess|bus|train|taxi|exam|test|class|turn|turns|step|place|"
    "part|over|after|off|note|ME|control|charge|notice|effect, get sleep, open sesame, cut to, "
    "turn tables, take it easy, take .. look, get lost|up|out|away|ready|well|"
    "better|dressed|started|going|real|back|rid|over|along|used|to|into|off|it, bring up|"
    "back|about|it, pass on|by|out|away|exam|test, pick on|fight|one|lock|sides, raise voice|"
    "hand|hands|question|money|awareness|kids, lift spirits|mood|ban, carry on|out, "
    "cut it out|short, cut cost|costs|crap|corner|corners|budget|class, hit me|up|road|books|"
    "gym|hay|sack|jackpot|target|send|on, hit .. up, strike deal|balance|pose|gold|out|up, "
    "knock over|out|down|off, beat it|me|record|traffic|around|up, pour heart|down, "
    "open mind|eyes|heart|mouth|ears|browser|file|app|email|account|meeting|debate|"
    "conversation|fire|tab|document|yourself|season|house, turn around|back|away|into|to|up|"
    "down|over|out|left|right|page|corner|in|ME, spin story|tale|around, switch sides, "
    "press charges|conference, push luck|back|through|yourself, write off, sign up|in|out|"
    "off, note that, sit tight|still|up|exam|back, throw up|party|tantrum|in|shade|away|out, "
    "catch up|cold|breath|bus|train|fire|you|on, eat words|dust, ride out, pack it, drag on|"
    "feet, pull up|over|through|off|together|yourself|back, jump to|conclusions|gun|queue|"
    "ship, look out for, stick around|together|to|with|out|up, serve time|country|sentence, "
    "fill in|out|me, kick off|habit|bucket|out, lie to|about|in|low"
)
"""Phrases whose verb does not mean the action."""
