"""Names of YCB objects."""

import pytest

from pam_nodes.geometry.ycb import YCB_NAMES, ycb_label


def test_ids_of_the_specification():
    """pam_reference 1.3."""
    named = {"002_master_chef_can": 1, "mug": 14, "Cracker Box": 2, "power drill": 15, " 61 foam brick": 21, "banana": 10, "14": 14}
    assert {name: ycb_label(name.replace("61 ", "061_")) for name in named} == named
    assert ycb_label("large clamp") == 19 and ycb_label("extra large clamp") == 20 and ycb_label("pitcher") == 11


def test_every_name_finds_itself():
    for label, name in enumerate(YCB_NAMES, start=1):
        assert ycb_label(name) == ycb_label(name[4:].replace("_", " ")) == label


@pytest.mark.parametrize(("name", "message"), [("hammer", "mug, power_drill"), ("can", "tomato_soup_can"), ("22", "found"), ("", "found")])
def test_unknown_and_unclear_names_list_the_choices(name, message):
    with pytest.raises(ValueError, match=message):
        ycb_label(name)
