"""What a change of the policy changes, setting by setting and in words: for whoever signs it, and for users."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from e2e_support.codec import Bin, Choice, Items, Message, Nested, Shape, Text, Uint, message_shapes
from e2e_support.limits import KIB, MIB
from e2e_support.policy import Policy
from e2e_support.policy_form import Form, item_names, item_shape, join, value_form

SHORT: Final = 60
"""Characters of a text in a sentence that tells of many changes."""

_ORDER: Final = "#order"  # no item is called so
_NAME: Final = "([^.#]+(?:#[0-9]+)?)"
_TITLES: Final = {
    "preset": "made from",
    "eligibility.registered_only": "only registered people may write",
    "eligibility.refused_methods": "log-ins that may not write",
    "admission.mode": "how people are let in",
    "admission.bits": "work for a new ticket in bits",
    "categories.*": "category {0}",
    "categories.*.guidelines": "advice for category {0}",
    "fields.*": "question {0}",
    "fields.*.required": "question {0} must be answered",
    "prompts": "hints for the description",
    "priority.mode": "who sets the priority",
    "priority.levels.*": "priority {0}",
    "priority.by_category.*": "priority of category {0}",
    "priority.by_category.*.level": "priority of category {0}",
    "priority.initial": "priority at first",
    "priority.staff_can_change": "the team may change the priority",
    "limits.subject_min": "shortest subject",
    "limits.subject_max": "longest subject",
    "limits.text_min": "shortest description",
    "limits.text_max": "longest text",
    "limits.create_per_day": "new tickets a day",
    "limits.day": "what a day is",
    "limits.zone": "time zone of the day",
    "limits.open_max": "open tickets at once",
    "attachments.mode": "files",
    "attachments.files_max": "files of a message",
    "attachments.file_bytes_max": "largest file",
    "attachments.ticket_bytes_max": "files of a ticket together",
    "labels_user.*": "users' status {0}",
    "labels_staff.*": "team's status {0}",
    "moves.staff_reply_waits": "an answer of the team waits for the user",
    "moves.user_reply_clears": "a reply of the user ends waiting and hold",
    "moves.user_reply_reopens": "a reply of the user opens a resolved ticket",
    "moves.assign_progress": "assigning means in progress",
    "close.user": "users close",
    "close.mistake_note": "users close a mistake with a note",
    "close.staff": "the team closes",
    "close.resolved_days": "resolved tickets close by themselves after",
    "close.reminder_days": "reminder before that after",
    "reopen.user": "users reopen",
    "reopen.window_days": "users reopen within",
    "reopen.staff": "the team reopens",
    "reopen.on_reply": "what a reply to a closed ticket becomes",
    "delete.user": "users delete",
    "delete.staff": "the team erases",
    "delete.archive": "the team archives",
    "retention.closed_days": "closed tickets are erased after",
    "retention.idle_days": "the relay erases idle mailboxes after",
    "staff.identity": "under which name the team answers",
    "staff.as_team": "answers show the team unless said otherwise",
    "staff.show_assignee": "users see who works on a ticket",
    "staff.assignee": "who gets new tickets",
    "staff.assignees.*": "who gets new tickets of category {0}",
    "notify.reply": "users are told of answers",
    "notify.status": "users are told of a new status",
    "notify.resolved": "users are told of resolutions",
    "notify.user_mail": "mail to users, without content",
    "notify.receipt_mail": "mail with the number of a new ticket",
    "notify.staff_mail": "mail to the team, without content",
    "show_languages": "users see the team's languages",
    "expectation.first_reply_hours": "first answer promised within",
    "expectation.nudge_hours": "users are told how to ask again after",
    "resolution_note": "note of a resolution",
    "external_url": "address that leads out of the encrypted channel",
    "words.*": "word for {0}",
    "freshness.days": "a list of administrators is fresh for",
    "freshness.override": "users may write although nobody vouches for the list",
}
"""Settings as a sentence names them; others read well enough by their own names."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that differs.

    Attributes:
        path: where it stands.
        shape: what it may hold.
        old: what it held; ``None`` if it is new.
        new: what it holds now; ``None`` if it is gone.
    """

    path: str
    shape: Shape
    old: Any
    new: Any

    @property
    def forms(self) -> tuple[Form | None, Form | None]:
        """What was and what is, as ``policy show --json`` has it; ``None`` for nothing."""
        before, after = (None if one is None else value_form(self.shape, one) for one in (self.old, self.new))
        return before, after

    def words(self, cut: int = 0) -> str:
        """Return the change as people read it.

        Args:
            cut: longest text that is told whole; 0 for any.
        """
        title = _title(self.path)
        if self.old is None:
            return f"new {title}: {_value(self.path, self.shape, self.new, cut)}"
        if self.new is None:
            return f"no {title} any more"
        old, new = (_value(self.path, self.shape, one, cut) for one in (self.old, self.new))
        return f"{title}: {old} → {new}"


def policy_changes(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Return every setting that differs, in the order of the policy."""
    return tuple(_changes(old, new, ""))


