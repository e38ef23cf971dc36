"""`python -m benchmarks.profile api|executor`: where one service's time goes while it works off a backlog of chains.

Python reads `sitecustomize` before anything else; a temporary one switches the profiler on in that service alone. It
sees the main thread, where the event loop runs. The profiler slows what it watches: read shares, not times.
"""

import argparse
import asyncio
import os
import pstats
import sys
import tempfile
from pathlib import Path

import uvloop

from benchmarks import chain
from benchmarks.figures import Figures
from benchmarks.report import Report
from benchmarks.run import Run, Sizes
from benchmarks.system import System

LINES = 45
HOOK = """
import atexit, cProfile, os, sys
words = sys.orig_argv
if "services.{service}" in words and words[-1] in {{"services.{service}", "serve"}}:
    profile = cProfile.Profile()
    atexit.register(lambda: (profile.disable(), profile.dump_stats(f"{folder}/{{os.getpid()}}.pstats")))
    profile.enable()
"""


def main(words: list[str]) -> int:
    """Run the backlog under the profiler, print the functions with the most time of their own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("service", choices=("api", "executor"))
    parser.add_argument("--backlog", type=int, default=1_000, metavar="N", help="chains of five; 1000 by default")
    parser.add_argument("--sort", choices=("tottime", "cumulative"), default="tottime")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="opsledger-profile-") as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(HOOK.format(service=given.service, folder=folder), encoding="utf-8")
        os.environ["PYTHONPATH"] = str(folder)
        with System(folder) as system, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            chain.backlog(Run(system, Sizes(backlog=given.backlog), Report(), Figures(), runner))
        for file in sorted(folder.glob("*.pstats")):
            pstats.Stats(str(file)).strip_dirs().sort_stats(given.sort).print_stats(LINES)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
