"""What a container of ECS has and a plain process has not.

A root that cannot be written, its image's user and variables, and a network of its own (jail.py).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass

JAIL = os.path.join(os.path.dirname(__file__), "jail.py")


@dataclass(frozen=True)
class Image:
    """What the last stage of a Dockerfile says of a container."""

    environment: dict[str, str]
    user: int
    # Folders that it gives to its user: volumes mounted there are his.
    owned: frozenset[str]


def read_image(folder: str) -> Image:
    with open(os.path.join(folder, "Dockerfile"), encoding="utf-8") as stream:
        text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", stream.read(), flags=re.MULTILINE))
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    environment: dict[str, str] = {}
    for line in re.findall(r"^ENV (.*)$", stage, re.MULTILINE):
        environment.update(pair.split("=", 1) for pair in shlex.split(line))
    users = re.findall(r"^USER (\d+)", stage, re.MULTILINE)
    user = int(users[-1]) if users else 0
    # Of a user that the image does not know, Docker says that he lives at the root.
    environment.setdefault("HOME", "/")
    owned = frozenset(re.findall(rf"chown {user} (\S+)", stage))
    return Image(environment, user, owned)


def missing() -> str | None:
    """Why this machine cannot confine jobs as ECS does; None where it can."""
    if os.geteuid() != 0:
        return "jobs are not confined: that takes root"
    absent = [name for name in ("unshare", "setpriv", "ip", "mount") if shutil.which(name) is None]
    if absent:
        return f"jobs are not confined: there is no {', '.join(absent)}"
    network = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo"
    if subprocess.run(["unshare", "--mount", "--net", "sh", "-c", network], check=False).returncode:
        return "jobs are not confined: the kernel gives no namespaces of its network"
    return None


def exposed(folder: str, user: int) -> list[str]:
    """What the folder of an image stands for by links, and its programs, where its user cannot get there.

    A checkout or an interpreter may lie in the home of whoever runs this. An image has its own.
    """
    links = [os.path.join(folder, name) for name in os.listdir(folder)]
    found = [os.path.realpath(link) for link in links if os.path.islink(link)]
    node = os.path.realpath(shutil.which("node") or "/usr/bin/node")
    found.append(os.path.dirname(os.path.dirname(node)))
    for environment in list(found):
        try:
            with open(os.path.join(environment, "pyvenv.cfg"), encoding="utf-8") as stream:
                home = re.search(r"^home = (.*)$", stream.read(), re.MULTILINE)
        except OSError:
            continue
        if home:
            found.append(os.path.dirname(os.path.realpath(home.group(1))))
    as_user = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "test", "-r"]
    return [one for one in found if subprocess.run([*as_user, one], check=False).returncode]


def confined(
    words: list[str],
    folder: str,
    image: Image,
    writable: list[str],
    port: int,
    gate: str,
    record: int,
) -> list[str]:
    """The command in a container of the image that the folder stands for."""
    folders = [word for folder in writable for word in ("--writable", folder)]
    folders += [word for one in exposed(folder, image.user) for word in ("--exposed", one)]
    jail = [sys.executable, "-B", JAIL, "--user", str(image.user), "--port", str(port)]
    ways = ["--gate", gate, "--record", str(record)]
    return ["unshare", "--mount", "--net", *jail, *ways, *folders, "--", *words]
