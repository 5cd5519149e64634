"""A team's history in plain words: who did what, who agreed, and what a batch would add."""

from __future__ import annotations

from dataclasses import replace

from crew import NOW, Crew
from e2e_support.crypto.sign import SigningKey
from e2e_support.presets import DEFAULT
from e2e_support.roster_links import DeviceUpdate, IssuerKeys, Payload, RelayKeys, Rename, Threshold
from e2e_support.vocab import Role
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.changes import add_device_batch, propose
from e2e_support_keys.history import Event, foretell, history, in_a_row, name_of
from e2e_support_keys.recovery import recover, recovery_device
from keys_room import KEY, OTHER_KEY, Numbered


def told(crew: Crew) -> list[str]:
    """Return the sentences of a team's history."""
    return [event.what for event in history(crew.roster)]


def test_comings_and_goings_are_told_with_their_epochs() -> None:
    """Each change of devices is one sentence: who, whom, as what, with how many voices, and which epoch."""
    crew = Crew.found("Anna", "Carl", threshold=2)
    crew.add("Ben", Role.AGENT, by="Anna")
    crew.add("Ben's phone", Role.AGENT, by="Ben", of="Ben")
    crew.add("Emma", Role.OWNER, by="Carl")
    crew.remove("Ben", "Ben's phone", by="Anna")
    crew.remove("Emma", by="Carl")
    crew.add("Dora", Role.AUDITOR, by="Anna")
    crew.leave("Dora")
    crew.rotate(by="Carl")
    assert told(crew) == [
        "Anna founded Acme support and began epoch 0",
        "Anna added Carl as owner and began epoch 1",
        "Anna set how many owners must agree to 2",
        "Anna added Ben as agent and began epoch 2",
        "Ben added Ben's phone, another device of Ben and began epoch 3",
        "Carl added Emma as owner (2 of 2 owners signed) and began epoch 4",
        "Anna removed Ben",
        "Anna removed Ben's phone and began epoch 5",
        "Carl removed Emma (2 of 2 owners signed) and began epoch 6",
        "Anna added Dora as auditor and began epoch 7",
        "Dora left",
        "Carl began epoch 8",
    ]


def test_events_say_when_and_by_whom() -> None:
    """An event has the number and time of its first link, and the names of all who signed, the proposer first."""
    crew = Crew.found("Anna", "Carl", threshold=2)
    crew.add("Emma", Role.OWNER, by="Carl")
    first, *_, last = history(crew.roster)
    assert first == Event(0, NOW, "Anna founded Acme support and began epoch 0", ("Anna",))
    assert (last.seq, last.by) == (4, ("Carl", "Anna"))
    assert last.time == NOW + 120


def test_other_changes_are_told() -> None:
    """Policies say what changed in them; keys and names have their sentence too."""
    crew = Crew.found("Anna", "Carl")
    anna, fresh = crew.id("Anna"), DeviceBundle.fresh("x", Numbered(5)).kem().public
    changes: tuple[Payload, ...] = (
        replace(DEFAULT, show_languages=0, external_url="https://example.org"),
        RelayKeys((SigningKey(OTHER_KEY).public,)),
        IssuerKeys(()),
        DeviceUpdate(anna, fresh),
        Rename(anna, "Anna at home", ("de", "fr")),
        Rename(anna, "Anna at sea", ()),
    )
    for payload in changes:
        crew.change([payload], by=["Anna"])
    assert told(crew)[2:] == [
        (
            "Anna changed the policy: users see the team's languages: yes → no; "
            'address that leads out of the encrypted channel: "" → "https://example.org"'
        ),
        "Anna set the relay's signing keys (1)",
        "Anna set the keys that admit people (0)",
        "Anna took a fresh key for what is sealed to this device",
        "Anna is now called Anna at home and answers in de and fr",
        "Anna at home is now called Anna at sea and answers in any language",
    ]


def test_the_same_policy_again_changes_nothing() -> None:
    """A policy that says what held already is told as that."""
    crew = Crew.found("Anna")
    crew.change([DEFAULT], by=["Anna"])
    assert told(crew)[-1] == "Anna changed the policy: nothing"


