"""The ledger: which request is where, committed before anything is sent, and every change of it for ever.

It promises: a job is claimed by one batch; no job leaves `PLANNED` without a committed intent; a change that
finds the job in another state than it expects does nothing and says so. It does not talk to Adobe, and it
holds no identity: whoever needs one reads the inbox again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from adobe_privacy import metrics
from adobe_privacy.ledger.access import Accesses
from adobe_privacy.ledger.alarms import Alarms
from adobe_privacy.ledger.approvals import Approvals
from adobe_privacy.ledger.attention_reader import Attention
from adobe_privacy.ledger.chain import Chain
from adobe_privacy.ledger.claims import Claims
from adobe_privacy.ledger.database import connections_of, create_ledger_engine, require_ledger, upgrade
from adobe_privacy.ledger.doubts import Doubts
from adobe_privacy.ledger.erasures import Erasures
from adobe_privacy.ledger.figures import Figures
from adobe_privacy.ledger.forgetting import Forgetting
from adobe_privacy.ledger.handing_in import HandingIn
from adobe_privacy.ledger.identity import Identities
from adobe_privacy.ledger.inbox import Inbox
from adobe_privacy.ledger.inbox_erasures import InboxErasures
from adobe_privacy.ledger.intake import Intake
from adobe_privacy.ledger.intents import Intents
from adobe_privacy.ledger.late import Late
from adobe_privacy.ledger.latency import Latency
from adobe_privacy.ledger.limits import Limits
from adobe_privacy.ledger.opt_outs import OptOuts
from adobe_privacy.ledger.others import Others
from adobe_privacy.ledger.overview import Overview
from adobe_privacy.ledger.people import People
from adobe_privacy.ledger.protection import Protection
from adobe_privacy.ledger.quotas import Quotas
from adobe_privacy.ledger.results import Results
from adobe_privacy.ledger.search import Search
from adobe_privacy.ledger.seen import Seen
from adobe_privacy.ledger.unit import Unit, utc_now
from adobe_privacy.ledger.waiting import Waiting


class Ledger:
    """One process's view of the ledger: a module for each topic, all on one `Unit`.

    `actor` is written beside every change it makes; `now` is replaced in tests. It has at most so many `connections`
    to its database at once. Its tables are made and upgraded, unless `existing`: then LedgerError is raised where there
    are none. Tables of another version can be read if they are like this version's but for what one of them has added;
    whatever would change them raises LedgerError.
    """

    def __init__(
        self,
        url: str,
        *,
        actor: str,
        fingerprint_key: str | None = None,
        now: Callable[[], datetime] = utc_now,
        connections: int = 10,
        existing: bool = False,
    ) -> None:
        self.unit = Unit(
            create_ledger_engine(url, connections=connections, make_folder=not existing),
            actor=actor,
            fingerprint_key=fingerprint_key,
            now=now,
        )
        # Why nothing can be written, where nothing can.
        self.only_reads: str | None = None
        if existing:
            self.only_reads = require_ledger(self.unit.engine)
        else:
            upgrade(self.unit.engine)
        # In the order of a request's way.
        self.handing_in = HandingIn(self.unit)
        self.inbox = Inbox(self.unit)
        self.intake = Intake(self.unit)
        self.identity = Identities(self.unit)
        self.protection = Protection(self.unit)
        self.quotas = Quotas(self.unit)
        self.claims = Claims(self.unit)
        self.approvals = Approvals(self.unit)
        self.limits = Limits(self.unit)
        self.intents = Intents(self.unit)
        self.doubts = Doubts(self.unit)
        self.others = Others(self.unit)
        self.opt_outs = OptOuts(self.unit)
        self.waiting = Waiting(self.unit)
        self.results = Results(self.unit)
        self.seen = Seen(self.unit)
        self.people = People(self.unit)
        self.accesses = Accesses(self.unit)
        self.erasures = Erasures(self.unit)
        self.inbox_erasures = InboxErasures(self.unit)
        self.chain = Chain(self.unit)
        self.forgetting = Forgetting(self.unit)
        self.overview = Overview(self.unit)
        self.search = Search(self.unit)
        self.figures = Figures(self.unit)
        self.attention = Attention(self.unit)
        self.alarms = Alarms(self.unit)
        self.late = Late(self.unit)
        self.latency = Latency(self.unit)

    def now(self) -> datetime:
        return self.unit.now()

    def tell_connections(self, component: str) -> None:
        """Measures how many connections to the database this process holds."""
        metrics.gauge(metrics.LEDGER_CONNECTIONS, connections_of(self.unit.engine), component=component)

    def close(self) -> None:
        self.unit.engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
