"""``python -m pam_nodes COMMAND``: the stages without ComfyUI."""

import signal
import sys

from .cli.app import main

signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cluster's way to say Ctrl-C
sys.exit(main())
