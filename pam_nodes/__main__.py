"""``python -m pam_nodes COMMAND``: the stages without ComfyUI."""

import signal
import sys

from .cli.app import main, stop

for number in (signal.SIGINT, signal.SIGTERM):  # the second is a cluster's way to say Ctrl-C
    signal.signal(number, stop)
sys.exit(main())
