"""Write the shipped workflows from their descriptions in ``workflow_graphs``, against the nodes of a running host.

    python3 tools/pam.py setup && <host python> tools/build_workflows.py [name ...]
Run it after a node's inputs change. The thumbnails are screenshots and stay as they are.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hostkit.client import Client
from hostkit.host import ROOT, find_host
from hostkit.server import Server
from workflow_graphs import WORKFLOWS


def main() -> None:
    with tempfile.TemporaryDirectory() as base, Server(find_host(), Path(base)) as server:
        info = Client(server.url).object_info()
    for name in sys.argv[1:] or WORKFLOWS:
        path = ROOT / "workflows" / f"{name}.json"
        path.write_text(json.dumps(WORKFLOWS[name](info).workflow(), indent=1) + "\n", encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
