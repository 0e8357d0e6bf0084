"""Write the hand files that the tests read, as MANO's authors wrote theirs: Python 2.7 with chumpy 0.70, scipy 1.2.3 and numpy 1.16.6.

From this folder: python2.7 make.py && xz -9 *.pkl. The numbers are made up (eighths, so that they are exact); names, types and sizes
are MANO's.
"""

import numpy as np


def numbers(*shape):
    """Made-up eighths within -1..1 that differ from place to place."""
    places = np.arange(np.prod(shape)).reshape(shape)
    return (places * 7 % 17 - 8) / 8.0


def content():
    """The arrays of a hand file, plain. ``shapedirs`` has the 20 directions of which files show the first ten."""
    weights, regressor = np.zeros((778, 16)), np.zeros((16, 778))
    weights[np.arange(778), np.arange(778) % 16] = 1
    regressor[np.arange(16), np.arange(16) * 40] = 1
    template = numbers(778, 3)
    template[[0, 160]] = [[0.5, 0, 0], [-0.5, 0, 0]]  # wrist and middle finger: a right hand
    parents = [4294967295, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    return {
        "v_template": template,
        "f": (np.arange(1538 * 3).reshape(-1, 3) % 778).astype(np.uint32),
        "weights": weights,
        "J_regressor": regressor,
        "shapedirs": numbers(778, 3, 20),
        "posedirs": numbers(778, 3, 135),
        "hands_components": numbers(45, 45),
        "hands_mean": numbers(45),
        "hands_coeffs": numbers(1554, 45),
        "kintree_table": np.array([parents, range(16)], dtype=np.int64),
        "J": regressor.dot(template),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def main():
    """Write mano_<protocol>.pkl."""
    import io
    import pickle

    import chumpy
    import scipy.sparse

    arrays = content()
    arrays["shapedirs"] = chumpy.Ch(arrays["shapedirs"])[:, :, :10]
    arrays["J_regressor"] = scipy.sparse.csc_matrix(arrays["J_regressor"])
    for protocol in (0, 1, 2):
        with io.open("mano_%d.pkl" % protocol, "wb") as file:  # noqa: UP020, UP031
            pickle.dump(arrays, file, protocol)


if __name__ == "__main__":
    main()
