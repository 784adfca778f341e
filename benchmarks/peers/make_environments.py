"""Make the virtual environments that the peers run in, one folder each below DIR.

    python benchmarks/peers/make_environments.py DIR [NAME ...]

Versions are pinned where a peer is concerned; what they pull in is whatever pip finds for them.
Heavy: some 2 GB, and up to six minutes for the slowest. DIR lies outside the repository.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ENVIRONMENTS = {
    "clients": ("openai[aiohttp]==3.57.0", "aiohttp==3.14.5", "httpx==0.28.1"),
    "distilabel": ("distilabel[openai]==1.5.3", "requests"),
    "curator": ("bespokelabs-curator==0.1.31",),
    "data_designer": ("data-designer==0.9.6",),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dir", type=Path)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ENVIRONMENTS)}; default all")
    options = parser.parse_args()
    if unknown := set(options.names) - set(ENVIRONMENTS):
        parser.error(f"no environment {', '.join(unknown)}; there are {', '.join(ENVIRONMENTS)}")
    failed = []
    for name in options.names or ENVIRONMENTS:
        started = time.monotonic()
        python = options.dir / name / "bin" / "python"
        made = subprocess.run([sys.executable, "-m", "venv", options.dir / name])
        install = [python, "-m", "pip", "install", "--quiet", *ENVIRONMENTS[name]]
        done = made.returncode or subprocess.run(install).returncode
        failed += [name] if done else []
        print(f"{name}: {'failed' if done else 'made'}, {time.monotonic() - started:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
