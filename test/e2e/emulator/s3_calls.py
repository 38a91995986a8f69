"""Writes down every request to S3, a line each: who made it, its method and its path (`s3-calls.log`).

What a volume costs rests on how many requests it makes; a test holds the documents to these lines.
"""

from __future__ import annotations

import json
import os
import re
import threading
from typing import Any
from urllib.parse import unquote, urlparse

from moto.s3.responses import S3Response
from settings import Settings

_lock = threading.Lock()


def install(settings: Settings) -> None:
    for name in ("key_response", "bucket_response"):
        _note(settings, name)


def _note(settings: Settings, name: str) -> None:
    original = getattr(S3Response, name)
    file = os.path.join(settings.work, "s3-calls.log")

    def noted(self: Any, request: Any, full_url: str, headers: Any) -> Any:
        found = re.search(r"Credential=([^/]+)/", request.headers.get("Authorization", ""))
        line = {
            "by": found.group(1) if found else None,
            "on": "bucket" if name == "bucket_response" else "key",
            "method": request.method,
            "path": unquote(urlparse(full_url).path),
        }
        with _lock, open(file, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        return original(self, request, full_url, headers)

    setattr(S3Response, name, noted)
