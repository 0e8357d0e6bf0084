"""Prompts of a preset, with a person's own words in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .presets import FIELDS, PRESETS, Preset
from .wildcards import Draws, expand, parse_lists

WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")


@dataclass(frozen=True)
class Wording:
    """What prompts are made of.

    Attributes:
        preset: a key of ``PRESETS``.
        template: replaces the preset's; "" keeps it.
        fields: own words by name of ``FIELDS``; "" keeps the preset's list. May hold wildcards.
        lists: more named lists, see ``parse_lists``.
    """

    preset: str
    template: str = ""
    fields: Mapping[str, str] | None = None
    lists: str = ""


@dataclass(frozen=True)
class Prompt:
    """One prompt.

    Attributes:
        text: for the text encoder.
        negative: negative prompt of the preset.
        seed: that it was drawn with.
        color: of the object, "" if the text names none.
        unknown: words that the model of the preset was not trained with.
    """

    text: str
    negative: str
    seed: int
    color: str
    unknown: tuple[str, ...]


def compose(wording: Wording, seed: int, count: int = 1) -> list[Prompt]:
    """``count`` prompts; the one at place i is the first one of ``seed + i``.

    Raises:
        ValueError: an unknown preset or field, or what ``expand`` and ``parse_lists`` raise.
    """
    if wording.preset not in PRESETS:
        raise ValueError(f'Expected a preset of {", ".join(PRESETS)}, found "{wording.preset}".')
    preset = PRESETS[wording.preset]
    own = {name: text.strip() for name, text in (wording.fields or {}).items() if text.strip()}
    if set(own) - set(FIELDS):
        raise ValueError(f"Expected fields of {', '.join(FIELDS)}, found {', '.join(sorted(set(own) - set(FIELDS)))}.")
    lists = {**preset.lists, **parse_lists(wording.lists), **{name: (text,) for name, text in own.items()}}
    template = wording.template.strip() or preset.template
    return [_prompt(template, lists, preset, seed + i) for i in range(count)]


def _prompt(template: str, lists: Mapping[str, tuple[str, ...]], preset: Preset, seed: int) -> Prompt:
    draws = Draws(lists, seed)
    text = tidy(expand(template, draws), articles=not preset.closed)
    unknown = sorted(set(WORD.findall(text.lower())) - _vocabulary(preset)) if preset.closed else ()
    return Prompt(text, preset.negative, seed, draws.drawn.get("color", ""), tuple(unknown))


def tidy(text: str, articles: bool = True) -> str:
    """One line without the gaps that empty wildcards leave; ``articles`` also makes "a orange" of it "an orange"."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?:\s*,)+", ",", text)
    text = re.sub(r"\s*,?\s*([.;])", r"\1", text).strip(" ,")
    return re.sub(r"\b([Aa]) (?=[aeioAEIO])", r"\1n ", text) if articles else text


def object_words(name: str) -> str:
    """A mesh name as words: "025_mug" is a mug."""
    return re.sub(r"\s+", " ", re.sub(r"\.\w{2,4}$", "", name).replace("_", " ").replace("-", " ").strip(" 0123456789"))


def _vocabulary(preset: Preset) -> set[str]:
    texts = [re.sub(r"__\w+?__", " ", preset.template), *(choice for choices in preset.lists.values() for choice in choices)]
    return {word for text in texts for word in WORD.findall(text.lower())}


def summary(prompts: list[Prompt]) -> str:
    """The prompts for people, a line each, and what the model does not know."""
    lines = [prompt.text for prompt in prompts]
    unknown = sorted({word for prompt in prompts for word in prompt.unknown})
    if unknown:
        lines.append(f"The small models were not trained with: {', '.join(unknown)}.")
    return "\n".join(lines)
