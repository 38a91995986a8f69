"""The training job against an S3 endpoint: a whole run, an interrupted one, and refusals."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import torch
from moto.server import ThreadedMotoServer

from sammix_train.job import attempt as job
from sammix_train.job.request import RequestError, parse_request
from sammix_train.job.store import BucketStore, FolderMirror

from .conftest import tiny_bundle, tiny_model
from .drawn_data import write_data_folder
from .reference_sam import reference_sam
from .test_job_request import DATA_PREFIX, request

BUCKET, REGION = "sammix-test", "eu-central-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def keep_sigterm_handlers() -> Iterator[None]:
    kept = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def bucket(endpoint: str, data: Path) -> object:
    """A client of a bucket that holds the data folder."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    where = {"LocationConstraint": REGION}
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    for path in data.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, DATA_PREFIX + str(path.relative_to(data)))
    return client


@pytest.fixture
def s3(endpoint: str, bucket: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The bucket, with the job's environment set; nothing but the data stays in it."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "SAMMIX_SITE": "here",
        "SAMMIX_BUCKET": BUCKET,
        "CUDA_VISIBLE_DEVICES": "",
    }.items():
        monkeypatch.setenv(name, value)
    yield bucket
    for key in keys(bucket):
        if not key.startswith(DATA_PREFIX):
            bucket.delete_object(Bucket=BUCKET, Key=key)


def keys(client: object, prefix: str = "") -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def content(client: object, key: str) -> bytes:
    return client.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def submit(client: object, monkeypatch: pytest.MonkeyPatch, wanted: dict) -> None:
    key = f"training/requests/{wanted['id']}.json"
    client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(wanted).encode())
    monkeypatch.setenv("SAMMIX_TRAINING_REQUEST", key)


def events(capsys: pytest.CaptureFixture) -> list[str]:
    return [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]


