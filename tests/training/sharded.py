"""The pack's commands in a process of a sharded run on CPUs: what accelerate does with GPUs only, it does here with gloo.

For FSDP accelerate is told that its processes have GPUs, for DeepSpeed that it was not asked for a CPU; both then find none and compute
on the CPU. ACCELERATE_USE_FSDP or ACCELERATE_USE_DEEPSPEED say which it is, as in ``accelerate launch``.
"""

import os
import sys

import accelerate
from accelerate.utils import DistributedType

from pam_nodes.cli.app import main


class NoCPUAsked(accelerate.Accelerator):
    """accelerate's, whose argument ``cpu`` would turn DeepSpeed off."""

    def __init__(self, *args, cpu: bool = False, **kwargs):
        super().__init__(*args, **kwargs)


def pretend() -> None:
    """Tell accelerate, see above."""
    if os.environ.get("ACCELERATE_USE_DEEPSPEED"):
        accelerate.Accelerator = NoCPUAsked
        accelerate.PartialState(backend="gloo")
    else:
        accelerate.PartialState(cpu=True)
        accelerate.PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


if __name__ == "__main__":
    pretend()
    sys.exit(main(sys.argv[1:]))
