"""The sentences that stand for an action before a text encoder.

Source: SelectiveCL, section 3.2 and its published code. Underscores are kept: "cut_with" is
tokenised with its underscore, as it was in training.
"""

from __future__ import annotations


def action_prompt(action: str) -> str:
    """Describe the object an action is done with: "an item to hold with".

    Args:
        action: a name of a vocabulary; one that has the word "with" gets no second one.
    """
    return f"an item to {action}" if "with" in action.split("_") else f"an item to {action} with"


def exocentric_prompt(action: str) -> str:
    """Describe a person who does an action: "a person hold an item".

    Args:
        action: a name of a vocabulary.
    """
    return f"a person {action} an item"
