"""PAM: pose, appearance and motion stages of hand-object video, host-free below ``nodes`` and ``host``."""

__version__ = "0.1.0"
