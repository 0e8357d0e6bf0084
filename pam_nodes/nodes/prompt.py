"""Node: prompts with seeded variety."""

from comfy_api.latest import io

from . import sockets

# The order of pam_nodes.prompting.presets.PRESETS; written out so that the host's start imports nothing.
PRESETS = ["photo", "photo clip", "caption", "PAM appearance", "PAM motion", "PAM motion, two hands", "mini appearance", "mini motion"]


def _words(name: str, what: str, **options) -> io.Input:
    tip = f"{what} Empty: drawn from the preset's own list. Wildcards: {{a|b}}, {{3::a|b}}, {{2$$a|b|c}}, __list__."
    return io.String.Input(name, default="", tooltip=tip, **options)


class PAMHOIPrompt(io.ComfyNode):
    """Composes prompts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PAMHOIPrompt",
            display_name="HOI Prompt (PAM)",
            category=sockets.APPEARANCE,
            description="Words a prompt of hand, action, object, scene, light and camera. What is left empty is drawn by seed, so that "
            "every seed has another background and light; several prompts at once run the graph once for each.",
            search_aliases=["wildcards", "dynamic prompts", "random prompt", "text", "variety", "background", "prompt builder"],
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=PRESETS,
                    tooltip="photo, caption: for Flux. photo clip: for a video model. PAM: the released prompts, word for word. mini: the "
                    "small vocabulary of the included models.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**53,
                    control_after_generate=True,
                    tooltip="Draws the words. With the same seed, presets of picture and clip agree in skin, colour, scene and light.",
                ),
                io.Int.Input("count", default=1, min=1, max=256, tooltip="How many prompts: of this seed and those that follow it."),
                _words("skin", "Skin of the hand, such as: tan skin, in a blue glove."),
                _words("action", "What the hand does, such as: reaching for."),
                _words("color", "Colour of the object."),
                _words("object", "Name of the object."),
                _words("scene", "Where it is, such as: on a wooden table."),
                _words("light", "Light, such as: soft daylight."),
                _words("camera", "Lens and look of the picture."),
                io.String.Input(
                    "template",
                    default="",
                    multiline=True,
                    advanced=True,
                    tooltip="A sentence of your own. __skin__, __action__, __color__, __object__, __scene__, __light__, __camera__ stand "
                    "for the words above. Empty: the preset's.",
                ),
                io.String.Input(
                    "lists",
                    default="",
                    multiline=True,
                    advanced=True,
                    tooltip="Lists of your own, a line each, such as: metal: steel | copper | brass. Use them as __metal__.",
                ),
                sockets.HoiObject.Input("hoi_object", optional=True, tooltip="Takes the object's name from its mesh when object is empty."),
            ],
            outputs=[
                io.String.Output("prompt", is_output_list=True, tooltip="For CLIP Text Encode; what follows runs once for each prompt."),
                io.String.Output("negative", tooltip="The preset's negative prompt; PAM's for clips."),
                io.Int.Output("seeds", is_output_list=True, tooltip="Seed of each prompt, for KSampler."),
                io.String.Output("colors", is_output_list=True, tooltip="Colour of the object in each prompt, for Score HOI Frames."),
            ],
        )

    @classmethod
    def execute(cls, preset, seed, count, template, lists, hoi_object=None, **fields) -> io.NodeOutput:
        from ..prompting.compose import Wording, compose, object_words, summary

        if hoi_object is not None and not fields["object"].strip():
            fields["object"] = object_words(hoi_object.name)
        prompts = compose(Wording(preset, template, fields, lists), seed, count)
        texts, seeds, colors = ([getattr(prompt, name) for prompt in prompts] for name in ("text", "seed", "color"))
        return io.NodeOutput(texts, prompts[0].negative, seeds, colors, ui={"text": [summary(prompts)]})


NODES: list[type] = [PAMHOIPrompt]
