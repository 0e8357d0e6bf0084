"""Wildcards in the syntax of the dynamic-prompts packs, drawn by seed.

``{a|b|c}`` one of them, ``{3::a|b}`` with weights, ``{2$$a|b|c}`` two different ones, ``{1-3$$ and $$a|b|c}`` one to three joined by
" and ", ``__name__`` one of a named list. All may be nested.

Each draw has its own random numbers, made of the seed and of what is drawn: changing one part of a text leaves all others as they were,
and two texts with the same seed draw the same from the same list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

NAME = re.compile(r"__([A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)__")
COUNT = re.compile(r"\s*(\d+)(?:-(\d+))?\$\$")
WEIGHT = re.compile(r"\s*(\d+(?:\.\d+)?)::")
MOST = 150
"""Draws in one text: lists may name each other, and must not unfold without end."""


@dataclass
class Draws:
    """The draws of one text.

    Attributes:
        lists: choices by name.
        seed: of all draws.
        drawn: what the named lists gave, the first time each.
    """

    lists: Mapping[str, Sequence[str]]
    seed: int
    drawn: dict[str, str] = field(default_factory=dict)
    _asked: Counter = field(default_factory=Counter)

    def random(self, what: str) -> Random:
        """Random numbers of the next draw of something."""
        self._asked[what] += 1
        if self._asked.total() > MOST:
            raise ValueError(f"Expected at most {MOST} wildcards in a prompt, found more: a list names itself.")
        return Random(f"{self.seed}:{what}:{self._asked[what]}")


def expand(text: str, draws: Draws) -> str:
    """Replace every wildcard of a text.

    Raises:
        ValueError: braces that do not match, a name without a list, more choices asked for than there are.
    """
    return _named(_braces(text, draws), draws)


def _braces(text: str, draws: Draws) -> str:
    """Replace the outermost braces, from left to right."""
    done, rest = "", text
    while "{" in rest or "}" in rest:
        start = rest.find("{")
        end = _closing(rest, start)
        done += rest[:start] + _choose(rest[start + 1 : end], draws)
        rest = rest[end + 1 :]
    return done + rest


def _closing(text: str, start: int) -> int:
    """Place of the brace that closes the one at ``start``."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            break
        if depth == 0 and place > start >= 0:
            return place
    raise ValueError(f'Expected a "}}" for every "{{", found "{text.strip()[:60]}": close the choice, as in {{red|blue}}.')


def _choose(inner: str, draws: Draws) -> str:
    """One choice, or several joined, of what stands between braces."""
    count = COUNT.match(inner)
    random, joiner, body = draws.random(inner), ", ", inner
    low = high = 1
    if count:
        low, high = int(count[1]), int(count[2] or count[1])
        body = inner[count.end() :]
        if "$$" in body:
            joiner, body = body.split("$$", 1)
    options = [_weighted(option) for option in _split(body)]
    if not low <= high <= len(options):
        raise ValueError(f'Expected a count of at most the {len(options)} choices, found "{{{inner[:60]}}}".')
    picked = []
    for _ in range(random.randint(low, high)):
        place = random.choices(range(len(options)), [weight or 1e-9 for weight, _ in options])[0]
        picked.append(expand(options.pop(place)[1], draws))
    return joiner.join(picked)


def _split(body: str) -> list[str]:
    """Parts between the "|" that stand in no inner braces."""
    parts, depth = [""], 0
    for letter in body:
        depth += (letter == "{") - (letter == "}")
        if letter == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _weighted(option: str) -> tuple[float, str]:
    found = WEIGHT.match(option)
    return (float(found[1]), option[found.end() :]) if found else (1.0, option)


def _named(text: str, draws: Draws) -> str:
    def draw(found: re.Match) -> str:
        name = found[1].lower()
        choices = draws.lists.get(name)
        if not choices:
            known = ", ".join(sorted(draws.lists))
            raise ValueError(f'Expected a list of the name "{name}", found only {known}: write the list, or correct the name.')
        value = expand(draws.random(f"__{name}__").choice(list(choices)), draws)
        draws.drawn.setdefault(name, value)
        return value

    return NAME.sub(draw, text)


def parse_lists(text: str) -> dict[str, tuple[str, ...]]:
    """Named lists of a text: a line each, ``name: first | second | third``.

    Raises:
        ValueError: a line without a name or without choices.
    """
    lists = {}
    for line in filter(str.strip, text.splitlines()):
        name, colon, body = line.partition(":")
        choices = tuple(part.strip() for part in _split(body) if part.strip())
        if not colon or not choices or not NAME.fullmatch(f"__{name.strip()}__"):
            raise ValueError(f'Expected lines such as "metal: steel | copper | brass", found "{line.strip()[:60]}".')
        lists[name.strip().lower()] = choices
    return lists
