"""GraspXL's policy: the file, and every way in which a file can be wrong or hostile."""

import os
import pickle

import numpy as np
import pytest
import torch

from pam_nodes.grasp.policy import load_policy

from .policies import checkpoint, reference, tensors


def test_network_equals_torch(tmp_path):
    policy = load_policy(checkpoint(tmp_path))
    observation = np.random.default_rng(0).normal(size=304) * 3
    assert np.abs(policy.act(observation) - reference(tensors(), observation)).max() < 1e-5


def test_same_tensors_in_other_files(tmp_path):
    from safetensors.torch import save_file

    weights = tensors()
    save_file(weights, tmp_path / "policy.safetensors")
    np.savez(tmp_path / "policy.npz", **{name: value.numpy() for name, value in weights.items()})
    first = load_policy(checkpoint(tmp_path))
    for name in ("policy.safetensors", "policy.npz"):
        other = load_policy(tmp_path / name)
        assert all(np.array_equal(a, b) for a, b in zip(first.weights, other.weights, strict=True))


def test_released_policy(shared_dir):
    policy = load_policy(shared_dir / "data/graspxl/policy/full_5600_r.pt")
    assert [weight.shape for weight in policy.weights] == [(128, 304), (128, 128), (51, 128)]
    assert sum(part.size for part in (*policy.weights, *policy.biases)) == 62131


def wrong(name: str) -> dict:
    weights = tensors()
    if name == "missing":
        del weights["architecture.4.bias"]
    elif name == "allegro":
        weights["architecture.0.weight"] = torch.zeros(128, 210)
    elif name == "shadow":
        weights["architecture.0.weight"] = torch.zeros(128, 258)
    elif name == "shape":
        weights["architecture.2.weight"] = torch.zeros(64, 128)
    elif name == "nan":
        weights["architecture.2.bias"] = torch.full((128,), torch.nan)
    return weights


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "'architecture.4.bias' is missing"),
        ("allegro", "it is the Allegro hand's policy, expected the MANO hand's"),
        ("shadow", "it is the Shadow hand's policy"),
        ("shape", r"expected 'architecture.2.weight' of shape \(128, 128\), found \(64, 128\)"),
        ("nan", "'architecture.2.bias' holds NaN"),
    ],
)
def test_wrong_content_is_named(tmp_path, name, sentence):
    with pytest.raises(ValueError, match=rf"Cannot load the grasp policy 'full_5600_r.pt': {sentence}"):
        load_policy(checkpoint(tmp_path, wrong(name)))


def test_damaged_files(tmp_path):
    whole = checkpoint(tmp_path).read_bytes()
    for count in (0, 10, 1000, len(whole) // 2, len(whole) - 10):
        (tmp_path / "cut.pt").write_bytes(whole[:count])
        with pytest.raises(ValueError, match="damaged"):
            load_policy(tmp_path / "cut.pt")
    for name in ("text.safetensors", "text.npz"):
        (tmp_path / name).write_text("not a policy")
        with pytest.raises(ValueError, match="truncated"):
            load_policy(tmp_path / name)
    with pytest.raises(ValueError, match=r"expected a .pt, .safetensors or .npz file, found '.txt'"):
        (tmp_path / "policy.txt").write_text("x")
        load_policy(tmp_path / "policy.txt")


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def payloads(mark: str) -> dict[str, object]:
    import builtins
    import importlib
    import shutil
    import subprocess

    touch = f"open({mark!r}, 'w').close()"
    return {
        "os.system": Call(os.system, f"touch {mark}"),
        "os.popen": Call(os.popen, f"touch {mark}"),
        "posix spawn": Call(os.posix_spawn, "/usr/bin/touch", ["touch", mark], {}),
        "subprocess": Call(subprocess.check_output, ["touch", mark]),
        "Popen": Call(subprocess.Popen, ["touch", mark]),
        "eval": Call(builtins.eval, touch),
        "exec": Call(builtins.exec, touch),
        "open": Call(builtins.open, mark, "w"),
        "import": Call(importlib.import_module, "antigravity"),
        "copy": Call(shutil.copy, __file__, mark),
        "getattr": Call(getattr, mark, "upper"),
        "torch.load": Call(torch.load, mark),
    }


@pytest.mark.parametrize("kind", sorted(payloads("x")))
@pytest.mark.parametrize("nested", [False, True])
def test_payloads_never_run(tmp_path, kind, nested):
    mark = tmp_path / "ran"
    payload = payloads(str(mark))[kind]
    path = tmp_path / "full_5600_r.pt"
    if nested:
        torch.save({"actor_architecture_state_dict": {"architecture.0.weight": payload}}, path)
    else:
        path.write_bytes(pickle.dumps(payload, 2))
    with pytest.raises(ValueError, match="Cannot load the grasp policy"):
        load_policy(path)
    assert not mark.exists()
