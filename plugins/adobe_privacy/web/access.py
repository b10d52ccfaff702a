"""Who may do what. Airflow's own login and permissions decide, whichever auth manager is configured.

Reading takes the right to read the DAG `privacy_requests`, deciding about a request the right to edit it.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException, Request, status

DAG_ID = "privacy_requests"

may_read = requires_access_dag(method="GET", param_dag_id=DAG_ID)
_may_write = requires_access_dag(method="PUT", param_dag_id=DAG_ID)
_may_run = requires_access_dag(method="POST", access_entity=DagAccessEntity.RUN, param_dag_id=DAG_ID)


def may_write(request: Request, user: GetUserDep) -> None:
    """For routes that change something. The login is a cookie, which a browser sends along with what another
    site makes it send: so the body must be JSON, which no other site can make it send unasked, and a browser
    that tells where a call comes from must tell that it comes from here."""
    _may_write(request, user)
    _from_this_site(request, "application/json")


def may_upload(request: Request, user: GetUserDep) -> None:
    """The same for a route whose body is a file, in a type that no other site's form can send."""
    _may_write(request, user)
    _from_this_site(request, "application/octet-stream")


def may_ask(request: Request, user: GetUserDep) -> None:
    """For routes that change nothing but are asked by a body, since what they are asked belongs in no address."""
    may_read(request, user)
    _from_this_site(request, "application/json")


def _from_this_site(request: Request, content_type: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != content_type:
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, f"send the body as {content_type}")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(status.HTTP_403_FORBIDDEN, "refused: the call comes from another site")


def user_may_write(request: Request, user: GetUserDep) -> bool:
    """Whether to show what needs `may_write`."""
    try:
        _may_write(request, user)
    except HTTPException:
        return False
    return True


def user_may_run(request: Request, user: GetUserDep) -> bool:
    """Whether to offer a run of today: Airflow's own API decides when it is asked for."""
    try:
        _may_run(request, user)
    except HTTPException:
        return False
    return True


MayRunDep = Annotated[bool, Depends(user_may_run)]
MayWriteDep = Annotated[bool, Depends(user_may_write)]
