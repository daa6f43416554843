"""Other words for the actions of the packaged vocabularies.

Single commands only, listed by `affordance-grounding actions`; phrases are understood by
`phrases.lexicon`, which knows what to do where a vocabulary has a better entry.
"""

from __future__ import annotations

from types import MappingProxyType

_WORDS = {
    "hold": "grasp grip grab take carry pick_up lift hold_on_to grasp_handle take_hold",
    "drink_with": "drink drink_from sip",
    "cut_with": "cut cut_using",
    "hit": "hit_with hammer strike pound beat",
    "pour": "pour_from pour_out pour_with",
    "open": "open_up pull_open unscrew uncap",
    "turn": "turn_on turn_off twist rotate",
    "press": "push push_button press_button click",
}

ALIASES = MappingProxyType(
    {alias: action for action, words in _WORDS.items() for alias in words.split()}
)
"""Alias to action; an alias that is itself an action of a vocabulary is not used there."""
