"""Prompts of every class list and their CLIP tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from affordance_grounding_core.actions.datasets import AGD20K_SEEN, AGD20K_UNSEEN, HICO_IIF
from affordance_grounding_core.actions.prompts import action_prompt, exocentric_prompt
from affordance_grounding_core.backbones.clip import tokenize
from checks.comparison import Array, Case, Comparison, cases_with

_ACTIONS = {"seen": AGD20K_SEEN, "unseen": AGD20K_UNSEEN, "hico": HICO_IIF}


def matches(arrays: Mapping[str, Array], stem: str) -> bool:
    """Holds texts with their tokens."""
    return bool(cases_with(arrays, "tokens", "text"))


def checks(arrays: Mapping[str, Array], stem: str) -> Iterator[Comparison]:
    """Compare our prompts, and the tokens of the golden texts."""
    for case in cases_with(arrays, "tokens", "text"):
        texts = [str(text) for text in case["text"]]
        tokens = tokenize(texts, case["tokens"].shape[1])
        yield from case.compare("tokens", tokens, rtol=0, atol=0)
        prompts = _prompts(case, texts)
        if prompts is not None:
            equal = [ours == golden for ours, golden in zip(prompts, texts, strict=True)]
            yield Comparison(case.name, "text", np.asarray(equal), np.ones(len(texts)))


def _prompts(case: Case, texts: list[str]) -> list[str] | None:
    """Our prompts for the list and the kind that the case's name speaks of."""
    parts = case.name.lower().replace("-", ".").replace("_", ".").split(".")
    prompt = exocentric_prompt if "exo" in parts else action_prompt
    for name, actions in _ACTIONS.items():
        if name in parts and len(actions) == len(texts):
            return [prompt(action) for action in actions]
    return None
