"""What a serving relay has in memory: nothing that could open a ticket (architecture, section 1)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from team_builder import device, founding

SERVE = """
import asyncio, sys, pathlib
import aiohttp
from e2e_support.wire import Batch, Found
from e2e_support_server.app import serving
from e2e_support_server.config import Config

async def main():
    async with serving(Config(pathlib.Path({data!r}), port=0)) as (relay, listening):
        batch = pathlib.Path({batch!r}).read_bytes()
        async with aiohttp.ClientSession() as http:
            code = await relay.context.teams.issue_code()
            body = Found(code, Batch.from_bytes(batch)).to_bytes()
            async with http.post(listening.url + "/v1/teams", data=body) as answer:
                assert answer.status == 201, await answer.text()
            async with http.get(listening.url + "/v1/relay") as answer:
                assert answer.status == 200

asyncio.run(main())
print("\\n".join(sorted(sys.modules)))
"""

FORBIDDEN = {
    "e2e_support.crypto.seal",
    "e2e_support.crypto.cae",
    "e2e_support.crypto.stream",
    "e2e_support.ticket",
    "e2e_support.conversation",
    "e2e_support.log_reader",
    "e2e_support.attachment",
    "e2e_support.content",
    "e2e_support_keys",
    "e2e_support_client",
    "e2e_support_console",
    "cryptography.hazmat.primitives.hpke",
}


def test_a_serving_relay_never_loads_what_could_open_a_ticket(tmp_path: Path) -> None:
    """A relay that founded a team and answered has none of the decrypting modules in its process."""
    batch = tmp_path / "batch"
    batch.write_bytes(founding(device("anna"))[0].to_bytes())
    script = SERVE.format(data=str(tmp_path / "data"), batch=str(batch))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "e2e_support.roster" in loaded
    assert loaded & FORBIDDEN == set()
