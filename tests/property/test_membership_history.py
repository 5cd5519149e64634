"""Who can read what, after any story of a team: real batches, boxes, rings and tickets against a model of sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from crew import NOW, Crew, Ticket
from e2e_support.errors import TrustError
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import Role, Verdict
from e2e_support_keys.audit import audit
from e2e_support_keys.changes import add_device_batch
from e2e_support_keys.epochs import TeamKeys
from e2e_support_keys.history import history
from e2e_support_keys.recovery import LABEL, recover, recovery_device
from keys_room import KEY, refused

MAKERS = (Role.OWNER, Role.AGENT)
MENDED_BY_A_ROTATION = {"no_seed", "ring_gap", "rotation_due"}
Deed = tuple[str, int, int, bool]


@dataclass
class Story:
    """A team that lives, and what its people should be able to read.

    Attributes:
        crew: the team with all of its keys.
        reads: the epochs that each person should be able to open.
        joined: the first epoch of each.
        kept_out: who is to have no history.
        tickets: what users wrote, with the epoch it was sealed to.
    """

    crew: Crew = field(default_factory=lambda: Crew.found("anna", "carl"))
    reads: dict[str, set[int]] = field(default_factory=lambda: {"anna": {0, 1}, "carl": {0, 1}})
    joined: dict[str, int] = field(default_factory=lambda: {"anna": 0, "carl": 1})
    kept_out: set[str] = field(default_factory=set[str])
    tickets: list[tuple[Ticket, int]] = field(default_factory=list[tuple[Ticket, int]])

    # --- the model ---------------------------------------------------------------------------------------

    def began(self, maker: str, *, without: Sequence[str] = (), given: Sequence[str] = ()) -> None:
        """Note an epoch: everybody opens it, and whoever may have history gets what its maker could read."""
        number, known = self.crew.roster.epoch.epoch, set(self.reads[maker])
        active = self.crew.active()
        self.kept_out = ((self.kept_out | set(without)) - set(given)) & set(active)
        for name in active:
            self.joined.setdefault(name, number)
            mine = self.reads.setdefault(name, set())
            mine |= {number} if name in self.kept_out else {number} | known

    # --- deeds -------------------------------------------------------------------------------------------

    def live(self, deed: Deed) -> None:
        """Do one thing, if it can be done now."""
        what, one, two, flag = deed
        makers = [name for name in self.crew.active() if self.crew.role(name) in MAKERS]
        owners = [name for name in makers if self.crew.role(name) is Role.OWNER]
        owner, maker = owners[one % len(owners)], makers[one % len(makers)]
        target = self.crew.active()[two % len(self.crew.active())]
        match what:
            case "write":
                self.tickets.append((self.crew.write(), self.crew.roster.epoch.epoch))
            case "add":
                self.add(owner, MAKERS[two % 2] if two % 3 else Role.AUDITOR, history=flag)
            case "rotate":
                given = [target] if flag else []
                self.crew.rotate(by=maker, give_history=given)
                self.began(maker, given=given)
            case "recover":
                self.recover(owner)
            case _ if target != owner:
                self.part_with(target, owner, leaves=flag)
            case _:
                pass

    def add(self, owner: str, role: Role, *, history: bool) -> None:
        """Let somebody new in."""
        name = f"{role.name.lower()} {len(self.crew.devices)}"
        self.crew.add(name, role, by=owner, history=history)
        self.began(owner, without=() if history else [name])

    def part_with(self, target: str, owner: str, *, leaves: bool) -> None:
        """Let somebody leave by themselves, or remove them."""
        if leaves and self.crew.role(target) is not Role.RECOVERY:
            self.crew.leave(target)
        else:
            self.crew.remove(target, by=owner)
            self.began(owner)

    def recover(self, owner: str) -> None:
        """Use the recovery sheet; the first time it is only printed and added."""
        crew, sheet = self.crew, recovery_device(KEY)
        if LABEL not in crew.devices:
            crew.devices[LABEL] = sheet
            crew.keys[LABEL] = TeamKeys(crew.roster.team_id, sheet.device_id, sheet.kem())
            joining = sheet.joining(crew.roster.team_id, Role.RECOVERY)
            keys, device = crew.keys[owner], crew.devices[owner]
            crew.carry_out(add_device_batch(crew.roster, keys, joining, device, now=NOW, random=crew.random))
            self.began(owner)
        elif LABEL in crew.active():
            newest, older = crew.packages[crew.roster.epoch.epoch], list(crew.packages.values())
            newcomer = crew.newcomer(f"recovered {len(crew.devices)}")
            crew.carry_out(
                recover(crew.roster, KEY, newest, newcomer, older=older, now=NOW, random=crew.random)
            )
            self.began(LABEL)

    # --- what must hold ----------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare what everybody can read with the model, with kept keys and with keys from all packages."""
        for name in self.crew.devices:
            kept, again = self.crew.keys[name], self.with_all_packages(name)
            expected = [epoch in self.reads[name] for _, epoch in self.tickets]
            assert self.opens(name, kept) == expected
            assert self.opens(name, again) == expected
            assert set(kept.missing(self.crew.roster.epochs)) == self.closed_to(name)
        for name in self.crew.active():
            codes = {
                found.code for found in audit(self.crew.roster, self.crew.packages, self.crew.keys[name])
            }
            assert codes <= MENDED_BY_A_ROTATION

    def closed_to(self, name: str) -> set[int]:
        """Return the epochs that somebody should not be able to open."""
        return set(range(len(self.crew.roster.epochs))) - self.reads[name]

    def opens(self, name: str, keys: TeamKeys) -> list[bool]:
        """Return which tickets somebody reads with some keys; what does not open has no key, and nothing else."""
        opened = [self.crew.read(name, ticket, keys) for ticket, _ in self.tickets]
        assert {one.reason for one in opened} <= {"", "no_key"}
        return [one.verdict is Verdict.OK for one in opened]

    def with_all_packages(self, name: str) -> TeamKeys:
        """Return keys that tried every package there ever was, as a device that lost its store would."""
        bundle, roster = self.crew.devices[name], self.crew.roster
        keys = TeamKeys(roster.team_id, bundle.device_id, bundle.kem())
        for package in self.crew.packages.values():
            if any(box.device_id == bundle.device_id for box in package.boxes):
                keys.add(roster.epochs, package)
                continue
            with refused("no_box", TrustError):
                keys.add(roster.epochs, package)
        return keys


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "add", "part", "rotate", "recover"]),
        st.integers(0, 5),
        st.integers(0, 5),
        st.booleans(),
    ),
    min_size=3,
    max_size=12,
)
NO_HISTORY_FOR_LONG: list[Deed] = [
    ("write", 0, 0, True),
    ("add", 0, 1, False),
    ("rotate", 1, 0, False),
    ("write", 0, 0, True),
    ("rotate", 2, 0, False),
    ("add", 0, 2, True),
    ("write", 0, 0, True),
]
REMOVED_AND_RECOVERED: list[Deed] = [
    ("write", 0, 0, True),
    ("recover", 0, 0, True),
    ("part", 0, 1, False),
    ("write", 0, 0, True),
    ("recover", 0, 0, True),
    ("part", 1, 0, True),
    ("write", 0, 0, True),
    ("rotate", 0, 0, False),
    ("write", 0, 0, True),
]


