"""What the resources have in common that moto does not make from templates, and that we make."""

from __future__ import annotations


class MadeResource:
    """Stands before `CloudFormationModel`, of which moto knows direct subclasses alone."""

    def __init__(self, physical_resource_id: str) -> None:
        self.physical_resource_id = physical_resource_id

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return False
