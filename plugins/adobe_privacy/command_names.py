"""The commands and what each does. Read at every start of `airflow`, so it loads nothing."""

from __future__ import annotations

COMMANDS = {
    "verify": "check every archived result against its manifest",
    "open": "take the results of a request, or of one job, out of the archive, decrypted and checked",
    "intake": "read a file of requests as the inbox would, and send nothing: intake check FILE",
    "status": "how many jobs are in which state",
    "settings": "the protective settings in force; `settings accept` says that what is set now is meant",
    "attention": "what needs a person and what is good to know; exit code 1 if anything needs a person",
    "find": "the ids of a person's requests, by one identity, which is read from standard input",
    "show": "one request: its jobs, what each product answered and what to do about it, and the history",
    "export": "the jobs as CSV, with the page's filters as options",
    "hold": "put a request on legal hold: not submitted, its archive not erased",
    "release": "end a hold, nothing else",
    "resend": "send what ended in error, was refused, is gone or was not done by some product as a new attempt",
    "close": "nothing more happens to a request; what is being sent at this moment stays",
    "extend": "the person was told of a later date: the request is due then",
    "reconcile": "after a restore: compare ledger, inbox, Adobe and archive; --apply lets the ledger go on",
    "due": "unfinished jobs by the date on which they must be answered",
    "report": "requests received, complied with and denied in a period, and in how many days",
    "evidence": "all that the ledger and the archive know of one request",
    "upgrade": "make or upgrade the ledger's tables, after this version is installed everywhere",
    "dags": "write the DAG files into a folder; what is there is left as it is",
}
