"""The commands that read an archive: `verify` and `open`."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adobe_privacy.archive import (
    AgeKeys,
    KmsKey,
    Opener,
    Verification,
    changed_history,
    job_place,
    open_result,
    result_manifest,
    verify_archive,
)
from adobe_privacy.archive.signing import public_keys
from adobe_privacy.command_output import print_json, progress
from adobe_privacy.command_places import WrongUsage
from adobe_privacy.seals import check_history, unproven_heads
from adobe_privacy.storage import Store, open_store


def verify(options: argparse.Namespace) -> int:
    """Re-reads an archive; with a ledger, compares both."""
    store = open_store(options.uri)
    signers = _signers(options)
    with nullcontext() if options.ledger is None else options.open_ledger(options) as ledger:
        verification = verify_archive(
            store,
            opener=_opener(options),
            keys=_key_place(options),
            witness=None if ledger is None else ledger.chain,
            signers=signers,
        )
        history = [] if ledger is None else check_history(ledger, store)
        if signers:
            history += [problem for problem in unproven_heads(store, signers) if problem not in history]
        return _verified(options, verification, history)


def _verified(options: argparse.Namespace, verification: Verification, history: list[str]) -> int:
    findings = []
    with progress(verification.summary):
        for finding in chain(map(changed_history, history), verification):
            findings.append(finding)
            if not options.json:
                print(f"{finding.severity}: {finding.key}: {finding.detail}")
    summary = verification.summary
    summary.errors += len(history)
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


def open_(options: argparse.Namespace) -> int:
    """Takes one result out."""
    if options.output.exists():
        raise WrongUsage(f"{options.output} exists already")
    location, folder = job_place(options.uri)
    store = open_store(location)
    manifest = result_manifest(store, folder)
    opener = _opener(options)
    if manifest.sealed is not None and opener is None:
        raise WrongUsage(
            f"the result is encrypted, its data key wrapped by {manifest.sealed.wrapped_by}: give --key or --kms"
        )
    findings = open_result(store, manifest, options.output, opener)
    opened = {"job_id": manifest.job_id, "bytes": manifest.size, "sha256": manifest.sha256}
    if options.json:
        print_json({"ok": not findings, **opened, "findings": [each.model_dump() for each in findings]})
    else:
        for finding in findings:
            print(f"{finding.severity}: {finding.key}: {finding.detail}")
        if not findings:
            print(f"{options.output}: {manifest.size} bytes, SHA-256 {manifest.sha256}")
    return 1 if findings else 0


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


def _opener(options: argparse.Namespace) -> Opener | None:
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