@settings(max_examples=25, deadline=None)
@given(DEEDS)
@example(NO_HISTORY_FOR_LONG)
@example(REMOVED_AND_RECOVERED)
def test_everybody_reads_what_they_should_and_no_more(deeds: list[Deed]) -> None:
    """After any story kept keys, fresh keys with all packages, and the model of who reads what are the same."""
    story = Story()
    for deed in deeds:
        story.live(deed)
    story.check()


@settings(max_examples=25, deadline=None)
@given(DEEDS)
@example(NO_HISTORY_FOR_LONG)
@example(REMOVED_AND_RECOVERED)
def test_51_the_rules_that_people_are_told_hold(deeds: list[Deed]) -> None:
    """Who is in the team reads all since they joined; who left reads nothing that was sealed to a later epoch."""
    story = Story()
    for deed in deeds:
        story.live(deed)
    roster = story.crew.roster
    for name, device in story.crew.devices.items():
        closed = set(story.crew.keys[name].missing(roster.epochs))
        boxed = [
            one.epoch for one in roster.epochs if device.device_id in {box.device_id for box in one.boxes}
        ]
        assert boxed[0] == story.joined[name]
        assert not closed & set(boxed)
        assert closed >= set(range(boxed[-1] + 1, len(roster.epochs)))


@settings(max_examples=15, deadline=None)
@given(DEEDS)
def test_history_is_told_for_every_roster(deeds: list[Deed]) -> None:
    """Every link has its sentence, every sentence its signers, and the roster is what its own links make."""
    story = Story()
    for deed in deeds:
        story.live(deed)
    roster = story.crew.roster
    events = history(roster)
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert all(event.what and event.by for event in events)
    assert sum(event.what.count("began epoch") for event in events) == len(roster.epochs)
    assert TrustedRoster.begin(roster.links[0]).update(roster.links[1:]) == roster
