"""Makes moto check what roles may do, once a test asks for it (POST 0 to /moto-api/reset-auth).

For S3, moto checks action and resource, so prefixes count. For other services it does not know the
resource of a call: there, the action must be allowed on some resource.
"""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import IAMPolicyStatement, IAMRequestBase
from network_gate import record
from settings import Settings


def install(settings: Settings) -> None:
    _note_denials(settings)
    original = IAMPolicyStatement._check_element_matches

    def matches(self: Any, element: str, value: str) -> bool:
        if element == "Resource" and value == "*":
            return True
        if element == "Action":
            # AWS ignores the case of actions; moto has those of Batch in lower case.
            actions = self._statement["Action"]
            allowed = actions if isinstance(actions, list) else [actions]
            return any(self._match(action.lower(), value.lower()) for action in allowed)
        return original(self, element, value)

    IAMPolicyStatement._check_element_matches = matches


def _note_denials(settings: Settings) -> None:
    original = IAMRequestBase.check_action_permitted

    def check(self: Any, resource: str) -> None:
        try:
            original(self, resource)
        except Exception:
            line = {"who": self._access_key.arn, "what": f"{self._action} {resource}"}
            record(settings, "iam", {**line, "verdict": "denied by the role's policies"})
            raise

    IAMRequestBase.check_action_permitted = check
