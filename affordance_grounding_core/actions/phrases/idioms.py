"""Phrases whose verb does not mean the action, and commands to the robot itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from affordance_grounding_core.actions.phrases.clauses import Clause
from affordance_grounding_core.actions.phrases.figures import FIGURES
from affordance_grounding_core.actions.phrases.lexicon import pattern_list
from affordance_grounding_core.actions.phrases.patterns import ENDS_NOUN
from affordance_grounding_core.actions.phrases.things import word_set

_ENERGY = (
    "power|engine|engines|motor|motors|current|electricity|ignition|throttle|noise|chatter|call|"
    "connection|signal|feed|sound|music|audio|video|lights|talk|losses|ties|rates|taxes|prices|"
    "staff|jobs"
)
_ABSTRACT = (
    "break|minute|moment|second|sec|hand|chance|call|time|rest|space|room|answer|reason|hint|idea|"
    "example|advice|help|strength|peace|credit|word|smile|hug|kiss|ride|lift|headache|creeps|"
    "update|report|summary|status|list|number|name|names|details|news|truth|information|"
    "directions|permission|benefit|choice|option|try|shot|look|push|kick|feedback|attention|power|"
    "thanks|patience|warning|sign|five"
)
_NUMBERS = "10|15|20|30|45|60|90|120|135|150|180|270|360|ten|thirty|ninety"

_LISTED = pattern_list(
    "hold on second|minute|moment|sec, hold breath|horses|meeting|position|line|thought|"
    "still|tight|fast|back|fire|tongue, take care|time|break|breather|look|walk|nap|shower|"
    "bath|rest|chance|risk|advice|guess|bus|train|taxi|exam|test|class|turn|turns|step|place|"
    "part|over|after|off|note|ME|control|charge|notice|effect, get sleep, open sesame, cut to, "
    "turn tables, take it easy, take .. look, get lost|up|out|away|ready|well|"
    "better|dressed|started|going|real|back|rid|over|along|used|to|into|off|it, bring up|"
    "back|about|it, pass on|by|out|away|exam|test, pick on|fight|one|lock|sides, raise voice|"
    "hand|hands|question|money|awareness|kids, lift spirits|mood|ban, carry on|out, "
    "get grip $, get moving, cut it fine|close, hit snag|wall|bottom|limit $, hit rock bottom, "
    "hit pause on, pour .. on idea|ideas|plan|plans|hopes, stir pot of, write home, "
    "sit on fence $, drink it in, take bull by, take plunge, raise roof, "
    "open .. tab|browser|app|file|account|document $, brush it off, "
    "pick colour|color|card|number|winner|winners|side|time|date|topic, drink responsibly, "
    "grab bite|lunch|dinner|breakfast|chance, press flesh, "
    "cut it out|short, cut cost|costs|crap|corner|corners|budget|class, hit me|up|road|books|"
    "gym|hay|sack|jackpot|target|send|on, hit .. up, strike deal|balance|pose|gold|out|up, "
    "knock over|out|down|off, beat it|me|record|traffic|around|up, pour heart|down, "
    "open mind|eyes|heart|mouth|ears|browser|file|app|email|account|meeting|debate|"
    "conversation|fire|tab|document|yourself|season|house, turn around|back|away|into|to|up|"
    "down|over|out|left|right|page|corner|in|me|you|us|him, spin story|tale|around, switch sides, "
    "press charges|conference, push luck|back|through|yourself, write off, sign up|in|out|"
    "off, note that, sit tight|still|up|exam|back, throw up|party|tantrum|in|shade|away|out, "
    "catch up|cold|breath|bus|train|fire|you|on, eat words|dust, ride out, pack it, drag on|"
    "feet, pull up|over|through|off|together|yourself|back, jump to|conclusions|gun|queue|"
    "ship, look out for, stick around|together|to|with|out|up, serve time|country|sentence, "
    "fill in|out|me, kick off|habit|bucket|out, lie to|about|in|low"
    ", hold off|out|forth|sway|hostage|court|grudge, hold up|on $, "
    "hold on tight, cut down on, hit .. record|milestone|peak, "
    "hold up second|minute|moment|sec, "
    "press on $, press ahead|forward|onward|onwards|matter|issue|point, press for|me|him|us|you, "
    "push on $, push ahead|forward|past|envelope|limit|limits|boundary|boundaries|deadline|agenda|"
    "commit|changes|update, "
    "pick up pace|speed|slack|tab|bill|signal|steam|trail|scent|where|momentum|tempo|thread|"
    "pieces|habit|accent|language, "
    f"cut {_ENERGY} $, cut .. talk|losses $, cut ME slack|break, "
    "open up about|to, open discussion|dialogue|case|investigation|shop|business|possibilities, "
    "open floor to, turn cheek, turn .. cheek, turn over leaf, turn over .. leaf, "
    "turn down offer|job|invitation|proposal|request, "
    "turn up late|early|at, turn toward|towards|north|south|east|west, turn things|life, "
    f"turn {_NUMBERS} degrees, "
    "hit brake|brakes|gas|ground|beach|town|shower $, hit ground, "
    "pour .. heart, pour scorn, "
    "raise alarm|bar|stakes|temperature|rent|issue|point|objection|doubts|eyebrow|eyebrows|hopes|"
    "funds|standards|concern|concerns, "
    "lift restriction|restrictions|curse|spell|embargo|veil, carry day|tune, "
    "throw in towel, throw fit|weight, throw ME bone, catch movie|show, "
    "throw game|light|doubt, catch drift|feelings|eye|attention|wind|flight, "
    "kick things|back, stir trouble|controversy|up|crazy, brush up|aside|by|against, "
    "brush past .., brush off insult|criticism|comment|comments|question|concerns|ME, drink to, "
    "sit out|through|for, write to|in|up|out, hit lights|deck|roof|ceiling, hit it off, "
    "pour|pore over document|documents|book|books|detail|details|data|plan|plans|paper|papers|"
    "report|map|maps|notes|contract|figures|files, take crack|stab|shot|jab|peek|glance|gander, "
    "turn red|green|blue|white|black|grey|pale|cold|hot|sour|bad|nasty|eighteen|twenty|thirty|"
    "forty|fifty|sixty, turn blind eye, turn .. blind eye, open floodgates|wide, "
    "press into service|action, hold water|true|good, hold up bank|traffic|train|queue|line, "
    "hold .. together, take heart, turn tide|heads, turn on charm, press case, hit nerve, "
    "pour money|cash|resources, write history, drink like .., brush .. under carpet|rug, "
    "hold ME accountable|responsible|hostage|captive|liable|back, cut chat|chatter, cut in line, "
    "seize day|moment|opportunity|chance|power|control, "
    "grasp concept|idea|meaning|situation|problem, grab attention|headlines, "
    "reach for stars|sky, bring peace|joy|hope, "
    "take lead|stairs|elevator|five|ten|oath|stand|detour|left|right $, "
    "take it slow|personally, take bow, "
    "get move, get message|point|joke|job|feeling, "
    f"give ME {_ABSTRACT}, give .. {_ABSTRACT} to ME, give up|in|way, give it rest|go|try|shot, "
    "fill role|position|void, strike chord|note, use head|brain|imagination|words"
)


def _ending(pattern: str) -> list[str]:
    """Let a pattern's last noun end its phrase: "open fire" is no idiom in "open the fire door"."""
    *before, last = pattern.split()
    if last == "$" or not before:
        return [pattern]
    words = last.split("|")
    nouns = [word for word in words if word not in ENDS_NOUN]
    others = [word for word in words if word in ENDS_NOUN]
    split = [f"{' '.join(before)} {'|'.join(nouns)} $"] if nouns else []
    return [*split, *([f"{' '.join(before)} {'|'.join(others)}"] if others else [])]


