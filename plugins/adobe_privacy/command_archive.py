"""The command `verify`, and by which key an archive is opened."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adobe_privacy.archive import (
    AgeKeys,
    ArchiveError,
    KmsKey,
    Opener,
    Verification,
    changed_history,
    verify_archive,
)
from adobe_privacy.archive.signing import public_keys
from adobe_privacy.command_output import print_json, progress
from adobe_privacy.command_places import WrongUsage
from adobe_privacy.ownership import holds_something
from adobe_privacy.seals import check_history, unproven_heads
from adobe_privacy.storage import Store, open_store


def verify(options: argparse.Namespace) -> int:
    """Re-reads an archive; with a ledger, compares both."""
    store = open_store(options.uri)
    signers = _signers(options)
    with nullcontext() if options.ledger is None else options.open_ledger(options) as ledger:
        verification = verify_archive(
            store,
            opener=given_opener(options),
            keys=_key_place(options),
            witness=None if ledger is None else ledger.chain,
            signers=signers,
        )
        history = [] if ledger is None else check_history(ledger, store)
        if signers:
            history += [problem for problem in unproven_heads(store, signers) if problem not in history]
        return _verified(options, verification, history, store)


def _verified(
    options: argparse.Namespace, verification: Verification, history: list[str], store: Store
) -> int:
    findings = []
    with progress(verification.summary):
        for finding in chain(map(changed_history, history), verification):
            findings.append(finding)
            if not options.json:
                print(f"{finding.severity}: {finding.key}: {finding.detail}")
    summary = verification.summary
    summary.errors += len(history)
    if not summary.errors and not summary.manifests and not holds_something(store):
        raise ArchiveError(
            f"{store.location.uri} is no archive: no ledger has worked with it, and there was nothing to check"
        )
    if options.json:
        print_json(
            {
                "ok": summary.ok,
                "summary": summary.model_dump(),
                "findings": [finding.model_dump() for finding in findings],
            }
        )
    else:
        print(
            f"{summary.manifests} manifests, {summary.results} results ({summary.bytes} bytes) re-read, "
            f"{summary.erased} erased: {summary.errors} errors, {summary.notes} notes"
        )
    return 0 if summary.ok else 1


def _signers(options: argparse.Namespace) -> tuple[Ed25519PublicKey, ...]:
    path: Path | None = options.public_key
    if path is None:
        return ()
    try:
        return public_keys(path.read_text("ascii", "replace"))
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise WrongUsage(f"{path}: {error}") from None


def _key_place(options: argparse.Namespace) -> Store | None:
    return None if options.keys is None else open_store(options.keys)


def given_opener(options: argparse.Namespace) -> Opener | None:
    """What `--key` or `--kms` opens. Raises WrongUsage."""
    keys = _key_place(options)
    if options.kms:
        import boto3

        return Opener(KmsKey(boto3.client("kms")), keys)
    if options.key is None:
        return None
    try:
        lines = options.key.read_text().split("\n")
        identities = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
        return Opener(AgeKeys(identities=identities), keys)
    except OSError as error:
        raise WrongUsage(f"{options.key}: {error.strerror}") from None
    except ValueError as error:
        raise WrongUsage(f"{options.key}: {error}") from None
