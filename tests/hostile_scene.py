"""A user and an administrator with whole clients at a hostile relay, for tests that tell what it says to either.

async with carried("proxy", tmp_path) as scene:
    await scene.open()
    scene.faces["team"].tell(log(LOG_FAULTS[Fault.DROP]), scene.mailbox)
    assert await scene.read("team") == {"fork"}
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError
from e2e_support.ids import MailboxId
from e2e_support.mailbox import ReceiptSigner
from e2e_support.roster import TrustedRoster
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Verdict
from e2e_support_client import MemoryKeystore, SupportClient
from e2e_support_client.port import RelayPort
from e2e_support_client.testing import CODE, FakeRelay
from e2e_support_console.team import TeamClient
from hostile_proxy import Proxy, RelayProcess, proxy, relay_process
from hostile_relay import NOWHERE, Face, Truth, lying
from team_builder import seed_of
from user_kit import BODY, CHEAP, FAKE_URL, SUBJECT

CARRIERS: Final = ("simulator", "proxy")


@dataclass
class Scene:
    """A user with a ticket, an administrator, and what each of them is shown.

    Attributes:
        folder: where both keep what they know.
        team: the administrator's console.
        link: the support link by which users come.
        keystore: the administrator's keys.
        faces: what is shown to ``user`` and to ``team``.
        stack: closes what was opened.
        port: how users reach the relay, where it is not HTTP.
        proxies: both sides' proxies, where the relay is a process.
        user: the client of the newest user.
        number: of their ticket.
        mailbox: its shared log.
        texts: all that was written to it, in order.
        codes: of the errors that the reader met while writing.
        kept: how many texts the reader was shown before.
    """

    folder: Path
    team: TeamClient
    link: str
    keystore: MemoryKeystore
    faces: dict[str, Face]
    stack: AsyncExitStack
    port: RelayPort | None = None
    proxies: dict[str, Proxy] = field(default_factory=dict[str, Proxy])
    user: SupportClient = field(init=False)
    number: str = ""
    mailbox: MailboxId = NOWHERE
    texts: list[str] = field(default_factory=list[str])
    codes: set[str] = field(default_factory=set[str])
    kept: int = 0
    _roster: TrustedRoster | None = None

    @property
    def roster(self) -> TrustedRoster:
        """The true roster, as the console knew it before it forgot."""
        return self._roster if self._roster is not None else self.team.desk.roster

    async def open(self) -> None:
        """Let a new user open a ticket; nothing that was told before is told any more."""
        for face in self.faces.values():
            face.lies.clear()
        self.user = await self.newcomer()
        self.number = (await self.user.tickets.create(SUBJECT, BODY, category="billing")).number
        *_, self.mailbox = self.faces["user"].truth.logs
        self.texts, self.codes, self.kept = [BODY], set(), 0

    async def newcomer(self) -> SupportClient:
        """Return the client of a user who was never here."""
        folder = self.folder / f"user{len(list(self.folder.glob('user*')))}"
        client = SupportClient(self.link, keystore=MemoryKeystore(), state_dir=folder, relay=self.port)
        return await self.stack.enter_async_context(client)

    async def forget(self) -> None:
        """Let the console lose its store: it asks for everything again."""
        self._roster = self.team.desk.roster
        await self.team.close()
        for file in (self.folder / "team").glob("console.db*"):
            file.unlink()
        self.team = await TeamClient.unlock(self.keystore, self.folder / "team", relay=self.team.desk.relay)
        self.stack.push_async_callback(self.team.close)

    async def write(self, who: str) -> None:
        """Let one side say something."""
        text = f"message {len(self.texts)}"
        self.texts.append(text)
        if who == "user":
            await self.user.tickets.reply(self.number, text)
        else:
            await self.team.inbox.reply(self.number, text, anyway=True)

    async def happen(self, word: str, reader: str) -> None:
        """Let one word of a story happen.

        Args:
            word: ``other`` lets the other side write, ``writes`` the reader, ``reads`` lets the reader read,
                ``rotate`` begins a team epoch, ``second`` opens another ticket, ``forgets`` loses the console's store.
            reader: ``user`` or ``team``.
        """
        match word:
            case "other":
                await self.write("team" if reader == "user" else "user")
            case "writes":
                try:
                    await self.write(reader)
                except SupportError as error:
                    self.codes.add(error.code)
            case "reads":
                await self.read(reader)
                self.kept = len(await self.shown(reader))
            case "rotate":
                await self.team.keys.rotate()
            case "second":
                number = (await self.user.tickets.create("Another", BODY, category="billing")).number
                for _ in range(3):
                    await self.user.tickets.reply(number, "about something else")
            case "forgets" if reader == "team":
                await self.forget()
            case _:
                assert word == "forgets", word

    async def read(self, who: str) -> set[str]:
        """Let one side look at all there is, and return what it says of it."""
        return await (self._user_says() if who == "user" else self._team_says())

    async def shown(self, who: str) -> list[str]:
        """Return the texts that a side is shown as verified."""
        if who == "team" and not await self.team.inbox.has(self.number):
            return []
        view: Any = await (self.user.tickets.get if who == "user" else self.team.inbox.get)(self.number)
        return [message.body for message in view.messages if message.verdict is Verdict.OK]

    async def _user_says(self) -> set[str]:
        words = set[str]()
        try:
            await self.user.verify_team()
        except SupportError as error:
            words.add(error.code)
        ticket = await self.user.tickets.get(self.number)
        words |= {message.verdict.name.lower() for message in ticket.messages}
        return (words | {ticket.summary.problem}) - {"", "ok"}

    async def _team_says(self) -> set[str]:
        words, team = set[str](), self.team
        try:
            await team.catch_up()
        except SupportError as error:
            words.add(error.code)
        for ticket in await team.inbox.list() if team.desk.team.known else ():
            view = await team.inbox.get(ticket.number)
            words |= {view.summary.problem, *(message.verdict.name.lower() for message in view.messages)}
        words |= {alarm.code for alarm in await team.alarms()}
        words |= {f"aside:{reason}" for reason in await team.quarantined()}
        return words - {"", "ok"}


# --- the two carriers ------------------------------------------------------------------------------------


@asynccontextmanager
async def simulated(folder: Path) -> AsyncGenerator[Scene]:
    """Set the scene at a relay in memory."""
    key = SigningKey(Secret(seed_of("relay")))
    relay, truth = FakeRelay(key), Truth(ReceiptSigner(key))
    faces = {who: Face(truth) for who in ("user", "team")}
    async with AsyncExitStack() as stack:
        keystore = MemoryKeystore()
        team = await found(stack, folder, keystore, FAKE_URL, CODE, relay=lying(relay, faces["team"]))
        scene = Scene(folder, team, team.link, keystore, faces, stack, lying(relay, faces["user"]))
        truth.roster = lambda: scene.roster
        yield scene


@asynccontextmanager
async def proxied(folder: Path, process: RelayProcess) -> AsyncGenerator[Scene]:
    """Set the scene before a real relay: each side goes through a proxy of its own."""
    truth = Truth(ReceiptSigner(process.key))
    async with AsyncExitStack() as stack:
        proxies = {
            who: await stack.enter_async_context(proxy(Face(truth), process.url, port))
            for who, port in zip(("user", "team"), process.ports, strict=True)
        }
        keystore = MemoryKeystore()
        team = await found(stack, folder, keystore, proxies["team"].url, await process.code())
        link = SupportLink(proxies["user"].url, team.desk.team_id).format()
        faces = {who: one.face for who, one in proxies.items()}
        scene = Scene(folder, team, link, keystore, faces, stack, proxies=proxies)
        truth.roster = lambda: scene.roster
        yield scene


async def found(
    stack: AsyncExitStack, folder: Path, keystore: MemoryKeystore, url: str, code: str, **options: Any
) -> TeamClient:
    """Let an administrator found a team, with a console that is closed at the end."""
    team = await TeamClient.create(
        url,
        name="Example team",
        owner="Anna",
        bootstrap_code=code,
        keystore=keystore,
        state_dir=folder / "team",
        policy=CHEAP,
        **options,
    )
    stack.push_async_callback(team.close)
    return team


@asynccontextmanager
async def carried(carrier: str, folder: Path) -> AsyncGenerator[Scene]:
    """Set the scene over one of ``CARRIERS``."""
    if carrier == "simulator":
        async with simulated(folder) as scene:
            yield scene
    else:
        with relay_process(folder / "relay") as process:
            async with proxied(folder, process) as scene:
                yield scene
