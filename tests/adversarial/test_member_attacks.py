"""Attacks of administrators and of those who were: removed devices, rogue owners, bad epochs, auditors who write."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Killed, User, dying
from e2e_support.content import Author, MessageBody
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.errors import SupportError, TrustError
from e2e_support.freshness import sign_freshness
from e2e_support.ids import MessageId, TeamId
from e2e_support.roster import TrustedRoster, next_bodies
from e2e_support.roster_links import sign_link
from e2e_support.vocab import AuthorRole, Kind, Role, Verdict
from e2e_support.wire import Append, Batch, LinksPage
from e2e_support_client import SupportClient, clock
from e2e_support_client.port import Refused
from e2e_support_console.team import TeamClient
from e2e_support_keys.changes import leave_batch, remove_devices_batch
from e2e_support_keys.epochs import NewEpoch, TeamKeys, make_epoch
from e2e_support_keys.keystore import MemoryKeystore
from team_room import TeamRoom


async def code_of(attempt: Callable[[], object]) -> str:
    """Return the code with which an attempt is refused."""
    with pytest.raises(SupportError) as error:
        await attempt()  # type: ignore[misc]
    return error.value.code


async def sealed_by(team: TeamClient, user: User, text: str, conversation: Conversation) -> bytes:
    """Return an entry that a device signs for the next place in a log, whatever its console would say."""
    device_id, key = team.desk.bundle.signer()
    author = AuthorKey(Author(AuthorRole.DEVICE, device_id), key)
    draft = Draft(Kind.MESSAGE, MessageBody(text, 0), MessageId(clock.random(16)))
    return conversation.seal(draft, author, now=clock.now(), random=clock.random).entry


async def test_51_a_removed_device_with_a_copy_of_everything_reads_nothing_new(tmp_path: Path) -> None:
    """Attack 51: keys, store and all that the relay gives to anybody do not open what is written after a removal."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        old = await room.ticket("Old")
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        await ben.close()
        shutil.copytree(room.home_of("Ben"), tmp_path / "copy")
        await anna.members.remove("Ben")
        old.conversation.team = await room.roster()
        await old.pull()
        await old.say("Only for those who are in the team.")
        new = await room.ticket("New")
        room.keystores["copy"] = room.keystores["Ben"]
        thief = await room.console("copy")
        assert await code_of(thief.sync) == "not_in_team"
        roster = await room.roster()
        for user in (old, new):
            log = Conversation(user.mailbox, roster, thief.desk.team.keys)
            opened = [log.receive(item) for item in room.relay.stored(user.mailbox)]
            assert opened[-1].body is None
            assert opened[-1].verdict is not Verdict.OK
        with pytest.raises(TrustError):
            thief.desk.team.keys.add(
                roster.epochs, await room.relay.package(roster.team_id, roster.epoch.epoch)
            )


async def test_52_a_back_dated_entry_is_forged_above_the_barrier(tmp_path: Path) -> None:
    """Attack 52: what a removed device writes with the relay's help, citing an old roster, nobody believes."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        cleo = await room.add(anna, "Cleo", Role.AUDITOR)
        user = await room.ticket()
        for team in (ben, cleo):
            await team.catch_up()
        await anna.close()
        anna = await room.console("Anna", dying(room.relay, "append"))
        with pytest.raises(Killed):
            await anna.members.remove("Ben")
        log = await ben.desk.load(user.mailbox)
        entry = await sealed_by(ben, user, "The office has moved.", log.conversation)
        append = Append(log.length, log.conversation.chain.hash, entry, ())
        await room.relay.append(user.mailbox, append, user.keys.capability)  # a relay that helps lets it in

        await cleo.catch_up()
        (_, before) = (await cleo.desk.load(user.mailbox)).thread.entries
        assert (before.verdict, before.reason) == (Verdict.UNVERIFIABLE, "removed_device")
        await anna.close()
        anna = await room.console("Anna")
        for team in (anna, cleo):
            await team.catch_up()
            (_, late, barrier) = (await team.desk.load(user.mailbox)).thread.entries
            assert (late.verdict, late.body) == (Verdict.FORGED, None)
            assert barrier.verdict is Verdict.OK


async def bad_epoch(
    anna: TeamClient, room: TeamRoom, change: Callable[[TeamKeys, NewEpoch], NewEpoch]
) -> None:
    """Let a rogue owner begin an epoch that is not what it says; no relay can tell."""
    desk = anna.desk
    await desk.team.refresh()
    devices = tuple(desk.roster.devices.values())
    epoch = change(desk.team.keys, desk.team.keys.next_epoch(devices, clock.random))
    bodies = next_bodies(desk.roster, [epoch.record], clock.now())
    link = sign_link(bodies[0], [desk.bundle.signer()])
    room.relay.take_batch(desk.team_id, Batch((link,), (epoch.package,)))


def other_seed(keys: TeamKeys, epoch: NewEpoch) -> NewEpoch:
    """Commit to another seed than the one in the boxes."""
    return replace(epoch, record=replace(epoch.record, commitment=bytes(32)))  # type: ignore[arg-type]


async def test_56_an_epoch_that_is_not_what_was_signed_raises_an_alarm(tmp_path: Path) -> None:
    """Attack 56: a console refuses an epoch whose box holds another seed than the link commits to, and says so."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        before = ben.desk.team.keys.newest
        await bad_epoch(anna, room, other_seed)
        assert await code_of(ben.sync) == "bad_epoch"
        assert ben.desk.team.keys.newest == before
        assert [alarm.code for alarm in await ben.alarms()] == ["bad_epoch"]


