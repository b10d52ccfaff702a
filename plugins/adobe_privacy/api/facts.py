"""Adobe's limits and windows, each once, with its source. Where Adobe's pages disagree, both figures are here.

Sources: the privacy jobs guide (`/privacy-service/api/privacy-jobs`), the content guide (`/api/content`), the best
practices page, the support article ka-26552, the support article ka-25522, the error codes page.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# -- one request (privacy jobs guide, "Create a privacy job") --------------------------------------------------

MAX_USERS = 1000
"""Data subjects in one call. Adobe refuses a larger request whole."""

MAX_IDENTITIES = 9
"""Identities of one data subject in one call."""

MAX_JOBS = 2 * MAX_USERS
"""Jobs that one call can make: an access job and a delete job for each data subject."""

# -- one day (support article ka-26552) ------------------------------------------------------------------------

DAILY_JOBS = 20_000
"""Jobs that an organisation can make in a day. The hour at which a day begins is documented nowhere: we take
midnight UTC."""

# -- lists (privacy jobs guide, "List all jobs") ---------------------------------------------------------------

PAGE_SIZE = 1000
"""Rows that one page can hold."""

LIST_SPAN = timedelta(days=30)
"""The longest span from `fromDate` to `toDate`, both days counted."""

LIST_LOOK_BACK = timedelta(days=45)
"""How far back `fromDate` can lie. The best practices page says 60 days."""

LIST_REACH = LIST_LOOK_BACK - timedelta(days=1)
"""How far back we ask: a day is left for time zones."""

# -- what Adobe keeps ------------------------------------------------------------------------------------------

DETAIL_KEPT = timedelta(days=30)
"""How long after its completion a job can be read (privacy jobs guide, "job ID")."""

RESULT_KEPT = timedelta(days=60)
"""How long after its completion a result can be downloaded (content guide)."""

RESULT_KEPT_FOR_CERTAIN = timedelta(days=30)
"""The same by the best practices page. Plan with this one."""

LONGEST_JOB = timedelta(days=45)
"""How long a delete can take (support article ka-25522: 15 to 45 days, not guaranteed)."""

# -- dates in answers ------------------------------------------------------------------------------------------

FIRST_JOBS = datetime(2018, 1, 1, tzinfo=UTC)
"""No job is older: the API came with the GDPR, in May 2018. A date before is not believed."""

DATE_SKEW = timedelta(days=2)
"""A date later than this after Adobe's own clock is not believed. Of dates without a time zone a day is uncertain."""

# -- one call --------------------------------------------------------------------------------------------------

GATEWAY_TIMEOUT = 60.0
"""Seconds after which Adobe's gateway drops a request (best practices page)."""