def _changes(old: Message, new: Message, path: str) -> Iterator[Change]:
    for name, shape in message_shapes(type(old)):
        before, after, place = getattr(old, name), getattr(new, name), join(path, name)
        if before == after:
            continue
        if isinstance(shape, Nested):
            yield from _changes(before, after, place)
        elif isinstance(shape, Items) and isinstance(item_shape(shape), Nested):
            yield from _item_changes(item_shape(shape), before, after, place)
        else:
            yield Change(place, shape, before, after)


def _item_changes(
    shape: Shape, old: Sequence[Message], new: Sequence[Message], path: str
) -> Iterator[Change]:
    before = dict(zip(item_names(old), old, strict=True))
    after = dict(zip(item_names(new), new, strict=True))
    for name in [*before, *(name for name in after if name not in before)]:
        if name in before and name in after:
            yield from _changes(before[name], after[name], join(path, name))
        else:
            yield Change(join(path, name), shape, before.get(name), after.get(name))
    stayed = [name for name in before if name in after], [name for name in after if name in before]
    if stayed[0] != stayed[1]:
        yield Change(join(path, _ORDER), Items(Text(SHORT), len(after)), *map(tuple, stayed))


# --- words -----------------------------------------------------------------------------------------------


def _title(path: str) -> str:
    """Return what a setting is called; what stands in a list is called by its own name, whatever that is."""
    for pattern, title in _TITLES.items():
        found = re.fullmatch(re.escape(pattern).replace(r"\*", _NAME), path)
        if found:
            return title.format(*found.groups())
    whole, _, last = path.rpartition(".")
    last = last.lstrip("#").replace("_", " ")
    return f"{last} of {_title(whole)}" if whole else last


def _value(path: str, shape: Shape, value: Any, cut: int) -> str:
    """Return a setting as people read it, with its unit."""
    match shape:
        case Nested():
            parts = [
                (name, _value(join(path, name), inner, getattr(value, name), cut))
                for name, inner in message_shapes(shape.message)[1:]
            ]
            return ", ".join(f"{name.replace('_', ' ')} {told}" for name, told in parts)
        case Items():
            inner = item_shape(shape)
            return ", ".join(_value(path, inner, item, cut) for item in value) or "none"
        case Choice():
            return str(value_form(shape, value)).replace("_", " ")
        case Text():
            return _quoted(value, cut)
        case Bin():
            return cast("bytes", value).hex() or "nobody"
        case _:
            return _number(path, cast("Uint", shape), value)


def _quoted(text: str, cut: int) -> str:
    shown = " ".join(text.split())
    return f'"{shown[:cut].rstrip()}…"' if cut and len(shown) > cut else f'"{shown}"'


def _number(path: str, shape: Uint, value: int) -> str:
    if shape.high == 1:
        return "yes" if value else "no"
    for ending, unit in (("days", "day"), ("_hours", "hour")):
        if path.endswith(ending):
            return f"{value} {unit}{'' if value == 1 else 's'}" if value else "never"
    if path.endswith("bytes_max"):
        return f"{value // MIB} MiB" if value >= MIB else f"{value // KIB} KiB"
    return "no limit" if not value and path in {"limits.create_per_day", "limits.open_max"} else str(value)