async def test_57_a_ring_that_leaves_epochs_out_raises_an_alarm(tmp_path: Path) -> None:
    """Attack 57: when the newest ring keeps an older epoch from newcomers, every console says so."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await ben.catch_up()

        def short_ring(keys: TeamKeys, epoch: NewEpoch) -> NewEpoch:
            devices = tuple(anna.desk.roster.devices.values())
            return make_epoch(
                anna.desk.team_id,
                keys.newest + 1,
                devices,
                locator=keys.locator,
                older={},
                random=clock.random,
            )

        await bad_epoch(anna, room, short_ring)
        await ben.sync()
        assert [alarm.code for alarm in await ben.alarms()] == ["epoch_ring_gap"]
        assert [finding.code for finding in await ben.keys.audit()] == ["ring_gap"]


async def test_83_a_rogue_owner_cannot_remove_the_others_alone(tmp_path: Path) -> None:
    """Attack 83: below the threshold a removal is a proposal that changes nothing, and the relay takes no other."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        cleo = await room.add(anna, "Cleo", Role.OWNER)
        assert await anna.members.set_threshold(2) is None
        proposal = await anna.members.remove("Ben")
        assert proposal is not None
        assert proposal.missing == 1
        batch = remove_devices_batch(
            anna.desk.roster,
            anna.desk.team.keys,
            [ben.desk.bundle.device_id],
            anna.desk.bundle,
            now=clock.now(),
            random=clock.random,
        )
        key = anna.desk.bundle.signer()[1]
        with pytest.raises(Refused) as refused:
            await room.relay.post_links(anna.desk.team_id, batch, key)
        assert refused.value.code == "link_refused"
        assert len((await room.roster()).devices) == 3
        assert await code_of(lambda: anna.proposals.cosign(proposal.number)) == "nothing_to_sign"
        await cleo.catch_up()
        assert await cleo.proposals.cosign(proposal.number) is None
        assert ben.desk.bundle.device_id not in (await room.roster()).devices


async def test_83_nobody_leaves_fewer_owners_than_the_threshold(tmp_path: Path) -> None:
    """Attack 83: an owner who would leave too few behind cannot leave, whatever batch is posted."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        await anna.members.set_threshold(2)
        await ben.catch_up()
        assert await code_of(ben.members.leave) == "owners_below_threshold"
        with pytest.raises(TrustError):
            leave_batch(ben.desk.roster, ben.desk.bundle, now=clock.now())


async def test_8_a_newer_link_shows_the_list_from_before_to_nobody(tmp_path: Path) -> None:
    """Attack 8: a removed owner and the relay fool whoever has the plain link; the newer one refuses both stories."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        await ben.catch_up()
        old = ben.desk.roster
        assert anna.link == anna.plain_link
        await anna.members.remove("Ben")
        assert anna.link != anna.plain_link
        other = old.update_batch(rotate(ben, old))
        other = other.update_batch(rotate(ben, other))
        assert len(other.links) == len((await room.roster()).links)
        for served, code in ((old.links, "roster_behind"), (other.links, "roster_fork")):
            with pytest.MonkeyPatch.context() as lying:
                lying.setattr(room.relay, "links", serving(served))
                async with client(room, anna.plain_link, code) as user:
                    await user.verify_team()  # nothing tells this user: that is what the newer link is for
                for name in (code, f"new {code}"):
                    async with client(room, anna.link, name) as user:
                        assert await code_of(user.verify_team) == code
                        with pytest.raises(TrustError) as refused:
                            await user.tickets.create("Hello", "Who reads this?", category="question")
                        assert refused.value.code == code
        async with client(room, anna.link, "roster_behind") as user:
            assert [one.name for one in (await user.verify_team()).members] == ["Anna"]


