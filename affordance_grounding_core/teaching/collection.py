"""Collection of a user's taught actions: adds, removes and renames them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from affordance_grounding_core.actions.vocabulary import abbreviate, normalize_action
from affordance_grounding_core.errors import TeachingError
from affordance_grounding_core.teaching.exemplars import Exemplar

MAXIMUM_NAME_LENGTH = 64
MAXIMUM_EXEMPLARS = 32
"""Most exemplars of an action; more only make it slower."""

MAXIMUM_ACTIONS = 64


@dataclass(frozen=True)
class TaughtAction:
    """One taught action.

    Attributes:
        exemplars: exemplars in the order they were taught; at least one.
        overrides: whether it takes the place of a trained action, or another word for one, of
            the same name.
    """

    exemplars: tuple[Exemplar, ...]
    overrides: bool = False


@dataclass(frozen=True)
class BackboneIdentity:
    """Which features exemplars were taught on; features of others cannot be compared.

    Attributes:
        name: name of the backbone, for example "dinov2_vits14".
        fingerprint: `tensor_fingerprint` of its weights.
        blocks: after which tokens are taken, from the end.
    """

    name: str
    fingerprint: str
    blocks: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.fingerprint[:12]} (blocks {', '.join(map(str, self.blocks))})"


@dataclass(frozen=True)
class TaughtActions:
    """All taught actions of one backbone; every change makes another one of these.

    Attributes:
        backbone: backbone of all exemplars.
        actions: actions by name, in the order they were taught.
    """

    backbone: BackboneIdentity
    actions: Mapping[str, TaughtAction] = field(default_factory=lambda: MappingProxyType({}))

    def add(self, name: str, exemplar: Exemplar, *, overrides: bool = False) -> TaughtActions:
        """Add an exemplar to an action, which begins with its first.

        Args:
            name: name of the action, in any spelling.
            exemplar: exemplar of the same backbone.
            overrides: see `TaughtAction`.

        Raises:
            TeachingError: a name that is no name, or too many actions or exemplars.
        """
        name = check_name(name)
        known = self.actions.get(name)
        if known is None and len(self.actions) >= MAXIMUM_ACTIONS:
            raise TeachingError(
                f"action {name!r} would be one more than the {MAXIMUM_ACTIONS} that can be "
                "taught; remove one first"
            )
        exemplars = (*(known.exemplars if known else ()), exemplar)
        if len(exemplars) > MAXIMUM_EXEMPLARS:
            raise TeachingError(
                f"action {name!r} already has {MAXIMUM_EXEMPLARS} exemplars, the most there can "
                "be; remove one first"
            )
        action = TaughtAction(exemplars, overrides or bool(known and known.overrides))
        return self._with({**self.actions, name: action})

    def remove(self, name: str, exemplar: int | None = None) -> TaughtActions:
        """Remove an action, or one of its exemplars; an action without any is gone.

        Args:
            name: name of the action, in any spelling.
            exemplar: its number, from 1; None: the action.

        Raises:
            TeachingError: no such action or exemplar.
        """
        name = self.find(name)
        action = self.actions[name]
        if exemplar is not None and not 1 <= exemplar <= len(action.exemplars):
            raise TeachingError(
                f"action {name!r} has no exemplar {exemplar}; they are numbered from 1 to "
                f"{len(action.exemplars)}"
            )
        kept = action.exemplars[: exemplar - 1] + action.exemplars[exemplar:] if exemplar else ()
        others = {key: value for key, value in self.actions.items() if key != name}
        if not kept:
            return self._with(others)
        return self._with({**self.actions, name: replace(action, exemplars=kept)})

    def rename(self, name: str, new_name: str, *, overrides: bool = False) -> TaughtActions:
        """Give an action another name.

        Args:
            name: it has, in any spelling.
            new_name: it gets.
            overrides: see `TaughtAction`; it is decided anew with the name.

        Raises:
            TeachingError: no such action, a name that is no name, or one that is taken.
        """
        name, new_name = self.find(name), check_name(new_name)
        if new_name in self.actions and new_name != name:
            raise TeachingError(
                f"action {new_name!r} has been taught already; remove it first, or choose another "
                "name"
            )
        renamed = {
            new_name if key == name else key: replace(value, overrides=overrides)
            if key == name
            else value
            for key, value in self.actions.items()
        }
        return self._with(renamed)

    def find(self, name: str) -> str:
        """The name of a taught action as it is kept.

        Raises:
            TeachingError: no such action.
        """
        wanted = normalize_action(name)
        if wanted not in self.actions:
            known = ", ".join(self.actions) or "none yet"
            raise TeachingError(
                f"action {abbreviate(name)} has not been taught; taught are: {known}"
            )
        return wanted

    def _with(self, actions: Mapping[str, TaughtAction]) -> TaughtActions:
        return replace(self, actions=MappingProxyType(dict(actions)))


def check_name(name: str) -> str:
    """Bring the name of an action into the spelling of vocabularies.

    Args:
        name: for example "Press shutter".

    Returns:
        For example "press_shutter".

    Raises:
        TeachingError: not a text of printable words, or too long.
    """
    if not isinstance(name, str) or len(name) > MAXIMUM_NAME_LENGTH:
        length = f"{len(name)} characters" if isinstance(name, str) else type(name).__name__
        raise TeachingError(
            f"the name of an action must be a text of at most {MAXIMUM_NAME_LENGTH} characters, "
            f"got {length}"
        )
    normal = normalize_action(name)
    if not normal or not name.strip().isprintable() or not any(c.isalnum() for c in normal):
        raise TeachingError(
            f"the name of an action must have a word in it and be printable, got "
            f"{abbreviate(name)}; for example 'press shutter'"
        )
    if any(character in normal for character in "/\\;:"):
        raise TeachingError(
            f"the name of an action must not contain / \\ ; or :, got {abbreviate(name)}: goals "
            "separate actions by ';' and pictures are named after them"
        )
    return normal