def test_a_long_text_of_the_policy_is_told_in_full_before_it_is_signed() -> None:
    """Who co-signs reads every word that changes; the history, which is only read, cuts long texts."""
    crew = Crew.found("Anna")
    bug, *rest = DEFAULT.categories
    new = replace(DEFAULT, categories=(replace(bug, guidelines="x" * 200), *rest))
    batch = propose(crew.roster, [new], crew.devices["Anna"], now=NOW)
    (event,) = foretell(crew.roster, batch)
    assert "x" * 200 in event.what
    crew.carry_out(batch)
    assert f'"{"x" * 60}…"' in told(crew)[-1]


def test_a_recovery_is_told() -> None:
    """Everybody sees that the sheet was used, and for whom."""
    crew = Crew.found("Anna")
    sheet = recovery_device(KEY)
    joining = sheet.joining(crew.roster.team_id, Role.RECOVERY)
    crew.carry_out(
        add_device_batch(
            crew.roster, crew.keys["Anna"], joining, crew.devices["Anna"], now=NOW, random=crew.random
        )
    )
    crew.carry_out(
        recover(crew.roster, KEY, crew.packages[1], crew.newcomer("Dora"), now=NOW, random=crew.random)
    )
    assert told(crew)[1:] == [
        "Anna added Recovery sheet for recovery and began epoch 1",
        "Recovery sheet added Dora as owner and began epoch 2",
    ]


def test_a_batch_is_told_before_it_is_signed() -> None:
    """Whoever is asked to sign reads the sentence that history would have, with the voices so far."""
    crew = Crew.found("Anna", "Carl", "Emma", threshold=2)
    crew.add("Ben", Role.AGENT, by="Anna")
    removal = crew.removing("Emma", by="Anna")
    (event,) = foretell(crew.roster, removal)
    assert event.what == "Anna removed Emma (1 of 2 owners signed) and began epoch 4"
    unsigned = propose(
        crew.roster, [Threshold(1), Rename(crew.id("Ben"), "Benjamin", ())], crew.devices["Ben"], now=NOW
    )
    assert [event.what for event in foretell(crew.roster, unsigned)] == [
        "somebody set how many owners must agree to 1 (0 of 2 owners signed)",
        "Ben is now called Benjamin and answers in any language",
    ]
    crew.carry_out(removal)
    assert told(crew)[-1] == "Anna removed Emma (2 of 2 owners signed) and began epoch 4"


def test_an_epoch_by_somebody_else_is_told_apart() -> None:
    """Where one signs the change and another its epoch, both are named."""
    crew = Crew.found("Anna", "Carl")
    crew.add("Ben", Role.AGENT, by="Anna")
    crew.carry_out(crew.adding("Dora", Role.AUDITOR, by="Ben"))
    assert told(crew)[-1] == "Anna added Dora as auditor; Ben began epoch 3"
    assert history(crew.roster)[-1].by == ("Anna", "Ben")


def test_devices_with_one_name_are_told_apart() -> None:
    """Two who call themselves alike are shown with the beginnings of their ids; a stranger is one."""
    crew = Crew.found("Anna")
    twin = DeviceBundle.fresh("Anna", Numbered(3))
    crew.carry_out(
        add_device_batch(
            crew.roster,
            crew.keys["Anna"],
            twin.joining(crew.roster.team_id, Role.AGENT),
            crew.devices["Anna"],
            now=NOW,
            random=crew.random,
        )
    )
    names = [name_of(crew.roster, device) for device in (crew.id("Anna"), twin.device_id)]
    assert names == [f"Anna ({one.hex()[:6]})" for one in (crew.id("Anna"), twin.device_id)]
    stranger = DeviceBundle.fresh("Eve", Numbered(4)).device_id
    assert name_of(crew.roster, stranger) == f"a stranger ({stranger.hex()[:6]})"


def test_names_in_a_row() -> None:
    """None, one, two and more names read as a sentence has them."""
    assert [in_a_row(["a", "b", "c"][:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]