def client(room: TeamRoom, link: str, name: str) -> SupportClient:
    """Return the client of a user who has some support link."""
    keystore = room.keystores.setdefault(name, MemoryKeystore())
    return SupportClient(link, keystore=keystore, state_dir=room.home_of(name), relay=room.relay)


def rotate(team: TeamClient, roster: TrustedRoster) -> Batch:
    """Return a batch by which a device tells another story of the team."""
    devices = tuple(roster.devices.values())
    epoch = make_epoch(
        roster.team_id,
        roster.epoch.epoch + 1,
        devices,
        locator=team.desk.team.keys.locator,
        older={},
        random=clock.random,
    )
    (body,) = next_bodies(roster, [epoch.record], clock.now())
    return Batch((sign_link(body, [team.desk.bundle.signer()]),), (epoch.package,))


def serving(links: Sequence[bytes]) -> Callable[[TeamId, int], Awaitable[LinksPage]]:
    """Return a relay's answer to whoever asks for links."""

    async def served(_team_id: TeamId, start: int) -> LinksPage:
        return LinksPage(len(links), tuple(links[start:]))

    return served


async def test_84_a_removed_device_has_no_way_in(tmp_path: Path) -> None:
    """Attack 84: the capability of before opens neither feed nor tickets, and the device's key posts no links."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket()
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        capability, key = ben.desk.capability(), ben.desk.bundle.signer()[1]
        leaving = leave_batch(ben.desk.roster, ben.desk.bundle, now=clock.now())
        await anna.members.remove("Ben")
        team_id = anna.desk.team_id
        for attempt in (
            lambda: room.relay.feed(team_id, 0, capability),
            lambda: room.relay.read(user.mailbox, 0, capability),
            lambda: room.relay.post_links(team_id, leaving, key),
        ):
            assert await code_of(attempt) == "not_found"


async def test_85_a_removed_device_vouches_for_nothing(tmp_path: Path) -> None:
    """Attack 85: neither relay nor console takes a statement that a removed device has signed."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await ben.catch_up()
        old, signer = ben.desk.roster, ben.desk.bundle.signer()
        await anna.members.remove("Ben")
        before = await room.relay.freshness(anna.desk.team_id)
        statement = sign_freshness(old, [signer], now=clock.now())
        assert (
            await code_of(lambda: room.relay.put_freshness(anna.desk.team_id, statement, signer[1]))
            == "not_found"
        )
        await anna.catch_up()
        assert await room.relay.freshness(anna.desk.team_id) == before
        assert await anna.vouched_until() is not None


async def test_89_an_auditor_who_writes_is_not_believed(tmp_path: Path) -> None:
    """Attack 89: an auditor's console refuses to write, and an entry sent past it counts for nobody."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket()
        cleo = await room.add(anna, "Cleo", Role.AUDITOR)
        await cleo.catch_up()
        for attempt in (
            lambda: cleo.inbox.reply(user.number, "I am the team."),
            lambda: cleo.inbox.note(user.number, "A note."),
            lambda: cleo.members.invite("Eve"),
            cleo.keys.rotate,
        ):
            assert await code_of(attempt) in {"not_allowed", "owners_only", "nothing_to_sign"}
        log = await cleo.desk.load(user.mailbox)
        entry = await sealed_by(cleo, user, "I am the team.", log.conversation)
        append = Append(log.length, log.conversation.chain.hash, entry, ())
        await room.relay.append(user.mailbox, append, cleo.desk.capability())
        await anna.catch_up()
        last = (await anna.desk.load(user.mailbox)).thread.entries[-1]
        assert (last.verdict, last.reason) == (Verdict.NONCONFORMING, "not_allowed")


async def test_10_words_bind_name_and_role(tmp_path: Path) -> None:
    """Attack 10: a newcomer who asks for another role than was offered is refused, even with the right words."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        invitation = await anna.members.invite("Ben", Role.AUDITOR)
        real = type(invitation).read_offer

        def greedy(self: object, entry: bytes) -> object:
            return replace(real(invitation, entry), role=Role.OWNER)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(type(invitation), "read_offer", greedy)
            words = await room.join(invitation.link, invitation.code, "Ben")
        with pytest.raises(TrustError) as error:
            await anna.members.approve("Ben", " ".join(words))
        assert error.value.code == "other_answer"
        assert len((await room.roster()).devices) == 1
