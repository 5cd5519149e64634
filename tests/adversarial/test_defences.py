"""Each attack succeeds without its defence: tests of this folder, run again with what they rely on taken away.

A row names a test, what is taken away, and what the test is given. Run like that the test must fail by an assertion of
its own: then it watches this very defence, and passes for no other reason.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nacl.pwhash.argon2id
import pytest

import adversarial.test_console_attacks as console
import adversarial.test_crypto_attacks as crypto
import adversarial.test_keys_attacks as keys
import adversarial.test_member_attacks as member
import adversarial.test_relay_attacks as relay
import adversarial.test_relay_team_attacks as relay_team
import adversarial.test_ticket_attacks as ticket
import adversarial.test_trust_attacks as trust
import adversarial.test_user_attacks as user
import client.test_erasing as client_erasing
import console.test_erasing as console_erasing
from e2e_support import (
    attachment,
    canonical,
    codec,
    entry_proofs,
    epoch,
    log_reader,
    request,
    roster,
    roster_steps,
    thread,
    ticket_rules,
)
from e2e_support import ticket as ticket_module
from e2e_support.conversation import Conversation
from e2e_support.crypto import cae, seal, sign
from e2e_support.mailbox import Chain
from e2e_support.membership import Membership
from e2e_support.roster import TrustedRoster
from e2e_support_client import part_file, plain, tombstones, view
from e2e_support_console import duties, feed, render, sync
from e2e_support_console.barriers import BarrierPass
from e2e_support_console.desk import Desk
from e2e_support_console.logs import Log
from e2e_support_console.sync import Sync
from e2e_support_keys import private_files, store
from e2e_support_keys.vault import Cost
from e2e_support_server import guard, screen
from e2e_support_server.admission import Admission
from e2e_support_server.fairness import Rate, Turns
from e2e_support_server.guard import Guard
from e2e_support_server.service import erasure, rosters
from e2e_support_server.service.mailboxes import Mailboxes
from e2e_support_server.service.teams import Teams
from e2e_support_server.storage import appends
from e2e_support_server.tokens import Nonces, Sessions
from relay_kit import ManualClock
from stand_ins import (
    a_user,
    allocated,
    always,
    any_number,
    anyone,
    as_before,
    as_by_a_user,
    as_by_an_agent,
    as_by_the_team,
    as_markup,
    beside_the_ticket,
    everything,
    its_own_author,
    lines_of,
    never,
    no_lock,
    no_reason,
    not_caught,
    nothing,
    nothing_awaited,
    own_name,
    own_record,
    same_text,
    unheard_of,
    whatever_came,
    whatever_it_says,
)
from user_kit import fake_world

Defence = tuple[object, str, object]

CLEAN: Final[Defence] = (plain, "_clean", same_text)
LINES: Final[Defence] = (plain, "_lines", lines_of)
SIGNERS: Final[tuple[Defence, ...]] = (
    (roster_steps, "quorum", anyone),
    (roster_steps, "check_signatures", nothing),
)
FIRST_LOOK: Final[Defence] = (Log, "_take_first", Log._take_some)  # pyright: ignore[reportPrivateUsage]
SIGNATURE: Final[Defence] = (log_reader, "require_signature", nothing)
PAGES: Final[Defence] = (Chain, "check_page", nothing)
CLASSES: Final[Defence] = (Mailboxes, "_writer", a_user)
JUDGED: Final[Defence] = (thread, "judge", as_by_an_agent)
LOCK: Final[Defence] = (store, "_take_lock", no_lock)


@dataclass(frozen=True)
class Row:
    """A test that must fail.

    Attributes:
        test: the test.
        defences: what it is run without.
        given: its parameters.
        ends: what it ends with.
    """

    test: Callable[..., Any]
    defences: tuple[Defence, ...]
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    ends: tuple[type[BaseException], ...] = (AssertionError, pytest.fail.Exception, ValueError)

    @property
    def name(self) -> str:
        """The test's name and the first thing that is missing."""
        return f"{self.test.__name__.removeprefix('test_')} without {self.defences[0][1].strip('_')}"


def row(test: Callable[..., Any], *defences: Defence, **given: Any) -> Row:
    """Return a row."""
    return Row(test, defences, given)


def falling(test: Callable[..., Any], by: type[BaseException], /, *defences: Defence, **given: Any) -> Row:
    """Return a row whose test ends with the very error that the defence is there to catch."""
    return Row(test, defences, given, (by,))


