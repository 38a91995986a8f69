"""A site's bucket, as the training job uses it: folders down, changed files up."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

STORAGE_ERRORS = (BotoCoreError, ClientError, Boto3Error)
MISSING_CODES = ("404", "NoSuchKey", "NoSuchVersion", "NotFound")


class BucketStore:
    """One bucket. Endpoint, region and credentials come from the environment, as boto3 reads it."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        retries = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10)
        self._client = boto3.client("s3", config=retries)

    def read(self, key: str) -> bytes | None:
        """An object's content; None when there is none."""
        try:
            return self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING_CODES:
                return None
            raise

    def write(self, key: str, content: bytes) -> None:
        """Puts a small object."""
        self._client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def upload(self, path: Path, key: str) -> None:
        """Puts a file, in parts where it is large."""
        self._client.upload_file(str(path), self.bucket, key)

    def upload_once(self, path: Path, key: str) -> None:
        """Puts a file where there is none yet; what is there stays as it is."""
        try:
            with path.open("rb") as body:
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise

    def download(self, key: str, path: Path) -> bool:
        """Streams an object to a file; False when there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._client.download_file(self.bucket, key, str(path))
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING_CODES:
                return False
            raise
        return True

    def download_version(self, key: str, version: str, path: Path) -> bool:
        """Streams one version of an object to a file; False when it is not there any more.

        One request, which needs `s3:GetObjectVersion` alone: `download_file` would ask for more.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            found = self._client.get_object(Bucket=self.bucket, Key=key, VersionId=version)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING_CODES:
                return False
            raise
        with path.open("wb") as file:
            for chunk in found["Body"].iter_chunks(1 << 20):
                file.write(chunk)
        return True

    def download_folder(self, prefix: str, folder: Path) -> int:
        """Streams everything below `prefix` into `folder`; returns the number of files."""
        count = 0
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                name = entry["Key"].removeprefix(prefix)
                path = folder / name
                # a key may hold "..": nothing is written outside the folder
                if not name or name.endswith("/") or ".." in Path(name).parts:
                    continue
                self.download(entry["Key"], path)
                count += 1
        return count


class FolderMirror:
    """Uploads files of a run folder whenever they have changed, in a thread of its own.

    The trainer replaces its files atomically or appends whole lines, so a copy is consistent.
    `names` are uploaded in order: the best checkpoint before the last one that refers to it.
    """

    def __init__(
        self, store: BucketStore, folder: Path, prefix: str, names: tuple[str, ...], every_s: float
    ) -> None:
        self.store, self.folder, self.prefix = store, folder, prefix
        self.names, self.every_s = names, every_s
        self._uploaded: dict[str, tuple[int, int]] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "FolderMirror":
        for name in self.names:
            self._uploaded[name] = self._version(name)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.upload_changed()

    def _run(self) -> None:
        while not self._done.wait(self.every_s):
            with suppress(*STORAGE_ERRORS):  # the next round tries again; the last must succeed
                self.upload_changed()

    def upload_changed(self) -> None:
        """Uploads what has changed since it was uploaded or downloaded last."""
        for name in self.names:
            version = self._version(name)
            if version != self._uploaded.get(name, (0, 0)):
                self.store.upload(self.folder / name, f"{self.prefix}{name}")
                self._uploaded[name] = version

    def _version(self, name: str) -> tuple[int, int]:
        path = self.folder / name
        if not path.exists():
            return (0, 0)
        stat = path.stat()
        return (stat.st_mtime_ns, stat.st_size)


def upload_bundle(
    store: BucketStore, folder: Path, prefix: str, log: Callable[[int], None]
) -> None:
    """Uploads a bundle's files, the manifest last: a bundle with a manifest is complete.

    A site's role lets them be written once, so that no training replaces a bundle that is in use.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    files.sort(key=lambda path: path.name == "bundle.json")
    for path in files:
        store.upload_once(path, f"{prefix}/{path.name}")
    log(len(files))
