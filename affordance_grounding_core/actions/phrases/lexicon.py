"""English phrases for actions, sorted by what they ask for.

A pattern is matched against the words of a clause without its articles and possessives: the first
item is the verb the clause begins with, also with "-ing"; "|" separates alternatives; a word in
capitals stands for a class of `WORD_CLASSES`; ".." bridges up to six words; the other items follow
each other directly; "$" at the end means that the noun before it is the last of its phrase, so
that "cut power $" is no pattern of "cut the power cable".
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from affordance_grounding_core.actions.phrases.things import GRASPABLE, OBJECTS, word_set

INSTRUMENT = "something"
"""Word for a tool that is not named."""

WORD_CLASSES = MappingProxyType(
    {
        "LID": word_set("lid lids cap caps top tops cover cork stopper"),
        "DOOR": word_set(
            "drawer drawers door doors cupboard cabinet fridge refrigerator freezer oven microwave "
            "dishwasher box jar can bottle window"
        ),
        "BUTTON": word_set(
            "button buttons key keys switch switches doorbell bell pump dispenser keypad pedal "
            "label"
        ),
        "TOUCHED": word_set(
            "screen touchscreen display icon app tile option touchpad trackpad spacebar stop estop "
            "cancel undo quit abort play pause enter start escape reset return"
        ),
        "SCREEN": word_set("screen touchscreen display icon touchpad trackpad pad"),
        "KNOB": word_set(
            "tap faucet knob knobs dial valve light lights lamp heat heater stove oven burner "
            "water gas radio fan machine power"
        ),
        "PHONE": word_set("phone telephone mobile cellphone smartphone handset"),
        "BLADE": word_set("knife knives scissors blade saw axe shears cutter"),
        "HAMMER": word_set("hammer hammers mallet sledgehammer"),
        "CUP": word_set("cup cups mug mugs glass"),
        "JUG": word_set("jug jugs pitcher kettle teapot carafe decanter"),
        "WRENCH": word_set("wrench spanner screwdriver"),
        "SCREW": word_set(
            "bolt bolts nut nuts screw screws clamp vice vise fitting hinge thumbscrew wingnut "
            "strap fastener chuck joint ring collar jaw"
        ),
        "PEN": word_set("pen pens pencil pencils marker chalk crayon"),
        "SEAT": word_set("chair stool sofa couch bench armchair"),
        "BROOM": word_set("brush broom toothbrush paintbrush hairbrush"),
        "HANDLE": word_set("handle handles grip shaft haft hilt"),
        "ME": word_set("me us him them"),
        "PERSON": word_set(
            "me him us people someone somebody anyone anybody man woman child boy girl cat dog "
            "baby person kid"
        ),
        "OBJECT": OBJECTS | GRASPABLE,
    }
)
"""Name of a class to its words."""

THINGS = frozenset().union(*WORD_CLASSES.values()) | word_set(
    "it them here there nail nails ball bread meat vegetable vegetables onion garlic egg eggs "
    "cheese dough rice pasta sauce soup salt oil sugar tray packet container salad tomato potato "
    "wine beer "
    "label screen touchscreen display icon pedal doorbell wrench "
    "phone book paper chair stool table bed sofa bike bicycle motorcycle car camera laptop keyboard"
)
"""Words for things that actions are done to; a phrase that names none of them is less sure."""

NOUN_VERBS = word_set(
    "hammer brush drink text box saw stick drum tap pack pound sip drag lift pick press catch "
    "whisk bat hand ring touch place drop move fold plug shake set clean close play snap make "
    "squeeze"
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
        nearest: entries that are no answer, but what comes next where there is none: the
            opposite, done to the same part.
    """

    name: str
    entries: tuple[str, ...]
    patterns: tuple[str, ...]
    nearest: tuple[str, ...] = ()


def pattern_list(text: str) -> tuple[str, ...]:
    """Split a list of patterns at its commas."""
    return tuple(pattern.strip() for pattern in text.split(","))


def _sense(entries: str, patterns: str, nearest: str = "") -> Sense:
    names = tuple(entries.split())
    return Sense(names[0], names, pattern_list(patterns), tuple(nearest.split()))


