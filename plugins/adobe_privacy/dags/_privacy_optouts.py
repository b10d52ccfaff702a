"""The DAG `privacy_optouts`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import DAG

from adobe_privacy.dags._dag import DAILY, OWNER, TAGS, make_dag
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator
from adobe_privacy.organisations import DEFAULT


def privacy_optouts(
    *,
    dag_id: str | None = None,
    schedule: Any = DAILY,
    organisation: str = DEFAULT,
    adobe_privacy_conn_id: str | None = None,
    ledger_conn_id: str | None = None,
    inbox_uri: str | None = None,
    archive_uri: str | None = None,
    owner: str = OWNER,
    tags: Sequence[str] = TAGS,
    pool: str | None = None,
    **dag_arguments: Any,
) -> DAG:
    """### Opt-outs of sale

    One run sends **one day's `opt_out_of_sale` requests** of the inbox to Adobe, and writes a receipt of each into
    the archive: `optouts/<regulation>/<YYYY>/<MM>/<DD>/<request_id>.json`.

    Adobe answers "accepted" and gives nothing to follow up. What Adobe has accepted is never sent again. A call that
    ended without an answer is repeated, which does no harm: opting out twice is opting out. Adobe takes opt-outs for
    standard namespaces only: a request with others too is opted out by its standard ones, and its receipt says so. A
    request without any standard one is rejected with its reason.

    A request may ask for access or deletion too: that part is `privacy_requests`' work.

    :param organisation: one of those in Airflow's configuration.
    :param dag_arguments: more arguments of Airflow's `DAG`.
    """
    with make_dag(
        privacy_optouts,
        dag_id=dag_id,
        organisation=organisation,
        description="One day of opt-outs of sale, sent to Adobe, with a receipt of each",
        schedule=schedule,
        max_active_runs=4,
        owner=owner,
        tags=tags,
        pool=pool,
        places={
            "adobe_privacy_conn_id": adobe_privacy_conn_id,
            "ledger_conn_id": ledger_conn_id,
            "inbox_uri": inbox_uri,
            "archive_uri": archive_uri,
        },
        dag_arguments=dag_arguments,
    ) as dag:
        SendPrivacyOptOutsOperator(task_id="send")
    return dag
