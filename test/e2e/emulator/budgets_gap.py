"""Budgets from templates, which moto does not make; as strict as AWS where the site's template could fail."""

from __future__ import annotations

from typing import Any

from made_resource import MadeResource
from moto.budgets import models as budgets
from moto.core.common_models import CloudFormationModel
from moto.moto_api._internal import mock_random


class Budget(MadeResource, CloudFormationModel):
    # moto reads the service from the module of a model.
    __module__ = "moto.budgets.models"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Budgets::Budget"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Budget:
        properties = cloudformation_json["Properties"]
        details = dict(properties["Budget"])
        name = details.setdefault("BudgetName", f"budget-{mock_random.get_random_hex(8)}")
        notifications = properties.get("NotificationsWithSubscribers", [])
        if len(notifications) > 5:
            raise ValueError("AWS Budgets takes five notifications of a budget")
        for one in notifications:
            if not 1 <= len(one["Subscribers"]) <= 11:
                raise ValueError("AWS Budgets takes one to eleven subscribers of a notification")
        limit = details["BudgetLimit"]
        details["BudgetLimit"] = {"Amount": str(limit["Amount"]), "Unit": limit["Unit"]}
        budgets.budgets_backends[account_id]["aws"].create_budget(account_id, details, notifications)
        return cls(name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Budget,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Budget:
        cls.delete_from_cloudformation_json(
            original_resource.physical_resource_id, {}, account_id, region_name
        )
        return cls.create_from_cloudformation_json(
            new_resource_name, cloudformation_json, account_id, region_name
        )

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        backend = budgets.budgets_backends[account_id]["aws"]
        if resource_name in backend.budgets.get(account_id, {}):
            backend.delete_budget(account_id, resource_name)
