"""What a folder of results was made with, so that a second run goes on instead of starting again."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from .. import __version__
from .files import save_json

log = logging.getLogger(__name__)
NAME = "manifest.json"
LONG = 40
"""Letters of a setting that are shown of it."""


class Manifest:
    """The record of one folder: ``settings`` decide what its files look like, ``made`` lists the finished ones.

    Files are written in one step each, so a file that is there is whole; with equal settings it need not be made again.
    """

    def __init__(self, folder: Path, command: str, settings: dict):
        settings = json.loads(json.dumps(settings))
        self.path = folder / NAME
        self.content = {
            "command": command,
            "version": __version__,
            "settings": settings,
            "settings_hash": settings_hash(settings),
            "made": {},
        }

    def path_of(self, name: str) -> Path:
        """Where a result lies."""
        return self.path.parent / name

    def finished(self, name: str, **facts) -> bool:
        """Whether a result is there and was recorded with these facts."""
        recorded = self.content["made"].get(name)
        return recorded is not None and self.path_of(name).exists() and facts.items() <= recorded.items()

    def record(self, name: str, **facts) -> None:
        """Note a finished result, at once on disk, beside those that another process with the same settings has noted meanwhile."""
        meanwhile = read_record(self.path.parent) if self.path.is_file() else {}
        self.content["made"] = {**meanwhile, name: facts}
        save_json(self.path, self.content)
        log.info("wrote %s", self.path_of(name))

    @property
    def provenance(self) -> dict:
        """What goes into the metadata of each result."""
        return {key: self.content[key] for key in ("command", "version", "settings", "settings_hash")}


def settings_hash(settings: dict) -> str:
    """sha256 of settings, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def open_manifest(folder: Path, command: str, settings: dict, overwrite: bool = False) -> Manifest:
    """Begin or go on with a folder of results.

    Args:
        folder: made if needed.
        command: what makes them.
        settings: everything that decides what a result looks like, as plain JSON values.
        overwrite: forget what an earlier run with other settings made; its results are removed.

    Raises:
        ValueError: the folder holds results of other settings.
    """
    manifest = Manifest(folder, command, settings)
    if not manifest.path.is_file():
        return manifest
    try:
        earlier = json.loads(manifest.path.read_text(encoding="utf-8"))
        made, old = dict(earlier["made"]), dict(earlier["settings"])
        same = earlier["command"] == command and earlier["settings_hash"] == manifest.content["settings_hash"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Expected the record of an earlier run in {manifest.path}, could not read it ({error}): delete it.") from error
    if same and not overwrite:
        manifest.content["made"] = made
        return manifest
    if not overwrite:
        other = changes(old, manifest.content["settings"])
        raise ValueError(
            f"Expected a new folder or one made with the same settings, found {folder} with another {', '.join(other) or 'command'}: "
            "choose another --out, or add --overwrite."
        )
    for name in made:
        target = (folder / name).resolve()
        if target.is_relative_to(folder.resolve()):
            target.unlink(missing_ok=True)
    save_json(manifest.path, manifest.content)
    return manifest


def changes(old: dict, new: dict, where: str = "") -> list[str]:
    """What differs between settings, as "masking.conditions.depth (0.3, now 0.4)"; a setting that one of them lacks is None."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            found += changes(before, now, f"{where}{key}.")
        elif before != now:
            shown = (json.dumps(value) for value in (before, now))
            found.append(f"{where}{key} ({', now '.join(text if len(text) <= LONG else f'{text[:LONG]} ...' for text in shown)})")
    return found


def read_record(folder: Path) -> dict[str, dict]:
    """What was recorded of each result in a folder, by its name."""
    return json.loads((folder / NAME).read_text(encoding="utf-8"))["made"]
