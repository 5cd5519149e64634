"""``python -m bench [NAME …]``: measure, print, and write the figures down."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from bench.figures import RESULTS, Report, save, show

BENCHES = ("append", "attachment", "client", "roster", "removal", "inbox", "space")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that were asked for; all of them if none was. Missed goals are told, not punished."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not set(options.names) <= set(BENCHES):
        parser.error(f"there are {', '.join(BENCHES)}")
    for name in options.names or BENCHES:
        run: Callable[..., Report] = import_module(f"bench.{name}").run
        data = Path(tempfile.mkdtemp(prefix="bench-", dir=options.data))
        try:
            report = run(data, quick=options.quick, **_chosen(name, options.tickets))
        finally:
            shutil.rmtree(data, ignore_errors=True)
        show(report)
        save(report, options.out, dated=options.dated)
    return 0


def _chosen(name: str, tickets: int | None) -> dict[str, int]:
    """Return the options that only one benchmark has."""
    return {"tickets": tickets} if name == "removal" and tickets is not None else {}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)}; all by default")
    parser.add_argument(
        "--quick", action="store_true", help="only show that it runs; the figures mean nothing"
    )
    parser.add_argument("--tickets", metavar="N", type=int, help="of the team in `removal`; 300 by default")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the figures, NAME.json")
    parser.add_argument("--dated", action="store_true", help="call them NAME-DATE.json: a run to refer to")
    parser.add_argument("--data", type=Path, help="on which disk to measure; the system's temporary folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
