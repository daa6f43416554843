from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from affordance_grounding_core.actions.resolution import ActionResolution, Candidate
from affordance_grounding_core.actions.similarity import LazySimilarity


class Echo:
    def resolve(self, text: str) -> ActionResolution:
        return ActionResolution(text, (Candidate(text.upper(), 1.0),), "similarity")


def test_it_is_built_once_however_many_ask_and_not_before() -> None:
    built: list[Echo] = []

    def build() -> Echo:
        built.append(Echo())
        return built[-1]

    similarity = LazySimilarity(build)
    assert built == []
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(similarity.resolve, ["grasp"] * 8))
    assert [one.action for one in found] == ["GRASP"] * 8
    assert len(built) == 1
