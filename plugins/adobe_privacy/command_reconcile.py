"""The command `reconcile`: after a restore or a loss."""

from __future__ import annotations

import argparse
import asyncio

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import PrivacyServiceError
from adobe_privacy.command_output import print_json, print_rows
from adobe_privacy.command_places import Places, WrongUsage
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.plain_text import plain
from adobe_privacy.planning.planning import PlanSettings
from adobe_privacy.settings import Settings
from adobe_privacy.submission.reconciliation import Reconciliation, reconcile


def reconcile_with(options: argparse.Namespace, ledger: Ledger) -> int:
    """Prints what differs. The exit code is 1 where something does, and nothing was applied."""
    places: Places = options.places
    if places.settings is None or places.inbox is None:
        raise WrongUsage("only `airflow privacy reconcile` knows inbox, archive and the connection to Adobe")
    try:
        found = asyncio.run(_reconcile(options, ledger, places, places.settings()))
    except PrivacyServiceError as error:
        raise LedgerError(f"{error}. The archive was not made this ledger's: run reconcile again") from None
    if options.json:
        print_json(
            {
                "applied": found.applied,
                "differs": found.differs,
                "ledger_and_archive": found.owner,
                "requests": found.requests,
                "at_adobe": found.at_adobe,
                "archived": found.archived,
                "erased": found.erased,
                "seals": found.seals,
                "unknown": found.unknown,
                "doubtful": found.doubtful,
                "receipts": found.receipts,
                "not_recovered": list(found.not_recovered),
                "notes": found.notes,
            }
        )
    else:
        print_rows(options, found.rows)
        lists = {
            "at Adobe": found.at_adobe,
            "archived": found.archived,
            "erased": found.erased,
            "receipt": found.receipts,
        }
        for what, names in lists.items():
            for name in names:
                print(f"{what}: {plain(name)}")
        for note in found.notes:
            print(plain(note))
        for what in found.not_recovered:
            print(f"cannot be recovered: {what}")
        if found.differs and not found.applied:
            print("Nothing was changed. To let this ledger go on: reconcile --apply")
    return 1 if found.differs and not found.applied else 0


async def _reconcile(
    options: argparse.Namespace, ledger: Ledger, places: Places, settings: Settings
) -> Reconciliation:
    assert places.inbox is not None
    async with PrivacyServiceClient(settings.service.client) as client:
        return await reconcile(
            ledger=ledger,
            inbox=places.inbox(settings),
            archive=places.archive(),
            client=client,
            settings=PlanSettings(
                daily_limit=settings.service.daily_job_limit,
                default_products=settings.service.products,
                clocks=settings.variables.legal_clocks,
                strict_identities=settings.service.strict_identities,
                organisation=settings.service.client.org_id,
                contexts=settings.service.company_contexts,
            ),
            apply=options.apply,
        )
