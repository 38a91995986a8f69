"""Runs Batch jobs as local processes, and puts their state changes on the event bus as Batch does."""

from __future__ import annotations

import fnmatch
import os
import signal
import subprocess
import threading
import time
import traceback
from datetime import datetime
from typing import Any

from cloudformation_gaps import new_id
from container import Image, confined, read_image
from moto.batch import models as batch
from moto.batch.utils import JobStatus
from network_gate import Gate
from settings import ACCOUNT, Settings

NO_GPU = {("SAMMIX_PROVIDERS", "cuda"): "cpu", ("SAMMIX_DEVICE", "cuda"): "cpu"}

_parents = threading.Lock()


def install(settings: Settings) -> None:
    def run(self: Any) -> None:
        try:
            execute(settings, self)
        except Exception:
            traceback.print_exc()
            finish(self, False, "the emulator failed")

    batch.Job.run = run
    # moto moves states by a clock; here they move when something happens.
    batch.Job.advance = lambda self: None


def execute(settings: Settings, job: Any) -> None:
    if job.depends_on and not job._wait_for_dependencies():
        finish(job, False, "a dependency failed")
        return
    strategy = job.job_definition.retry_strategy or {}
    attempts = int(strategy.get("attempts", 1))
    job.ended_attempts = []
    for attempt in range(1, attempts + 1):
        wait_for_instance(settings, job)
        job.status = JobStatus.RUNNING
        job.job_started_at = datetime.now()
        started_ms = now_ms()
        exit_code, status_reason = run_attempt(settings, job, attempt)
        job.exit_code = exit_code
        job.ended_attempts.append({"startedAt": started_ms, "stoppedAt": now_ms()})
        if exit_code == 0:
            finish(job, True, None)
            return
        if not is_retried(strategy.get("evaluateOnExit", []), exit_code, status_reason):
            break
    finish(job, False, status_reason)


def wait_for_instance(settings: Settings, job: Any) -> None:
    """A test takes all instances away by the file `no-instance` in the work folder."""
    while os.path.exists(os.path.join(settings.work, "no-instance")):
        job.status = JobStatus.RUNNABLE
        time.sleep(0.2)


def now_ms() -> int:
    return int(time.time() * 1000)


def run_attempt(settings: Settings, job: Any, attempt: int) -> tuple[int, str]:
    container = job.job_definition.container_properties
    environment = {
        entry["name"]: str(entry["value"])
        for entry in [*container["environment"], *job.container_overrides.get("environment", [])]
    }
    # No GPU is here. What a site asks for stands in for it, and nothing falls back by itself.
    environment = {name: NO_GPU.get((name, value), value) for name, value in environment.items()}
    environment["AWS_BATCH_JOB_ID"] = job.job_id
    environment["AWS_BATCH_JOB_ATTEMPT"] = str(attempt)
    if "index" in job.array_properties:
        environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_properties["index"])
    folder = settings.images.get(container["image"])
    if folder is None:
        return 1, "Task failed to start"
    name = job.job_id.replace(":", "-")
    image = read_image(folder)
    environment = {**image.environment, **environment}
    volumes = place_volumes(settings, container, image, environment, f"{name}-{attempt}")
    # Emulated libraries of the host are not the image's.
    environment.pop("LD_LIBRARY_PATH", None)
    words = job.container_overrides.get("command") or container["command"]
    if not settings.confined:
        return run_process(settings, job, attempt, name, folder, words, environment)
    attempts = os.path.join(settings.verdicts(), f"attempts-{job.job_name}.jsonl")
    with open(attempts, "a", encoding="utf-8") as record, Gate(settings, job) as gate:
        words = confined(words, folder, image, volumes, settings.port, gate.path, record.fileno())
        return run_process(
            settings, job, attempt, name, folder, words, environment, (record.fileno(),)
        )


def run_process(
    settings: Settings,
    job: Any,
    attempt: int,
    name: str,
    folder: str,
    words: list[str],
    environment: dict[str, str],
    descriptors: tuple[int, ...] = (),
) -> tuple[int, str]:
    role = job.job_definition.container_properties.get("jobRoleArn")
    # Where the image has programs of its own.
    path = f"{os.path.join(folder, 'bin')}:{os.environ['PATH']}"
    with open(settings.log_file("batch", name), "ab") as log:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**settings.job_environment(role), "PATH": path, **environment},
            stdout=log,
            stderr=log,
            pass_fds=descriptors,
        )
        reclaimed = threading.Event()
        if attempt == 1 and take_reclaim_order(settings):
            threading.Thread(target=reclaim, args=(settings, process, name, reclaimed), daemon=True).start()
        timeout = int((job.job_definition.timeout or {}).get("attemptDurationSeconds", 3600))
        try:
            code = process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return 137, "Job attempt duration exceeded timeout"
    if reclaimed.is_set():
        return code, "Host EC2 (instance i-0123456789abcdef0) terminated."
    return code, "Essential container in task exited"


