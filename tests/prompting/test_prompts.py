"""Wildcards and what prompts are made of."""

import json
from collections import Counter

import pytest

from pam_nodes.mini.files import APPEARANCE, MOTION
from pam_nodes.prompting.compose import Wording, compose, object_words, summary, tidy
from pam_nodes.prompting.presets import PRESETS
from pam_nodes.prompting.wildcards import Draws, expand, parse_lists


def draw(text, seed=0, **lists):
    return expand(text, Draws(lists, seed))


def test_choices_have_their_weights():
    found = Counter(draw("{3::a|b|0::c}", seed) for seed in range(2000))
    assert set(found) == {"a", "b"} and 0.7 < found["a"] / 2000 < 0.8


def test_several_choices_differ_and_are_joined():
    for seed in range(50):
        parts = draw("{2$$a|b|c}", seed).split(", ")
        assert len(parts) == 2 and len(set(parts)) == 2
    counts = {len(draw("{1-3$$ and $$a|b|c}", seed).split(" and ")) for seed in range(50)}
    assert counts == {1, 2, 3}


def test_nesting_and_named_lists():
    texts = {draw("{a {b|c}|__metal__}", seed, metal=("{old|new} brass",)) for seed in range(60)}
    assert texts == {"a b", "a c", "old brass", "new brass"}


def test_seed_decides_and_each_list_by_itself():
    lists = {"one": tuple("abcdefgh"), "two": tuple("stuvwxyz")}
    assert draw("__one__ __two__", 5, **lists) == draw("__one__ __two__", 5, **lists)
    assert len({draw("__one__", seed, **lists) for seed in range(40)}) == 8
    alone = draw("__two__", 5, **lists)
    assert draw("{x|y} __one__ and __two__", 5, **lists).endswith(alone)
    pairs = {draw("__one__ __one__", seed, **lists) for seed in range(40)}
    assert any(pair[0] != pair[2] for pair in pairs)


def test_known_draws_stay_as_they_are():
    """Seeds that people wrote down must give the same words with every version and on every machine."""
    assert [draw("{red|green|blue|white}", seed) for seed in range(6)] == ["white", "red", "white", "blue", "green", "white"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("{a|b", r'"\}" for every'),
        ("a}b{c}", r'"\}" for every'),
        ("{3$$a|b}", "at most the 2 choices"),
        ("{2-1$$a|b}", "at most the 2 choices"),
        ("__none__", 'list of the name "none"'),
        ("__loop__", "list names itself"),
        ("{" * 400 + "a" + "}" * 400, "at most 150 wildcards"),
    ],
)
def test_faults_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        draw(text, loop=("__loop__ __loop__",))


def test_lists_are_read():
    assert parse_lists("Metal: steel | {old|new} brass\n\nrim: a") == {"metal": ("steel", "{old|new} brass"), "rim": ("a",)}
    for wrong in ("steel | brass", "metal:", "my metal: a"):
        with pytest.raises(ValueError, match="Expected lines such as"):
            parse_lists(wrong)


def test_released_prompts_are_word_for_word():
    texts = {name: compose(Wording(name), 3)[0] for name in ("PAM appearance", "PAM motion", "PAM motion, two hands")}
    assert [prompt.text for prompt in texts.values()] == [
        "A hand is trying to grasp something",
        "A man is in a lab trying to grasp something.",
        "One or two hands are moving.",
    ]
    assert texts["PAM motion"].negative.startswith("The video is not of a high quality") and not texts["PAM appearance"].negative


def test_small_models_know_every_word_of_their_presets():
    """The tokenizers they were trained with have each word as one piece."""
    for name, files in (("mini appearance", APPEARANCE), ("mini motion", MOTION)):
        pieces = {piece for piece, _ in json.loads((files.tokenizer("t5") / "tokenizer.json").read_text())["model"]["vocab"]}
        for prompt in compose(Wording(name), 0, 60):
            assert {f"▁{word}" for word in prompt.text.replace(",", " ,").split()} <= pieces and prompt.unknown == ()


def test_unknown_words_are_named_for_the_small_models_only():
    fields = {"color": "teal", "object": "mug"}
    prompt = compose(Wording("mini appearance", fields=fields), 0)[0]
    assert prompt.unknown == ("teal",) and "not trained with: teal" in summary([prompt])
    assert compose(Wording("photo", fields=fields), 0)[0].unknown == ()


def test_fields_replace_lists_and_leave_the_rest():
    plain, own = (compose(Wording("photo", fields=fields), 11)[0].text for fields in ({}, {"scene": "on a {blue|red} mat", "object": " "}))
    start, end = own.split("on a ")[0], own.split(" mat")[1]
    assert plain.startswith(start) and plain.endswith(end) and "object" in own
    assert compose(Wording("photo", lists="scene: on the moon"), 0)[0].text.count("on the moon") == 1


def test_pictures_and_clips_of_a_seed_agree():
    for seed in range(20):
        picture, clip = compose(Wording("mini appearance"), seed)[0], compose(Wording("mini motion"), seed)[0]
        assert picture.text.split(" hand ")[0] == clip.text.split(" hand ")[0] and picture.color == clip.color
        assert picture.text.split(picture.color)[1] == clip.text.split(clip.color)[1] if picture.text.count(picture.color) == 1 else True


def test_prompts_of_a_batch_are_those_of_the_following_seeds():
    batch = compose(Wording("photo"), 40, 5)
    assert [p.text for p in batch] == [compose(Wording("photo"), seed)[0].text for seed in range(40, 45)]
    assert [p.seed for p in batch] == list(range(40, 45)) and len({p.text for p in batch}) == 5
    assert all(p.color and p.color in p.text for p in batch)


def test_templates_and_errors():
    prompt = compose(Wording("photo", "__object__, __metal__ ,, seen from above .", {"object": "a orange box"}, "metal: steel"), 0)[0]
    assert prompt.text == "an orange box, steel, seen from above." and prompt.color == ""
    with pytest.raises(ValueError, match="Expected a preset of"):
        compose(Wording("poem"), 0)
    with pytest.raises(ValueError, match="Expected fields of"):
        compose(Wording("photo", fields={"hat": "red"}), 0)


def test_texts_are_tidied():
    assert tidy("a orange mug , , on  a\ntable ,") == "an orange mug, on a table"
    assert tidy("a orange mug", articles=False) == "a orange mug"


def test_mesh_names_become_words():
    assert [object_words(n) for n in ("025_mug", "003_cracker_box", "my-mug.obj", "mug")] == ["mug", "cracker box", "my mug", "mug"]


def test_every_preset_composes():
    for name in PRESETS:
        for prompt in compose(Wording(name), 0, 30):
            assert prompt.text and not set("{}|_") & set(prompt.text) and ",," not in prompt.text
