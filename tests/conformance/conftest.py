"""What the suites of the reference systems share: the marker that names a row, and a help desk with their policy."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from conformance_kit import HelpDesk, help_desk
from e2e_support.policy import Policy


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that ``conformance_kit.row`` makes."""
    config.addinivalue_line("markers", "row(id, case): shows a row of the reference systems, pass or refuse")


@pytest.fixture
async def desk(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[HelpDesk]:
    """Yield a help desk with the policy that the module calls ``PRESET``."""
    preset: Policy = request.node.obj.__globals__["PRESET"]
    async with help_desk(preset, tmp_path, monkeypatch) as made:
        yield made
