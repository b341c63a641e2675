"""Label selectors, as kubectl reads them: ``a=b,c!=d,e in (f,g),h notin (i),j,!k``; values only."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

_PARTS = re.compile(r",(?![^(]*\))")
_NAME = r"(?P<name>[A-Za-z0-9][-A-Za-z0-9_./]*)"
_SET = re.compile(rf"{_NAME}\s+(?P<sign>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(rf"{_NAME}\s*(?P<sign>==|=|!=)\s*(?P<values>[-A-Za-z0-9_.]*)")
_THERE = re.compile(rf"(?P<sign>!?)\s*{_NAME}")


class LabelError(ValueError):
    """The selector cannot be understood."""


class Requirement(NamedTuple):
    """One part: whether the label's value is to be among these; of no values: whether it is to be there."""

    name: str
    wanted: bool
    values: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Labels:
    """All requirements must hold. As in kubectl, ``!=`` and ``notin`` hold where there is no such label."""

    requirements: tuple[Requirement, ...] = ()

    def match(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an object with these labels is meant."""
        return all(_holds(one, labels) for one in self.requirements)


def parts(texts: Iterable[str]) -> list[str]:
    """Return the comma-separated parts of ``-l`` options; a comma in parentheses separates none."""
    return [part.strip() for text in texts for part in _PARTS.split(text) if part.strip()]


def labels(texts: Iterable[str]) -> Labels:
    """Return the selector of parts. Raises ``LabelError``."""
    return Labels(tuple(_requirement(text) for text in texts))


def _requirement(text: str) -> Requirement:
    if found := _SET.fullmatch(text):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["name"], found["sign"] == "in", values)
    if found := _EQUAL.fullmatch(text):
        return Requirement(found["name"], found["sign"] != "!=", frozenset([found["values"]]))
    if found := _THERE.fullmatch(text):
        return Requirement(found["name"], not found["sign"], None)
    raise LabelError(f"-l {text}: expected NAME=VALUE, NAME!=VALUE, NAME in (A,B), NAME notin (A,B), NAME or !NAME")


def _holds(one: Requirement, labels: Mapping[str, str]) -> bool:
    if one.values is None:
        return (one.name in labels) is one.wanted
    return (one.name in labels and labels[one.name] in one.values) is one.wanted