def test_interrupted_run_goes_on_and_leaves_a_bundle(
    s3: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SAMMIX_SCRATCH", str(tmp_path))
    monkeypatch.setattr(job, "UPLOAD_EVERY_S", 0.2)
    # first attempt: a process of its own that has far too much to do, and is told to stop
    submit(s3, monkeypatch, request("liver-5", steps=100_000))
    code = (
        "from sammix_train.job import attempt; attempt.UPLOAD_EVERY_S = 0.2; "
        "raise SystemExit(attempt.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: "training/runs/liver-5/run.json" in keys(s3), process)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == job.INTERRUPTED, printed
    assert not keys(s3, "models/")
    assert list(tmp_path.iterdir()) == []
    path = tmp_path / "last.pt"
    path.write_bytes(content(s3, "training/runs/liver-5/last.pt"))
    done_steps = torch.load(path, weights_only=True)["step"]
    assert done_steps >= 1
    path.unlink()

    # second attempt: goes on where the first one stopped, with two more steps to do
    submit(s3, monkeypatch, request("liver-5", steps=done_steps + 2))
    assert job.main() == job.DONE
    result = json.loads(content(s3, "training/runs/liver-5/result.json"))
    assert result["steps"] == done_steps + 2
    prefix, digest = result["bundlePrefix"], result["bundleDigest"]
    assert prefix == f"models/sammix-tiny/{digest[:16]}"
    manifest = content(s3, f"{prefix}/bundle.json")
    assert hashlib.sha256(manifest).hexdigest() == digest
    for entry in json.loads(manifest)["files"]:
        stored = content(s3, f"{prefix}/{entry['path']}")
        assert hashlib.sha256(stored).hexdigest() == entry["sha256"], entry["path"]
    record = json.loads(content(s3, "training/runs/liver-5/run.json"))
    assert record["labelledSlices"] == 5
    assert content(s3, "training/runs/liver-5/curves.png").startswith(b"\x89PNG")
    assert b'"kind": "validation"' in content(s3, "training/runs/liver-5/log.jsonl")
    assert events(capsys) == ["downloaded", "training", "bundle", "done"]
    assert list(tmp_path.iterdir()) == []

    # third attempt: Batch may start a job twice
    assert job.main() == job.DONE
    assert events(capsys) == ["nothing-to-do"]


def wait_for(reached: Callable[[], bool], process: subprocess.Popen) -> None:
    for _ in range(1200):
        if reached():
            return
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.25)
    pytest.fail("the job did not begin to train")


def test_refusals_end_with_their_own_code(
    s3: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SAMMIX_TRAINING_REQUEST", "training/requests/none.json")
    assert job.main() == job.REFUSED
    submit(s3, monkeypatch, {**request("empty"), "dataPrefix": "training/data/empty/"})
    assert job.main() == job.REFUSED
    submit(s3, monkeypatch, request("greedy", labels="500"))
    assert job.main() == job.REFUSED
    assert "asked for 500 labelled slices of 58" in capsys.readouterr().out
    monkeypatch.delenv("SAMMIX_BUCKET")
    assert job.main() == job.REFUSED


def test_uploads_in_their_pinned_versions_fit_a_bundle(
    s3: object,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    """Six labelled uploads and a bundle; what was uploaded later changes nothing."""
    versioned = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=versioned)
    start = "models/start/0123456789abcdef"
    for path in tiny_bundle(tiny_model(), tmp_path / "start").iterdir():
        s3.upload_file(str(path), BUCKET, f"{start}/{path.name}")

    def pin(kind: str, name: str, path: Path) -> dict:
        key = f"incoming/north/{kind}/{name}"
        stored = s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"uploaded later")
        return {"key": key, "version": stored["VersionId"]}

    cases = []
    for case in ("s000", "s001", "s002", "s003", "scan0", "scan1"):
        image, label = (
            data / "imagesTr" / f"{case}_0000.nii.gz",
            data / "labelsTr" / f"{case}.nii.gz",
        )
        pinned = {
            "image": pin("images", f"{case}.nii.gz", image),
            "label": pin("labels", f"{case}.nii.gz", label),
        }
        cases.append({"caseId": case, "patientId": None, **pinned})
    uploads = {
        "schemaVersion": 1,
        "dataset": "north",
        "bundlePrefix": start,
        "bundleDigest": "0" * 64,
        "datasetJson": pin("tables", "dataset.json", data / "dataset.json"),
        "cases": cases,
    }
    prefix = "training/runs/own/"
    s3.put_object(Bucket=BUCKET, Key=f"{prefix}uploads.json", Body=json.dumps(uploads).encode())
    chosen = {"target": "liver", "labels": "5", "steps": 1}
    asked = {"schemaVersion": 1, "id": "own", "dataset": "north", "config": chosen}
    submit(s3, monkeypatch, asked)
    assert job.main() == job.DONE
    assert events(capsys) == ["downloaded", "training", "bundle", "done"]
    record = json.loads(content(s3, f"{prefix}run.json"))
    assert record["labelledSlices"] == 5
    result = json.loads(content(s3, f"{prefix}result.json"))
    manifest = json.loads(content(s3, f"{result['bundlePrefix']}/bundle.json"))
    assert (manifest["name"], manifest["target"]["name"]) == ("sammix-liver", "liver")

    # an upload that was removed since ends the training with its reason, and without its name
    cases[0]["label"]["version"] = "gone"
    key = "training/runs/gone/uploads.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(uploads).encode())
    submit(s3, monkeypatch, {**asked, "id": "gone"})
    assert job.main() == job.REFUSED
    printed = capsys.readouterr().out
    assert "found it removed" in printed
    assert "s000" not in printed

    # nothing is to be learnt without the record
    submit(s3, monkeypatch, {**asked, "id": "unpinned"})
    assert job.main() == job.REFUSED


def test_data_errors_do_not_name_files(
    s3: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Of this data set only two cases are there, and the label of one is no label."""
    for case in ("s000", "s001"):
        for name in (f"imagesTr/{case}_0000.nii.gz", f"labelsTr/{case}.nii.gz"):
            body = content(s3, DATA_PREFIX + name) if name != "labelsTr/s001.nii.gz" else b"text"
            s3.put_object(Bucket=BUCKET, Key=f"training/data/broken/{name}", Body=body)
    submit(s3, monkeypatch, {**request("broken"), "dataPrefix": "training/data/broken/"})
    assert job.main() == job.REFUSED
    printed = capsys.readouterr().out
    assert "cannot be read as a label" in printed
    assert "s001" not in printed


def test_a_run_starts_from_the_requested_checkpoint(s3: object, tmp_path: Path) -> None:
    sam = reference_sam(256)
    torch.save(sam.state_dict(), tmp_path / "tiny.pth")
    s3.upload_file(str(tmp_path / "tiny.pth"), BUCKET, "models/base/tiny.pth")
    wanted = {
        **request("vit"),
        "config": {"labels": "5"},
        "checkpoint": {"key": "models/base/tiny.pth", "input": "sam", "licence": "Apache-2.0"},
        "imageSize": 128,
    }
    checked = parse_request(json.dumps(wanted), "vit")
    attempt = job.Job(BucketStore(BUCKET), checked, tmp_path / "scratch", "cpu")
    state = attempt._state(attempt._checkpoint())
    assert state.config.model.image_size == 128
    digest = hashlib.sha256((tmp_path / "tiny.pth").read_bytes()).hexdigest()
    assert state.base == {"checkpoint": "tiny.pth", "sha256": digest, "licence": "Apache-2.0"}
    for model in (state.model, state.average):
        own = model.decoder.mask_decoder.state_dict()
        assert all(torch.equal(own[k], v) for k, v in sam.mask_decoder.state_dict().items())
    with pytest.raises(RequestError, match=r"fits .*, not small"):
        parse_request(json.dumps({**wanted, "config": {"size": "small"}}), "vit")


def test_storage_that_does_not_answer_is_tried_again(
    s3: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("SAMMIX_TRAINING_REQUEST", "training/requests/x.json")
    assert job.main() == job.TRY_AGAIN


def test_sigterm_outside_training_interrupts() -> None:
    job.raise_on_sigterm()
    with pytest.raises(job.Interrupted):
        signal.raise_signal(signal.SIGTERM)
    # no `except Exception` on the way to main() may swallow it
    assert not issubclass(job.Interrupted, Exception)


def test_nothing_is_written_outside_the_folder(s3: object, tmp_path: Path) -> None:
    for name in ("a/b.txt", "../escaped.txt", "a/../../escaped.txt", "folder/"):
        s3.put_object(Bucket=BUCKET, Key=f"training/data/odd/{name}", Body=b"x")
    count = BucketStore(BUCKET).download_folder("training/data/odd/", tmp_path / "inside")
    assert count == 1
    assert [p.name for p in tmp_path.rglob("*.txt")] == ["b.txt"]


def test_mirror_uploads_what_changed_only(s3: object, tmp_path: Path) -> None:
    store = BucketStore(BUCKET)
    (tmp_path / "best.pt").write_bytes(b"old, downloaded")
    (tmp_path / "notes.txt").write_bytes(b"not ours")
    with FolderMirror(store, tmp_path, "training/runs/m/", ("best.pt", "last.pt"), 1000):
        (tmp_path / "last.pt").write_bytes(b"new")
    assert keys(s3, "training/runs/m/") == ["training/runs/m/last.pt"]