def place_volumes(
    settings: Settings,
    container: dict[str, Any],
    image: Image,
    environment: dict[str, str],
    name: str,
) -> list[str]:
    """An empty folder for every volume; variables that name its place in the container name it.

    Returns those that can be written.
    """
    writable = []
    for mount in container.get("mountPoints") or []:
        folder = os.path.join(settings.work, "volumes", name, mount["sourceVolume"])
        os.makedirs(folder, exist_ok=True)
        if settings.confined and mount["containerPath"] in image.owned:
            os.chown(folder, image.user, image.user)
        for variable, value in environment.items():
            if value == mount["containerPath"]:
                environment[variable] = folder
        if not mount.get("readOnly"):
            writable.append(folder)
    return writable


def take_reclaim_order(settings: Settings) -> bool:
    """A test orders one spot reclaim by creating the file `reclaim` in the work folder."""
    try:
        os.remove(os.path.join(settings.work, "reclaim"))
    except FileNotFoundError:
        return False
    return True


def reclaim(settings: Settings, process: Any, name: str, reclaimed: threading.Event) -> None:
    """Takes the instance away as soon as the job has finished a slab, so that there is work to keep."""
    log = settings.log_file("batch", name)
    while process.poll() is None:
        with open(log, encoding="utf-8") as stream:
            if '"event":"slab"' in stream.read():
                break
        time.sleep(0.02)
    reclaimed.set()
    process.send_signal(signal.SIGTERM)


def is_retried(rules: list[dict[str, str]], exit_code: int, status_reason: str) -> bool:
    """The first rule whose conditions all match decides; where none matches, Batch retries."""
    for rule in rules:
        conditions = {
            "onExitCode": str(exit_code),
            "onStatusReason": status_reason,
            "onReason": "",
        }
        matches = all(
            fnmatch.fnmatchcase(value, rule[name])
            for name, value in conditions.items()
            if name in rule
        )
        if matches:
            return rule["action"].upper() == "RETRY"
    return True


def finish(job: Any, success: bool, reason: str | None) -> None:
    job.job_stopped_reason = reason
    job._mark_stopped(success=success)
    announce(job)
    parent = job.all_jobs.get(job.job_id.split(":")[0])
    if parent is job or parent is None:
        return
    with _parents:
        children = parent._child_jobs or []
        if parent.job_stopped or not children or not all(child.job_stopped for child in children):
            return
        parent.job_stopped_reason = "Array Child Job failed"
        parent._mark_stopped(success=all(child.status == JobStatus.SUCCEEDED for child in children))
    announce(parent)


def announce(job: Any) -> None:
    from moto.events.models import events_backends

    region = job.job_definition._region
    detail: dict[str, Any] = {
        "jobArn": job.arn,
        "jobName": job.job_name,
        "jobId": job.job_id,
        "jobQueue": job.job_queue.arn,
        "status": JobStatus(job.status).value,
        "jobDefinition": job.job_definition.arn,
    }
    if attempts := getattr(job, "ended_attempts", None):
        detail["attempts"] = attempts
        detail["container"] = {"exitCode": job.exit_code}
    if job.job_stopped_reason is not None:
        detail["statusReason"] = job.job_stopped_reason
    if "index" in job.array_properties:
        detail["arrayProperties"] = {"index": job.array_properties["index"]}
    elif job._child_jobs:
        detail["arrayProperties"] = {"size": len(job._child_jobs)}
    event = {
        "version": "0",
        "id": new_id(),
        "source": "aws.batch",
        "detail-type": "Batch Job State Change",
        "account": ACCOUNT,
        "time": time.time(),
        "region": region,
        "resources": [job.arn],
        "detail": detail,
    }
    for bus in events_backends[ACCOUNT][region].event_buses.values():
        for rule in bus.rules.values():
            rule.send_to_targets(event, transform_input=False)