_OFF = (
    "twist|screw|pull|pop|turn|flip|rotate|spin|lift|get|pry|prise|prize|work|ease|knock|peel|"
    "wrench|slide|push"
)
"""What brings a lid off."""

_OPENING = (
    "pull|slide|pry|push|swing|throw|fling|twist|flip|lift|pop|prop|break|force|wedge|prise|jam"
)
"""What somebody does to a thing until it is open."""

SENSES = (
    _sense(
        "hold",
        "hold, grasp, grip, grab, clasp, clutch, seize, grapple, take, get, fetch, bring, "
        "pass ME, hand ME, give ME, lend ME, pass|hand|give|lend .. to ME, pass OBJECT $, "
        "pass .. OBJECT $, hand over, hand .. over, "
        "give|hand|pass it|them $, reach for, take hold, "
        "get hold, get grip, get grip on, grab|keep hold, lay hold, retrieve, "
        "hang on to, hold on to, hold onto, use .. HANDLE $",
    ),
    _sense("pick_up lift hold", "pick, pick up, pick .. up"),
    _sense("lift pick_up hold", "lift, raise, hoist, heave"),
    _sense("carry hold", "carry, transport, lug, haul"),
    _sense(
        "drink_with",
        "drink, gulp, swallow, quaff, have|take|grab drink, take gulp|swig, use .. CUP $, "
        "bring|lift|raise .. to lips|mouth",
    ),
    _sense("sip drink_with", "sip, take|have sip|swig, take|have .. sip|swig, slurp"),
    _sense(
        "cut_with",
        "cut with, cut .. with BLADE|something, "
        "slice|chop|carve|trim|dice|mince|snip .. with BLADE|something, "
        "cut|slice|chop|carve|trim|dice|mince|snip .. with .. BLADE $, "
        "cut|slice|chop|carve|trim|snip with, saw, snip, shear, use .. BLADE $",
    ),
    _sense("cut cut_with", "cut, slice, chop, carve, trim, dice, mince"),
    _sense(
        "hit",
        "hit, hammer, strike, pound, whack, knock, bang, bash, thump, smack, smash, swat, "
        "tap .. with HAMMER, drive nail, drive .. nail, drive .. with HAMMER, hit .. with HAMMER, "
        "give .. whack|blow|bang|knock|hit, take|have whack|swipe, take|have .. whack|swipe, "
        "use .. HAMMER $",
    ),
    _sense("beat hit", "beat, drum, drum on, play .. drum|drums"),
    _sense("boxing", "punch, box, box with, throw punch"),
    _sense(
        "pour",
        "pour, fill, refill, serve .. tea|coffee|wine|juice|milk|water|drink|drinks, decant, "
        "tip out, tip .. out, tip .. into, empty .. into, top up, top .. up, use .. JUG $",
    ),
    _sense(
        "open",
        "open, get door $, crack open, uncover, unscrew, uncork, uncap, unseal, unlatch, unlid, "
        "take LID off, take .. LID off, take off LID, take off .. LID $, remove LID $, "
        "remove .. LID $, get|pull|take LID out, "
        f"get|pull|take .. LID out, {_OPENING}|get .. open $, {_OPENING} open, "
        "pull DOOR, pull|slide .. DOOR out, pull|slide DOOR out, pull|slide out DOOR, "
        "pull|slide out .. DOOR $, "
        f"{_OFF} off LID, {_OFF} off .. LID, {_OFF} LID off, {_OFF} .. LID off",
    ),
    _sense(
        "turn",
        "turn, rotate, twist, spin, turn|switch on|off, turn|switch .. on|off, swivel, crank, "
        "give twist|turn|spin $, give .. twist|turn|spin $, "
        "turn|twist DOOR, turn|switch on|off KNOB, turn up|down KNOB, turn up|down .. KNOB, "
        "turn .. clockwise|anticlockwise|counterclockwise, "
        "close|shut tap|faucet|valve, close|shut .. tap|faucet|valve $, "
        "tighten|loosen SCREW|LID|KNOB $, "
        "tighten|loosen .. SCREW|LID|KNOB $, tighten|loosen it|them $, "
        "use .. WRENCH|tap|faucet|knob|dial|valve $, use key $",
    ),
    _sense(
        "press",
        "press, press down, press on, hit BUTTON, hit .. BUTTON, tap BUTTON, tap .. BUTTON, "
        "tap on, click, click on, depress, hold down BUTTON, hold down .. BUTTON, "
        "hit|tap TOUCHED $, hit|tap .. TOUCHED $, hit|tap space bar, hit|tap .. space bar, "
        "touch|poke|ring|smack|slap|bang|thump|whack BUTTON, "
        "touch|poke|ring|smack|slap|bang|thump|whack .. BUTTON, "
        "touch SCREEN, touch .. SCREEN, give SCREEN|BUTTON tap|click, "
        "give .. SCREEN|BUTTON tap|click, use .. BUTTON|SCREEN $",
    ),
    _sense(
        "press push",
        "push BUTTON, push .. BUTTON, push down, push down on, push in, push .. down, flip BUTTON, "
        "flip .. BUTTON, toggle BUTTON, toggle .. BUTTON, flick BUTTON, "
        "flick .. BUTTON, push TOUCHED $, push .. TOUCHED $, "
        "give BUTTON push|press, give .. BUTTON push|press, give press $, give .. press $",
    ),
    _sense("push", "push, shove, nudge, give .. push|shove"),
    _sense(
        "stir",
        "stir, mix, whisk, beat egg|eggs|batter|cream|mixture, give stir|mix, give .. stir|mix",
    ),
    _sense(
        "brush_with",
        "brush, scrub .. with BROOM, sweep .. with BROOM, scrub|sweep with BROOM, use .. BROOM $, "
        "give .. brush|brushing $",
    ),
    _sense(
        "write",
        "write, jot, scribble, sign, note down, jot down, make note, take note|notes, "
        "use .. PEN $, draw .. with PEN, "
        "draw circle|line|square|triangle|arrow|sketch|picture, "
        "draw .. circle|line|square|triangle|arrow|sketch|picture $",
    ),
    _sense(
        "sit_on",
        "sit, sit down, take|have|grab|get|find|need seat $, be seated, seat yourself, "
        "use .. SEAT $",
    ),
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
    _sense("swing", "swing, take|have swing, take|have .. swing"),
    _sense("jump", "jump, leap, hop on"),
    _sense("look_out", "look out, look through binoculars|telescope, look .. binoculars|telescope"),
    _sense("stick", "stick, poke, stab, spear, skewer, impale, prick"),
    _sense(
        "close",
        "close, shut, push|pull|slide|swing DOOR shut|closed, "
        "push|pull|slide|swing .. DOOR shut|closed, push|pull|slide|swing shut|closed, "
        "push|pull|slide|swing .. shut|closed, "
        "put LID on|back, put .. LID on|back, put on LID, put on .. LID, "
        "screw|twist|snap|press LID on|back, screw|twist|snap|press .. LID on|back, "
        "turn|twist|screw .. shut|closed, push DOOR in|back, put back LID",
        "open",
    ),
    _sense(
        "put_down place",
        "put, place, set down, set .. down, set .. on, get .. into|onto",
        "hold pick_up lift carry",
    ),
    _sense("release drop", "release, let go, let .. go, drop, unhand", "hold"),
    _sense("wipe clean", "wipe, clean, mop, dust, polish", "wash brush_with"),
    _sense("move", "move, relocate", "push drag carry hold"),
    _sense("insert", "insert, plug in, plug .. in"),
    _sense("unplug", "unplug"),
    _sense("fold", "fold"),
    _sense("shake", "shake", "hold"),
    _sense("squeeze", "squeeze", "press hold"),
)
"""What can be asked for. Several senses may share a name."""

HINTS = (
    _sense("open", "LID off"),
    _sense("hold", "by HANDLE, HANDLE"),
    _sense("press", "button"),
)
"""Phrases without a verb, at the end of a clause that has nothing but objects before them."""
