"""/doctor: whether everything that the service needs is there, and the fix for what is not."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from groundswell.api import openapi
from groundswell.api.parameters import PREFIX, Parameters
from groundswell.api.times import spelled
from groundswell.doctor.check import worst
from groundswell.doctor.doctor import Doctor
from groundswell.version import version

router = APIRouter(prefix=PREFIX, tags=["health"])


async def _doctor(request: Request) -> Doctor:
    doctor: Doctor = request.app.state.doctor
    return doctor


@router.get(
    "/doctor",
    summary="Check settings, services and permissions",
    responses={200: openapi.ok("What was found.", "Examination"), **openapi.problems()},
)
def show_doctor(doctor: Annotated[Doctor, Depends(_doctor)], query: Annotated[Parameters, Query()]) -> Response:
    """Check all that the service needs, each within ten seconds; what was found is told for ten seconds."""
    del query
    found = doctor.examine()
    checks = [{**asdict(check), "outcome": check.outcome.value} for check in found.checks]
    outcome = worst(found.checks).value
    return JSONResponse({"at": spelled(found.at), "version": version(), "outcome": outcome, "checks": checks})
