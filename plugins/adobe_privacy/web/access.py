"""Who may do what. Airflow's own login and permissions decide, whichever auth manager is configured.

Reading takes the right to read the DAG `privacy_requests`, deciding about a request the right to edit it.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException, Request, status

DAG_ID = "privacy_requests"

may_read = requires_access_dag(method="GET", param_dag_id=DAG_ID)
_may_write = requires_access_dag(method="PUT", param_dag_id=DAG_ID)


def may_write(request: Request, user: GetUserDep) -> None:
    """For routes that change something. The login is a cookie, which a browser sends along with what another
    site makes it send: so the body must be JSON, which no other site can make it send unasked, and a browser
    that tells where a call comes from must tell that it comes from here."""
    _may_write(request, user)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "send JSON, as application/json")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(status.HTTP_403_FORBIDDEN, "refused: the call comes from another site")


def user_may_write(request: Request, user: GetUserDep) -> bool:
    """Whether to show what needs `may_write`."""
    try:
        _may_write(request, user)
    except HTTPException:
        return False
    return True


MayWriteDep = Annotated[bool, Depends(user_may_write)]
