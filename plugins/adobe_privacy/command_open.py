"""The command `open`: results taken out of the archive, checked and decrypted, by a request's id or by a job's URI."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from adobe_privacy.archive import ArchiveError, Manifest, Opener, job_place, open_result, result_manifest
from adobe_privacy.command_archive import given_opener
from adobe_privacy.command_output import print_json
from adobe_privacy.command_places import Places, WrongUsage
from adobe_privacy.intake.request import Action
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import AccessKind, Job
from adobe_privacy.plain_text import plain
from adobe_privacy.reporting.export import result_name
from adobe_privacy.storage import StorageError, Store, open_store


def open_(options: argparse.Namespace) -> int:
    if "://" not in options.what:
        with options.open_ledger(options) as ledger:
            return _of_request(options, ledger)
    if options.output.exists():
        raise WrongUsage(f"{options.output} exists already")
    location, folder = job_place(options.what)
    store = open_store(location)
    manifest = result_manifest(store, folder)
    return _said(options, [_taken_out(store, manifest, options.output, _opener(options, manifest))])


def _of_request(options: argparse.Namespace, ledger: Ledger) -> int:
    """All the results of a request: one as the file `--output`, several in the folder `--output`. The ledger notes who
    took them out before any is written."""
    name = options.what
    jobs = ledger.people.request_jobs(name)
    archived = [job for job in jobs if job.manifest is not None]
    if not archived:
        problem = f"nothing of {name} is archived" if jobs else f"the ledger has no request {name}"
        print(plain(problem), file=sys.stderr)
        return 1
    store = open_store(options.archive) if options.archive else options.places.archive()
    found, missing = _with_results(store, archived)
    for problem in missing:
        print(plain(problem), file=sys.stderr)
    if not found:
        if not missing:
            print(plain(f"{name} has no result: only access jobs have one"), file=sys.stderr)
        return 1
    within = options.output.is_dir()
    if len(found) > 1 and not within:
        raise WrongUsage(f"{name} has {len(found)} results: give as --output a folder that exists")
    outputs = [options.output / result_name(job) if within else options.output for job, _ in found]
    if there := next((path for path in outputs if path.exists()), None):
        raise WrongUsage(f"{there} exists already")
    openers = [_opener(options, manifest) for _, manifest in found]
    ledger.accesses.note(
        AccessKind.DOWNLOADED, f"{len(found)} results, by the command open", request_id=found[0][0].request_id
    )
    opened = [
        _taken_out(store, manifest, output, opener)
        for (_, manifest), output, opener in zip(found, outputs, openers, strict=True)
    ]
    return _said(options, opened) or (1 if missing else 0)


def _with_results(store: Store, jobs: list[Job]) -> tuple[list[tuple[Job, Manifest]], list[str]]:
    """The access jobs with their manifests, and why others of them have no result any more."""
    found, missing = [], []
    for job in jobs:
        if job.action != Action.ACCESS:
            continue
        try:
            found.append((job, result_manifest(store, str(job.manifest).rpartition("/")[0])))
        except (ArchiveError, StorageError) as error:
            missing.append(f"part {job.part}: {error}")
    return found, missing


def _opener(options: argparse.Namespace, manifest: Manifest) -> Opener | None:
    if manifest.sealed is None:
        return None
    places: Places = options.places
    found = given_opener(options)
    if found is None and "://" not in options.what and places.opener is not None:
        found = places.opener()
    if found is None:
        raise WrongUsage(
            f"the result is encrypted, its data key wrapped by {manifest.sealed.wrapped_by}: give --key or --kms"
        )
    return found


def _taken_out(store: Store, manifest: Manifest, output: Path, opener: Opener | None) -> dict[str, Any]:
    findings = open_result(store, manifest, output, opener)
    return {
        "ok": not findings,
        "job_id": manifest.job_id,
        "output": str(output),
        "bytes": manifest.size,
        "sha256": manifest.sha256,
        "findings": [each.model_dump() for each in findings],
    }


def _said(options: argparse.Namespace, opened: list[dict[str, Any]]) -> int:
    if options.json:
        print_json(opened[0] if "://" in options.what else opened)
    else:
        for each in opened:
            for finding in each["findings"]:
                print(f"{finding['severity']}: {finding['key']}: {finding['detail']}")
            if each["ok"]:
                print(f"{each['output']}: {each['bytes']} bytes, SHA-256 {each['sha256']}")
    return 0 if all(each["ok"] for each in opened) else 1
