"""The endpoints of /api/v1, a file a noun. Each declares who may call it; one that does not is refused when the app is built."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.api.access import PROBLEMS
from gateway.api.openapi import operation_id
from gateway.api.routes import (
    alerts,
    callbacks,
    contacts,
    devices,
    homes,
    observations,
    pages,
    policies,
    push,
    rosters,
    rules,
    sessions,
    silences,
    staff,
    statistics,
    technical,
)

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", responses=PROBLEMS, generate_unique_id_function=operation_id)
for each in (
    sessions,
    contacts,
    alerts,
    pages,
    technical,
    rules,
    policies,
    devices,
    observations,
    homes,
    staff,
    rosters,
    silences,
    statistics,
    callbacks,
    push,
):
    router.include_router(each.router)
