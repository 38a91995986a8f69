"""Secrets from templates, which moto does not make; and reading one is checked against that one.

moto asks whether a role may read some secret. At AWS its policy must name this one, and the key that
encrypts it; the second is decided offline (test/infra/policy.test.ts).
"""

from __future__ import annotations

import json
from typing import Any

from made_resource import MadeResource
from moto.core.common_models import CloudFormationModel
from moto.moto_api._internal import mock_random
from moto.secretsmanager import models as secrets
from moto.secretsmanager.responses import SecretsManagerResponse


class Secret(MadeResource, CloudFormationModel):
    # moto reads the service from the module of a model.
    __module__ = "moto.secretsmanager.models"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Secret:
        properties = cloudformation_json["Properties"]
        backend = secrets.secretsmanager_backends[account_id][region_name]
        asked = properties["GenerateSecretString"]
        drawn = backend.get_random_password(
            password_length=int(asked.get("PasswordLength", 32)),
            exclude_characters=asked.get("ExcludeCharacters", ""),
            exclude_numbers=_flag(asked, "ExcludeNumbers"),
            exclude_punctuation=_flag(asked, "ExcludePunctuation"),
            exclude_uppercase=_flag(asked, "ExcludeUppercase"),
            exclude_lowercase=_flag(asked, "ExcludeLowercase"),
            include_space=_flag(asked, "IncludeSpace"),
            require_each_included_type=_flag(asked, "RequireEachIncludedType", True),
        )
        made = backend.create_secret(
            name=f"{resource_name}-{mock_random.get_random_hex(12)}",
            secret_string=json.loads(drawn)["RandomPassword"],
            secret_binary=None,
            description=properties.get("Description"),
            tags=properties.get("Tags", []),
            kms_key_id=properties["KmsKeyId"],
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(json.loads(made)["ARN"])

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Secret,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Secret:
        """No new value is drawn while what is asked of it stays the same, and the site never changes it."""
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        """The site's secret has the deletion policy Retain."""


def _flag(asked: dict[str, Any], name: str, default: bool = False) -> bool:
    return asked.get(name, default) in (True, "true")


def _asked_secret(self: Any) -> str:
    """The ARN by which moto then looks into the caller's policies."""
    return str(self._get_param("SecretId", "*"))


SecretsManagerResponse._determine_resource = _asked_secret
