"""The numbers PAM's paper reports, to print beside one's own (pam_reference 5): other data, other sizes, other estimators."""

from __future__ import annotations

PAPER = {
    "DexYCB": {
        "CosHand": {"fvd": 58.51, "motion_fidelity": 0.591, "lpips": 0.139, "ssim": 0.767, "psnr": 23.20, "mpjpe_mm": 30.05},
        "InterDyn": {"fvd": 38.83, "motion_fidelity": 0.680, "lpips": 0.119, "ssim": 0.848, "psnr": 24.86},
        "ManiVideo": {"lpips": 0.079, "ssim": 0.913, "psnr": 30.10, "mpjpe_mm": 57.30},
        "PAM seg": {"fvd": 33.23, "motion_fidelity": 0.695, "mpjpe_mm": 21.14},
        "PAM depth": {"fvd": 30.00, "motion_fidelity": 0.703, "mpjpe_mm": 23.16},
        "PAM hand": {"fvd": 33.41, "motion_fidelity": 0.713, "mpjpe_mm": 20.70},
        "PAM depth+seg": {"fvd": 29.32, "motion_fidelity": 0.712, "mpjpe_mm": 22.51},
        "PAM all": {"fvd": 29.13, "motion_fidelity": 0.712, "lpips": 0.069, "ssim": 0.914, "psnr": 30.17, "mpjpe_mm": 19.37},
    },
    "OAKINK2": {
        "CosHand": {"fvd": 68.76, "motion_fidelity": 0.651, "lpips": 0.156, "ssim": 0.765, "psnr": 23.84, "mpjpe_mm": 14.49},
        "PAM seg": {"fvd": 48.97, "motion_fidelity": 0.708, "lpips": 0.084, "ssim": 0.831, "psnr": 25.76, "mpjpe_mm": 9.61},
        "PAM depth": {"fvd": 50.85, "motion_fidelity": 0.702, "lpips": 0.086, "ssim": 0.845, "psnr": 26.98, "mpjpe_mm": 10.07},
        "PAM hand": {"fvd": 52.41, "motion_fidelity": 0.671, "lpips": 0.113, "ssim": 0.838, "psnr": 25.66, "mpjpe_mm": 8.01},
        "PAM all": {"fvd": 46.31, "motion_fidelity": 0.777, "lpips": 0.081, "ssim": 0.851, "psnr": 28.36, "mpjpe_mm": 7.01},
    },
}
HEADINGS = {
    "fvd": "FVD",
    "latent_frechet": "latent Fréchet (not FVD)",
    "motion_fidelity": "MF",
    "lpips": "LPIPS",
    "ssim": "SSIM",
    "psnr": "PSNR dB",
    "mpjpe_mm": "MPJPE mm",
    "mpjpe_px": "MPJPE px",
    "pa_mpjpe_px": "PA-MPJPE px",
    "pa_mpjpe_mm": "PA-MPJPE mm",
    "foreground_psnr": "PSNR dB of hand and object",
    "motion_fidelity_exact": "MF, exact tracks",
}
DIGITS = {"latent_frechet": 4, **dict.fromkeys(("fvd", "psnr", "foreground_psnr"), 2)}
DIGITS |= dict.fromkeys(("mpjpe_mm", "pa_mpjpe_mm", "mpjpe_px", "pa_mpjpe_px"), 2)
OFF_SCALE = (
    "MF follows points by Lucas-Kanade, in both clips or against exact tracks; MPJPE px is of MediaPipe's landmarks against the labels' "
    "joints in the picture; MPJPE mm has the wrists on each other. The paper's numbers come from other estimators: they are there for "
    "orientation, compare rows of your own with each other."
)


def table(own: dict[str, dict[str, float | None]], data: str = "DexYCB") -> str:
    """A Markdown table of one's own rows above the paper's of a data set; "-" where there is no number."""
    rows = {**own, **{f"{name} (paper, {data})": values for name, values in PAPER[data].items()}}
    lines = ["| | " + " | ".join(HEADINGS.values()) + " |", "| --- " * (1 + len(HEADINGS)) + "|"]
    for name, values in rows.items():
        lines.append(f"| {name} | " + " | ".join(_cell(values, key) for key in HEADINGS) + " |")
    return "\n".join(lines) + "\n"


def narrow_table(own: dict[str, float | None], data: str = "DexYCB") -> str:
    """A Markdown table of one's own measures, a line each, with those of PAM's full model beside; "-" where there is no number."""
    lines = [f"| | this clip | PAM all (paper, {data}) |", "| --- | --- | --- |"]
    lines += [f"| {title} | {_cell(own, key)} | {_cell(PAPER[data]['PAM all'], key)} |" for key, title in HEADINGS.items() if key in own]
    return "\n".join(lines) + "\n"


def _cell(values: dict[str, float | None], key: str) -> str:
    return "-" if values.get(key) is None else f"{values[key]:.{DIGITS.get(key, 3)}f}"