ROWS: Final = [
    # a malicious relay
    row(trust.test_7_a_list_without_the_links_head_gets_nothing, (TrustedRoster, "require_head", nothing)),
    row(trust.test_14_a_closing_cannot_be_taken_back, PAGES),
    row(trust.test_15_two_histories_are_proven, PAGES),
    row(trust.test_86_two_times_for_one_entry_are_proven, (Conversation, "_note_proofs", nothing)),
    row(console.test_26_fake_tickets_never_reach_the_list, FIRST_LOOK),
    row(console.test_26_noise_in_a_fake_costs_nothing, (feed, "put_aside", nothing_awaited)),
    row(console.test_26_a_feed_of_invented_mailboxes_ends, (sync, "TRIES_MAX", 10**9)),
    row(console.test_27_a_flood_of_key_boxes_is_opened_within_a_budget, (feed, "waiting", everything)),
    row(console.test_27_a_fake_with_many_entries_is_left_at_its_first, FIRST_LOOK),
    # a malicious user
    row(console.test_34_and_35_no_control_character_reaches_the_terminal, CLEAN, LINES),
    row(console.test_34_debug_data_of_a_stranger_prints_harmlessly, CLEAN, about="{}"),
    row(console.test_35_no_name_looks_like_the_team, (render, "name_and_role", own_name), name="Anna (team)"),
    row(
        console.test_36_a_file_lands_only_where_it_was_asked_for,
        (part_file, "safe_name", same_text),
        name="../../evil.txt",
    ),
    row(
        console.test_40_a_bad_reply_key_never_stops_the_console,
        (entry_proofs, "_is_kem_key", always),
        reply_key=bytes(1216),
    ),
    row(console.test_41_a_message_in_an_administrators_name_is_not_the_teams, SIGNATURE),
    row(console.test_65_two_consoles_never_share_a_store, LOCK),
    row(user.test_34_no_escape_sequence_reaches_a_terminal, CLEAN, LINES),
    row(user.test_36_a_hostile_manifest_saves_nowhere_else, (part_file, "safe_name", same_text)),
    row(
        user.test_87_a_resealed_retry_is_one_message,
        (thread.Thread, "_identity", unheard_of),
        second="Once.",
        shown=2,
    ),
    row(console.test_33_markup_is_text, (plain, "_clean", as_markup)),
    row(user.test_33_markup_is_text, (plain, "_clean", as_markup)),
    row(
        user.test_39_a_malformed_body_harms_nobody,
        (canonical, "text_problem", no_reason),
        (codec, "text_problem", no_reason),
        what="text that is not NFC",
    ),
    row(console.test_44_many_fields_and_many_entries_are_bounded, (codec.Items, "dump", any_number)),
    row(
        console.test_45_a_false_clock_is_shown_and_decides_nothing,
        (view, "CLOCK_WARNING", 10**9),
        shift=-(10**6),
    ),
    row(
        console.test_45_what_comes_after_a_close_changes_nothing, (ticket_rules, "_window_reason", no_reason)
    ),
    row(console.test_45_an_impossible_sequence_number_is_only_told, (sync, "_pulled", whatever_came)),
    row(
        ticket.test_p6_a_third_party_cannot_plant_a_ticket_for_a_user,
        (Conversation, "_author_public", its_own_author),
    ),
    row(
        console.test_p6_a_third_party_plants_no_ticket_from_support,
        SIGNATURE,
        (ticket_module, "judge_open", as_by_a_user),
    ),
    falling(
        console.test_76_no_exception_ends_the_sync, KeyError, (Sync, "_pull_one", not_caught), error=KeyError
    ),
    falling(
        ticket.test_76_whatever_a_library_throws_the_reader_goes_on,
        OverflowError,
        (cae, "OPEN_ERRORS", ()),
        error=OverflowError("x"),
    ),
    falling(
        crypto.test_76_whatever_the_library_throws_the_box_does_not_open,
        OverflowError,
        (seal, "OPEN_ERRORS", ()),
        error=OverflowError("x"),
    ),
    falling(
        crypto.test_76_whatever_libsodium_throws_the_signature_is_bad,
        TypeError,
        (sign, "_NACL_ERRORS", ()),
        error=TypeError("x"),
    ),
    row(user.test_79_a_file_that_changed_gets_new_keys, (attachment, "same", always)),
    falling(
        client_erasing.test_81_what_is_no_good_statement_purges_nothing,
        tombstones.Erased,
        (tombstones, "check_destruction", as_by_the_team),
    ),
    row(
        console_erasing.test_81_a_bare_claim_purges_nothing,
        (tombstones, "check_destruction", whatever_it_says),
    ),
    # a stranger
    row(
        relay.test_p1_p2_69_a_stranger_cannot_even_tell_whether_a_mailbox_exists,
        CLASSES,
        door="P1 reads the entries",
        signer="a key of their own",
    ),
    row(
        relay.test_p1_p2_69_a_stranger_cannot_even_tell_whether_a_mailbox_exists,
        CLASSES,
        door="P2 declares a blob",
        signer="a key of their own",
    ),
    row(relay.test_p1_the_feed_is_closed_to_strangers, (Teams, "holds", always)),
    row(relay.test_p3_an_accepted_ciphertext_cannot_be_replayed, CLASSES),
    row(relay.test_47_another_tickets_capability_opens_nothing, CLASSES),
    *(
        row(
            relay.test_48_a_forged_or_stolen_admission_opens_nothing,
            (Admission, "_is_proved", always),
            forge=forge,
        )
        for forge in relay.FORGERIES.values()
    ),
    row(relay.test_49_a_mailbox_id_cannot_be_chosen_or_squatted, (Guard, "_may_create", always)),
    row(relay.test_66_a_recorded_request_works_neither_again_nor_later, (Nonces, "use", nothing)),
    row(relay.test_66_a_recorded_request_works_neither_again_nor_later, (guard, "check_time", nothing)),
    row(relay.test_66_one_request_many_times_at_once_works_once, (Nonces, "use", nothing)),
    row(
        relay.test_67_a_signed_request_cannot_be_turned_into_another,
        (request, "verify", always),
        change=relay.SUBSTITUTIONS["another query"],
    ),
    row(
        relay.test_68_what_two_readers_may_understand_differently_is_refused,
        (screen, "check", nothing),
        lines=relay.SMUGGLED["two signatures"],
    ),
    row(relay.test_82_who_lost_a_race_has_the_next_turn, (Turns, "wait", never)),
    row(
        relay.test_82_a_class_that_has_spent_its_budget_leaves_the_other_its_own, (appends, "judge", nothing)
    ),
    # administrators
    row(member.test_52_a_back_dated_entry_is_forged_above_the_barrier, (BarrierPass, "run", nothing_awaited)),
    row(member.test_56_an_epoch_that_is_not_what_was_signed_raises_an_alarm, (epoch, "_fits", always)),
    row(
        member.test_57_a_ring_that_leaves_epochs_out_raises_an_alarm,
        (duties, "audit_epochs", nothing_awaited),
    ),
    row(console.test_30_notes_leave_no_trace_in_the_ticket, (Desk, "staff_log", beside_the_ticket)),
    row(member.test_89_an_auditor_who_writes_is_not_believed, (Desk, "writer", own_record), JUDGED),
    row(member.test_89_an_auditor_who_writes_is_not_believed, JUDGED),
    row(
        member.test_83_nobody_leaves_fewer_owners_than_the_threshold,
        (Membership, "requiring", as_before),
    ),
    row(relay_team.test_80_one_agent_cannot_erase_everything_overnight, (Rate, "wait", never)),
    row(
        relay_team.test_84_a_removed_devices_session_and_streams_end_with_the_batch,
        (Sessions, "end", nothing),
    ),
    row(relay_team.test_85_a_removed_agent_keeps_no_old_head_fresh, (rosters, "_vouches", always)),
    row(relay_team.test_88_a_stranger_brings_nothing_back, (rosters, "_has", always)),
    row(
        relay_team.test_88_false_boxes_do_not_come_back,
        (roster, "check_package", nothing),
        carrier=relay_team.EVE,
    ),
    row(member.test_83_a_rogue_owner_cannot_remove_the_others_alone, *SIGNERS),
    *(
        row(relay_team.test_9_to_13_and_31_a_link_without_its_signers_is_not_stored, *SIGNERS, attack=attack)
        for attack in (
            relay_team.own_key,
            relay_team.one_voice,
            relay_team.other_epoch,
            relay_team.new_relay_key,
        )
    ),
    row(
        relay_team.test_80_an_auditor_a_stranger_and_a_former_agent_erase_nothing,
        (erasure, "check_destruction", whatever_it_says),
        thief=relay_team.DORA,
    ),
    # a thief, a broken machine
    row(
        keys.test_61_a_greedy_header_allocates_nothing,
        (Cost, "allowed", always),
        (nacl.pwhash.argon2id, "kdf", allocated),
        cost=Cost(2, 64 * 1024 * 1024),
    ),
    row(
        keys.test_64_files_that_others_may_open_are_refused,
        (private_files, "_check_file", nothing),
        bits=0o644,
    ),
    row(keys.test_64_a_link_in_the_key_files_place_is_refused, (private_files, "_ALWAYS", os.O_CLOEXEC)),
    row(
        crypto.test_46_one_ciphertext_that_opens_for_two_readers_fails_at_the_commitment,
        (cae, "same", always),
    ),
]