IDIOMS = tuple(ending for pattern in (*_LISTED, *FIGURES) for ending in _ending(pattern))
"""Phrases whose verb does not mean the action."""

_ABSTRACT_THINGS = word_set(
    "time day night morning evening week weekend month year hour past future life lives soul "
    "hope faith love hate anger fear joy war courage patience trust truth lie lies secret "
    "secrets word words language languages accent question questions answer answers detail "
    "details idea ideas thought thoughts opinion opinions view views issue issues matter "
    "problem problems solution solutions topic topics subject joke jokes news rumor rumors "
    "gossip conversation conversations discussion discussions debate debates argument arguments "
    "talk talks speech dialogue negotiation negotiations meeting meetings conference interview "
    "interviews session sessions lesson lessons exam exams lecture homework assignment project "
    "projects task tasks job jobs work career position positions role roles business account "
    "accounts budget budgets cost costs price prices tax taxes rate rates debt debts loan deal "
    "deals bargain offer offers bid bids bet bets risk risks chance chances luck fate fortune "
    "opportunity opportunities possibility possibilities option options choice choices decision "
    "decisions plan plans strategy policy policies rule rules law laws rights duty duties blame "
    "guilt credit fame glory honor honour pride power authority influence attention interest "
    "focus concentration awareness memory memories dream dreams sleep nap rest nonsense air break "
    "breather "
    "vacation holiday holidays trip journey walk stroll hike pose stance pace speed tempo "
    "momentum rhythm melody noise silence call calls feed stream internet network applause "
    "breath breaths temper mood spirit spirits advice help aid assistance service favor favour "
    "favors effort efforts energy strength enthusiasm passion emotion emotions feelings feeling "
    "gap gaps void vacancy chapter chapters investigation season market markets economy crowd "
    "party parties tantrum limits limit boundaries boundary deadline deadlines agenda distance "
    "direction advantage disadvantage benefit profit profits loss losses ties hint hints clue "
    "clues fort grudge office election vote votes championship victory defeat challenge "
    "challenges commitment promise promises vow breakthrough progress success failure "
    "experience knowledge wisdom skill skills habit habits mistake mistakes pressure stress "
    "pain temperature weather sense meaning purpose reason reasons excuse excuses apology "
    "apologies permission access information status summary conclusion conclusions judgment "
    "judgement peace responsibility"
)
"""What nobody can take hold of. Words that are things as well are not here."""

