"""A team's recovery device: all that it is follows from one secret on paper, and it does one thing (protocol 4.3).

A client must never load this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from e2e_support.crypto.hash import derive
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret
from e2e_support.errors import TrustError, UsageError
from e2e_support.ids import ID_SIZE, DeviceId, MemberId
from e2e_support.roster import TrustedRoster
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support.wire import Batch, EpochPackage
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.ceremony import self_check
from e2e_support_keys.changes import add_device_batch
from e2e_support_keys.epochs import TeamKeys
from e2e_support_keys.phrase import WORDS, from_phrase
from e2e_support_keys.shares import combine

LABEL = "Recovery sheet"


def recovery_device(secret: Secret, name: str = LABEL) -> DeviceBundle:
    """Return the device that a secret stands for. It is on paper alone: no keystore ever holds it.

    Owners add it to the team like any device, ``joining`` in the role ``RECOVERY``.

    Args:
        secret: 32 random bytes.
        name: how colleagues see it.
    """
    device_id = DeviceId(derive(secret, Tag.DEVICE_ID, size=ID_SIZE).reveal(SECRET_ACCESS))
    sign, kem, store = (derive(secret, tag) for tag in (Tag.DEVICE_SIGN, Tag.DEVICE_KEM, Tag.STORE_KEY))
    return DeviceBundle(device_id, MemberId(device_id), sign, kem, store, "", name)


def read_secret(texts: Sequence[str]) -> Secret:
    """Return the secret that was typed from paper: one text of 24 words, or several shares.

    Args:
        texts: as typed; capitals and white space do not matter.

    Raises:
        UsageError: ``bad_phrase``, ``bad_share`` or ``too_few_shares``.
    """
    if len(texts) == 1 and len(texts[0].split()) <= WORDS:
        return from_phrase(texts[0])
    return combine(texts)


def recover(
    roster: TrustedRoster,
    secret: Secret,
    package: EpochPackage,
    newcomer: DeviceBundle,
    *,
    older: Sequence[EpochPackage] = (),
    languages: tuple[str, ...] = (),
    now: int,
    random: Random,
) -> Batch:
    """Return the one batch that a recovery device may sign: a new owner with an epoch and all of its history.

    Keep the newcomer's keys before the batch is sent: without them it recovers nothing.

    Args:
        roster: the newest roster.
        secret: what stands on the paper.
        package: boxes of the newest epoch.
        newcomer: fresh keys of the new owner; for a present member who lost a device, with that member's id.
        older: boxes of older epochs, for the case that the newest ring leaves some out.
        languages: tags of the languages that the new owner answers in.
        now: seconds since 1970, for people to read.
        random: source of the epoch's keys.

    Raises:
        UsageError: ``not_recovery`` when the secret is none of this team's, ``bad_random``.
        TrustError: what ``TeamKeys.add`` and ``add_device_batch`` raise.
    """
    sheet = recovery_device(secret)
    _require_active(roster, sheet.device_id)
    keys = TeamKeys(roster.team_id, sheet.device_id, sheet.kem())
    for one in (*_with_box(older, sheet.device_id), package):
        _open(roster, keys, one)
    joining = newcomer.joining(roster.team_id, Role.OWNER, languages)
    batch = add_device_batch(roster, keys, joining, sheet, now=now, random=random)
    roster.update_batch(batch)
    return batch


def drill(
    roster: TrustedRoster,
    secret: Secret,
    package: EpochPackage,
    *,
    older: Sequence[EpochPackage] = (),
    random: Random,
) -> tuple[int, ...]:
    """Recover a team in memory and throw the result away; return the epochs whose tickets would stay closed.

    It changes nothing, since nothing is sent. The new owner of the drill also answers a test ticket.

    Args:
        roster: the newest roster.
        secret: what stands on the paper.
        package: boxes of the newest epoch.
        older: as for ``recover``.
        random: source of keys.

    Raises:
        UsageError, TrustError: as ``recover``: the paper would not help.
    """
    newcomer = DeviceBundle.fresh("Drill", random)
    batch = recover(roster, secret, package, newcomer, older=older, now=0, random=random)
    after = roster.update_batch(batch)
    self_check(after, newcomer, batch.packages[0], random)
    keys = TeamKeys(roster.team_id, newcomer.device_id, newcomer.kem())
    keys.add(after.epochs, batch.packages[0])
    return keys.missing(after.epochs)


def _open(roster: TrustedRoster, keys: TeamKeys, package: EpochPackage) -> None:
    """Open an epoch if it does open: whoever would spoil a recovery makes one that does not (attack 111)."""
    roster.check_package(package)
    with suppress(TrustError):
        keys.add(roster.epochs, package)


def _with_box(packages: Sequence[EpochPackage], device_id: DeviceId) -> Iterator[EpochPackage]:
    return (one for one in packages if any(box.device_id == device_id for box in one.boxes))


def _require_active(roster: TrustedRoster, device_id: DeviceId) -> None:
    device = roster.devices_ever.get(device_id)
    if device is None:
        raise _not_recovery(
            "this is not a recovery secret of this team", "Look for the sheet with the team's words."
        )
    if device.revoked is not None:
        raise _not_recovery(
            "this recovery secret was removed from the team", "Look for a newer sheet; destroy this."
        )


def _not_recovery(why: str, hint: str) -> UsageError:
    return UsageError("not_recovery", why, hint=hint)
