"""What a container of ECS has and a plain process has not: a root that cannot be written, its image's variables."""

from __future__ import annotations

import os
import re
import shlex
import shutil


def image_environment(image: str) -> dict[str, str]:
    """The variables that the last stage of the image's Dockerfile sets."""
    with open(os.path.join(image, "Dockerfile"), encoding="utf-8") as stream:
        text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", stream.read(), flags=re.MULTILINE))
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("FROM "):
            found = {}
        if line.startswith("ENV "):
            found.update(pair.split("=", 1) for pair in shlex.split(line[4:]))
    return found


# The mounts of the namespace are its own; what is bound before the root becomes read-only can be written.
JAIL = """
set -e
mount --make-rprivate /
for folder in $SAMMIX_WRITABLE; do mount --bind "$folder" "$folder"; done
mount -o remount,ro,bind /
unset SAMMIX_WRITABLE
exec "$@"
"""


def command(words: list[str], writable: list[str]) -> tuple[list[str], dict[str, str]]:
    """The command in a container, with what it needs in its environment; as it is where that takes root."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return words, {}
    unshare = shutil.which("unshare") or "unshare"
    jail = [unshare, "--mount", "sh", "-c", JAIL, "container", *words]
    return jail, {"SAMMIX_WRITABLE": " ".join(writable)}
