"""What the parts of the emulator share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Settings:
    port: int
    work: str
    images: dict[str, str] = field(default_factory=dict)
    # Whether jobs run as ECS runs them, see container.py.
    confined: bool = False

    @property
    def endpoint(self) -> str:
        # moto reads bucket names from host names only under this one.
        return f"http://localhost:{self.port}"

    def log_file(self, kind: str, name: str) -> str:
        folder = os.path.join(self.work, "logs", kind)
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, f"{name}.log")

    def verdicts(self) -> str:
        """What was denied; beside the logs, because a refused key may be a patient's."""
        folder = os.path.join(self.work, "verdicts")
        os.makedirs(folder, exist_ok=True)
        return folder

    def process_environment(self, region: str, role_arn: str | None) -> dict[str, str]:
        """What AWS itself sets: region and the role's temporary credentials; nothing of ours."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/tmp"),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            **assume(role_arn),
        }

    def job_environment(self, role_arn: str | None) -> dict[str, str]:
        """What a container finds that neither its image nor its definition sets: no region and no home."""
        return {"AWS_ENDPOINT_URL": self.endpoint, **assume(role_arn)}


def assume(role_arn: str | None) -> dict[str, str]:
    """Credentials of the role, as moto's STS gives them out."""
    if role_arn is None:
        return {}
    from moto.sts.models import sts_backends

    backend = sts_backends[ACCOUNT]["aws"]
    role = backend.assume_role(
        region_name="us-east-1",
        role_session_name="emulator",
        role_arn=role_arn,
        policy=None,
        duration=3600,
        external_id=None,
    )
    return {
        "AWS_ACCESS_KEY_ID": role.access_key_id,
        "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
        "AWS_SESSION_TOKEN": role.session_token,
    }
