"""The patch autoencoders: shapes, start from principal components, grouping of frames."""

import torch
from torch.nn.functional import pixel_unshuffle

from pam_nodes.mini.codec import PatchAutoencoder, PatchAutoencoder3D, PatchCodec


def test_image_shapes_are_those_of_flux():
    codec = PatchAutoencoder()
    latent = codec.encode(torch.zeros(2, 3, 32, 48))
    assert latent.shape == (2, 16, 4, 6) and codec.decode(latent).shape == (2, 3, 32, 48)


def test_video_shapes_are_those_of_cogvideox():
    codec = PatchAutoencoder3D()
    for frames, latents in ((1, 1), (5, 2), (17, 5)):
        latent = codec.encode(torch.zeros(1, 3, frames, 16, 16))
        assert latent.shape == (1, 16, latents, 2, 2) and codec.decode(latent).shape == (1, 3, frames, 16, 16)


def test_start_is_the_best_linear_map():
    """Patches that lie in 16 dimensions come back exactly, and latents have about unit mean square."""
    torch.manual_seed(0)
    codec = PatchCodec(width=16)
    patches = torch.randn(4000, 16) @ torch.randn(16, 192) * 0.1 + 0.2
    codec.start_from_patches(patches)
    pixels = torch.nn.functional.pixel_shuffle(patches[:6].T.reshape(1, 192, 2, 3), 8)
    latent = codec.encode(pixels)
    torch.testing.assert_close(pixel_unshuffle(codec.decode(latent), 8), pixel_unshuffle(pixels, 8), atol=1e-4, rtol=1e-4)
    codes = (patches - codec.mean.detach()) @ codec.analysis.detach().T
    assert 0.9 < float(codes.square().mean()) < 1.1


def random_codec():
    torch.manual_seed(0)
    codec = PatchAutoencoder3D(width=8, wide=8)
    for parameter in codec.parameters():
        parameter.data = torch.randn_like(parameter) * 0.1
    return codec


def test_groups_of_frames_do_not_mix():
    """Changing a frame of the second group changes only its latent frame."""
    codec = random_codec()
    clip = torch.randn(1, 3, 9, 16, 16)
    other = clip.clone()
    other[:, :, 6] += 1
    change = (codec.encode(other) - codec.encode(clip)).abs().amax(dim=(0, 1, 3, 4))
    assert change[0] == 0 and change[1] == 0 and change[2] > 0.01


def test_groups_are_decoded_in_sight_of_their_neighbours():
    """A change of the first frame's latents reaches every group, one of a group its neighbours alone."""
    codec = random_codec()
    latent = torch.randn(1, 16, 6, 2, 2)
    groups = []
    for place in (0, 2):
        other = latent.clone()
        other[:, :, place] += 1
        change = (codec.decode(other) - codec.decode(latent)).abs().amax(dim=(0, 1, 3, 4))
        groups.append([bool(change[0]), *(bool(part.any()) for part in change[1:].split(4))])
    assert groups == [[True] * 6, [False, True, True, True, False, False]]
