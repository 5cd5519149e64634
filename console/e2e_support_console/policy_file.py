"""The policy as a JSON file: read strictly, since what an editor lost or wrote twice must not be signed."""

from __future__ import annotations

import json

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_form import read_policy


def parse_policy(data: bytes) -> Policy:
    """Return the policy in a JSON document as ``policy show --json`` writes it.

    Args:
        data: the document.

    Raises:
        UsageError: ``bad_policy_file`` for what is no such JSON, ``bad_setting`` for what may not stand in it.
    """
    try:
        form: object = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        what = str(error).partition("\n")[0]
        raise UsageError(
            "bad_policy_file", f"this is no policy: {what}", hint="Begin with `policy show --json`."
        ) from None
    return read_policy(form)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice} stands twice")
    return found