async def awaited(test: Callable[..., Any], given: dict[str, Any]) -> None:
    """Run a test, whether or not it is asynchronous."""
    outcome = test(**given)
    if inspect.isawaitable(outcome):
        await outcome


@pytest.mark.parametrize("row", ROWS, ids=[f"{at}: {row.name}" for at, row in enumerate(ROWS)])
async def test_without_its_defence_an_attack_succeeds(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row's test fails by its own assertions as soon as the row's defence is missing."""
    for owner, name, stand_in in row.defences:
        monkeypatch.setattr(owner, name, stand_in)
    async with AsyncExitStack() as stack:
        given = {"tmp_path": tmp_path, "monkeypatch": monkeypatch, **row.given}
        wanted = inspect.signature(row.test).parameters
        if "world" in wanted:
            given["world"] = fake_world(tmp_path)
        if "scene" in wanted:
            given["scene"] = await stack.enter_async_context(relay.set_scene(tmp_path))
        if "crew" in wanted:
            given["clock"] = clock = ManualClock()
            given["crew"] = await stack.enter_async_context(relay_team.gathered(tmp_path, clock))
        outcome = awaited(row.test, {name: given[name] for name in wanted})
        with pytest.raises(row.ends):  # a ValueError is `(proof,) = …`
            await outcome