_WAYS_IN = word_set("door doors window windows key keys gate gates lid")
_ROOMS = word_set("office market markets party session meeting project service")
"""Abstract things that are also places, as in "open the door to the office"."""

_ABOUT_WORDS = word_set("write text_on type_on talk_on take_photo press eat look_out")
"""Senses whose object may be anything that can be said or shown; buttons bear any name."""

_AFTER_NOUN = word_set("short loose apart together alive going open shut first")

_ROBOT = word_set("gripper grippers claw claws robot yourself effector effectors itself")
_BODY = word_set(
    "arm arms hand hands finger fingers head wrist elbow shoulder base body eyes mouth jaw jaws "
    "legs feet neck torso"
)
_BEFORE_BODY = word_set("s left right other both robot end up down around back own on off")


_SAYINGS = re.compile(
    r"\b(?:take it or leave it|cut and (?:run|dried|thrust)|hit (?:or|and) (?:miss|run|hope)|"
    r"(?:pick|mix) and (?:choose|match|mix)|open and shut|sink or swim|twist and shout|"
    r"drink and (?:be merry|drive)|eat drink and be merry|shake rattle and roll|rock and roll|"
    r"turn and (?:run|face|go|leave|look|walk)|open up and say|wash and go|hit and run|"
    r"take (?:the money|it) and run|stop and (?:smell|think|stare)|give and take|"
    r"lift and separate|slice and dice|beat .* to (?:a|the) punch|"
    r"stand up and be counted|shut up and \w+|let live)\b"
)


def is_saying(folded: str) -> bool:
    """Whether a folded text is a saying of several verbs: "take it or leave it"."""
    return _SAYINGS.search(folded) is not None


def is_about_the_robot(clause: Clause) -> bool:
    """Whether a command moves the robot and not an object: "open your gripper".

    Args:
        clause: with a verb first. What comes after a preposition does not count: "hold it with
            your gripper" is about the object.
    """
    words, articles = clause.words, clause.articles
    place = 1
    yours = False
    while place < len(words) and (words[place] in _BEFORE_BODY or words[place] in ("me", "us")):
        yours = yours or articles[place] == "your" or words[place] == "robot"
        if words[place] == "robot" and _ends_noun(clause, place):
            return True
        place += 1
    if place >= len(words):
        return False
    yours = yours or articles[place] == "your"
    is_it = words[place] in _ROBOT or (yours and words[place] in _BODY)
    return is_it and _ends_noun(clause, place)


def is_about_nothing_to_hold(clause: Clause, sense: str) -> bool:
    """Whether what is to be held, opened, cut, ... is no thing: "pick up a new language".

    Args:
        clause: with a verb first.
        sense: name of what its words ask for.
    """
    words = clause.words
    switched = words[0] in ("turn", "turning", "switch", "switching")
    if sense in _ABOUT_WORDS or (switched and not {"on", "off", "up", "down"}.isdisjoint(words)):
        return False
    place = 1
    while place < len(words) and words[place] in ENDS_NOUN:
        place += 1
    head = _head(clause, place)
    after = words[head + 1 : head + 2]
    if after == ("of",):
        return words[_head(clause, head + 2)] in _ABSTRACT_THINGS
    if after in (("to",), ("for",), ("on",)) and words[head] in _WAYS_IN:
        return words[_head(clause, head + 2)] in _ABSTRACT_THINGS - _ROOMS
    return head < len(words) and words[head] in _ABSTRACT_THINGS


def _head(clause: Clause, start: int) -> int:
    """Place of the last word of the noun phrase that begins at a place."""
    words = clause.words
    place = start
    while place + 1 < len(words) and not _ends_noun(clause, place):
        place += 1
    while place > start and words[place] in _AFTER_NOUN:
        place -= 1
    return min(place, len(words) - 1)


def _ends_noun(clause: Clause, place: int) -> bool:
    rest: Sequence[str] = clause.words[place + 1 :]
    if not rest or rest[0] in ENDS_NOUN or rest[0].isdigit() or clause.articles[place + 1]:
        return True
    return clause.words[place] == "yourself"
