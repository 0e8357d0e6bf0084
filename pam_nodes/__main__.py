"""``python -m pam_nodes COMMAND``: the stages without ComfyUI."""

import sys

from .cli.app import main

sys.exit(main())
