"""Who may do what. Airflow's own login and permissions decide, whichever auth manager is configured.

Reading takes the right to read the DAG `privacy_requests`, deciding about a request the right to edit it; of a further
organisation, its DAG `privacy_requests_eu`. Who may not read an organisation's DAG does not see the organisation.
"""

from __future__ import annotations

from typing import Annotated, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, HTTPException, Request, status

from adobe_privacy.airflow_organisations import organisations
from adobe_privacy.links import ORGANISATIONS
from adobe_privacy.organisations import DEFAULT, Organisation

RESULTS = "Privacy Results"  # a resource of Airflow's auth manager

PREFIX = "/privacy"  # below which Airflow mounts the page

Method = Literal["GET", "PUT"]


def dag_of(organisation: str) -> str:
    return Organisation(organisation).own("privacy_requests")


def _require(request: Request, user: BaseUser, method: Method, organisation: str) -> None:
    requires_access_dag(method=method, param_dag_id=dag_of(organisation))(request, user)


def _allowed(request: Request, user: BaseUser, method: Method, organisation: str) -> bool:
    try:
        _require(request, user, method, organisation)
    except HTTPException:
        return False
    return True


def organisation_in(request: Request) -> str:
    """The organisation that an address names."""
    return str(request.path_params.get("organisation", DEFAULT))


def may_read(request: Request, user: GetUserDep) -> None:
    """For every route. Leaves the organisations that the user may read in `request.state.organisations`."""
    organisation, known = organisation_in(request), organisations()
    readable = [name for name in known if _allowed(request, user, "GET", name)]
    request.state.organisations = readable
    if organisation in readable:
        return
    if readable and organisation == DEFAULT and request.url.path.endswith(f"{PREFIX}/"):
        # Airflow's menu leads to the default one.
        raise HTTPException(
            status.HTTP_303_SEE_OTHER, headers={"Location": f"{ORGANISATIONS}/{readable[0]}/"}
        )
    # In the same words for what there is not: nobody can find out which there are.
    raise HTTPException(
        status.HTTP_403_FORBIDDEN, f"You need the right to read the DAG {dag_of(organisation)}."
    )


def _may_write(request: Request, user: BaseUser) -> None:
    _require(request, user, "PUT", organisation_in(request))


def _may_run(request: Request, user: BaseUser) -> None:
    dag_id = dag_of(organisation_in(request))
    requires_access_dag(method="POST", access_entity=DagAccessEntity.RUN, param_dag_id=dag_id)(request, user)


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


def may_download(request: Request, user: GetUserDep) -> None:
    """For the results, which are a person's data: to edit the DAG, and to read the resource `RESULTS` besides."""
    _may_write(request, user)
    if not get_auth_manager().is_authorized_custom_view(method="GET", resource_name=RESULTS, user=user):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN, f"You need the permission to read the resource {RESULTS!r}."
        )
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "refused: the call comes from another site")


def user_may_download(request: Request, user: GetUserDep) -> bool:
    """Whether to offer what needs `may_download`."""
    try:
        may_download(request, user)
    except HTTPException:
        return False
    return True


MayDownloadDep = Annotated[bool, Depends(user_may_download)]


def _from_this_site(request: Request, content_type: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != content_type:
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, f"send the body as {content_type}")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(status.HTTP_403_FORBIDDEN, "refused: the call comes from another site")


def user_may_write(request: Request, user: GetUserDep) -> bool:
    """Whether to show what needs `may_write`."""
    return _allowed(request, user, "PUT", organisation_in(request))


def user_may_run(request: Request, user: GetUserDep) -> bool:
    """Whether to offer a run of today: Airflow's own API decides when it is asked for."""
    try:
        _may_run(request, user)
    except HTTPException:
        return False
    return True


MayRunDep = Annotated[bool, Depends(user_may_run)]
MayWriteDep = Annotated[bool, Depends(user_may_write)]
