"""The appearance stage by itself: PAM's sampler on FLUX.1-dev, many seeds to choose from, LoRA and masked guidance."""

from hostkit.graph import Graph, Node

from .pam import PROMPT
from .stages import condition_stage, flux_loaders, pose_stage, small_picture

RELEASED_NOTE = """## As PAM made its pictures
640 x 480, 28 steps, guidance 4, T5 of 512 tokens, seeds from 42. *PAM Reference Sampling* gives noise, noise levels and guidance; \
set its *shift* to *true* for larger pictures. Needs FLUX.1-dev, its text encoders and VAE, and PAM's `controlnet.bin`: the README names \
the folders.

Once loaded, *Save HOI ControlNet Flux* writes the checkpoint as one clean bf16 file: unmute it (Ctrl-M) and run. \
*Load Flux*, muted as well, takes FLUX.1-dev as the folder it is published in."""
SEEDS_NOTE = """## Many seeds, one choice
Eight pictures of the same pose. Run, look, set *index* of *Pick Frame* to the one you like and run again: only that node and what \
follows work then. Background, skin and colours are words of the prompt; light and detail change with the seed.

For other frames write `0, 8, 16` into *frames* of *Apply HOI ControlNet* (advanced) and set *batch_size* to their number."""
LORA_NOTE = """## LoRA, fp8, and a free background
The LoRA acts on FLUX.1-dev as in any workflow; the ControlNet leaves the model untouched. Hand and object, grown by 32 pixels, are the \
*mask*: there the conditions guide, elsewhere the LoRA is free. *weight_dtype* fp8 halves the memory of Flux."""
MUTED = 2
PAM_PROMPT = "A hand is trying to grasp something"
LORA_PROMPT = "a hand reaching for a red mug on a wooden kitchen table, morning light through a window, photograph"


def flux_dev(info: dict) -> Graph:
    """PAM's released settings on the full weights."""
    g = Graph(info)
    conditions = _conditions(g, 640, 480)
    flux, clip, vae, control = flux_loaders(g)
    long = g.add("T5TokenizerOptions", (2020, 560), (300, 90), "T5 of 512 tokens", clip=clip[0], min_padding=0, min_length=512)
    prompt = g.add("CLIPTextEncode", (2020, 690), (300, 110), "Prompt", clip=long[0], text=PAM_PROMPT)
    nothing = g.add("ConditioningZeroOut", (2020, 840), (300, 40), conditioning=prompt[0])
    guided = g.add(
        "PAMApplyHOIControlNet", (2360, 0), (300, 430),
        positive=prompt[0], negative=nothing[0], control_net=control[0], conditions=conditions[0],
    )  # fmt: skip
    empty = g.add("EmptySD3LatentImage", (2360, 480), (300, 110), width=640, height=480)
    reference = g.add(
        "PAMReferenceSampling", (2360, 640), (300, 280), model=flux[0], positive=guided[0], latent_image=empty[0], seed=42,
    )  # fmt: skip
    sampled = g.add(
        "SamplerCustomAdvanced", (2700, 0), (300, 130),
        noise=reference["NOISE"], guider=reference["GUIDER"], sampler=reference["SAMPLER"], sigmas=reference["SIGMAS"],
        latent_image=empty[0],
    )  # fmt: skip
    picture = g.add("VAEDecode", (2700, 180), (300, 60), samples=sampled[0], vae=vae[0])
    g.add("SaveImage", (2700, 290), (300, 300), "First frame", images=picture[0], filename_prefix="PAM/first_frame")
    folder = g.add("PAMLoadFlux", (2700, 850), (300, 110), "Instead: a folder of shards")
    folder.data["mode"] = MUTED
    saved = g.add("PAMSaveHOIControlNetFlux", (2700, 640), (300, 160), control_net=control[0], dtype="bf16")
    saved.data["mode"] = MUTED
    g.note(RELEASED_NOTE, (3040, 0), (320, 380))
    g.group("3 Appearance", (2000, -80), (1380, 1080), "appearance")
    return g


def seeds_and_pick(info: dict) -> Graph:
    """Eight seeds on the shipped small models, one of them chosen."""
    g = Graph(info)
    conditions = _conditions(g, 288, 192)
    pictures = small_picture(g, conditions, PROMPT, batch_size=8)
    chosen = g.add("PAMPickFrame", (2700, 0), (460, 560), images=pictures[0], pick="by eye")
    g.add("SaveImage", (2700, 610), (460, 300), "First frame", images=chosen["image"], filename_prefix="PAM/first_frame")
    g.note(SEEDS_NOTE, (2360, 920), (300, 270))
    g.group("3 Appearance", (2000, -80), (1180, 1290), "appearance")
    return g


def with_lora(info: dict) -> Graph:
    """FLUX.1-dev in fp8 with a LoRA, guided only around hand and object."""
    g = Graph(info)
    conditions = _conditions(g, 720, 480)
    flux, clip, vae, control = flux_loaders(g, weight_dtype="fp8_e4m3fn")
    styled = g.add("LoraLoaderModelOnly", (2020, 560), (300, 90), model=flux[0], lora_name="flux_lora.safetensors", strength_model=0.8)
    prompt = g.add("CLIPTextEncode", (2020, 690), (300, 110), "Prompt", clip=clip[0], text=LORA_PROMPT)
    guidance = g.add("FluxGuidance", (2020, 840), (300, 60), conditioning=prompt[0], guidance=4.0)
    nothing = g.add("ConditioningZeroOut", (2020, 940), (300, 40), conditioning=prompt[0])
    both = g.add(
        "MaskComposite", (2700, 0), (300, 120), "Hand and object",
        destination=conditions["hand_mask"], source=conditions["object_mask"], operation="or",
    )  # fmt: skip
    grown = g.add("GrowMask", (2700, 170), (300, 90), mask=both[0], expand=32)
    guided = g.add(
        "PAMApplyHOIControlNet", (2360, 0), (300, 430),
        positive=guidance[0], negative=nothing[0], control_net=control[0], conditions=conditions[0], mask=grown[0],
    )  # fmt: skip
    empty = g.add("EmptySD3LatentImage", (2360, 480), (300, 110), width=720, height=480)
    sampled = g.add(
        "KSampler", (2360, 640), (300, 280),
        model=styled[0], positive=guided[0], negative=guided[1], latent_image=empty[0], seed=42, steps=28, cfg=1.0,
        sampler_name="euler", scheduler="simple",
    )  # fmt: skip
    picture = g.add("VAEDecode", (2700, 350), (300, 60), samples=sampled[0], vae=vae[0])
    g.add("SaveImage", (2700, 460), (300, 300), "First frame", images=picture[0], filename_prefix="PAM/first_frame")
    g.note(LORA_NOTE, (2700, 800), (300, 180))
    g.group("3 Appearance", (2000, -80), (1020, 1100), "appearance")
    return g


def _conditions(g: Graph, width: int, height: int) -> Node:
    """Pose and condition stage with the shared example."""
    motion = pose_stage(g, 17, 8.0, 0.12)
    return condition_stage(g, motion, width, height)[1]
