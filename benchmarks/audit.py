"""How fast photographs are audited by their hashes against a training set, and in what memory.

    python benchmarks/audit.py --asked 100000 --trained 100000

Hashes are drawn at random; one in a thousand of those asked about is a near-duplicate of one that
was trained on (0 to 28 bits differ), as many are just too far (29 to 40), and one in a thousand
shares a patient. What is found is held against what was planted.
"""

from __future__ import annotations

import argparse
import random
import resource
import time

from fundoscope.evaluate.audit import Training, audit
from fundoscope.records import Photograph

PLANTED = 1000
"""One in so many."""


def changed(hash_: int, bits: int, drawn: random.Random) -> int:
    """Return a hash of which so many bits are turned."""
    for bit in drawn.sample(range(256), bits):
        hash_ ^= 1 << bit
    return hash_


def made_up(asked: int, trained: int) -> tuple[list[Photograph], Training, set[str]]:
    """Return photographs, a training set, and the keys that must be left out."""
    drawn = random.Random(0)
    hashes = [drawn.getrandbits(256) for _ in range(trained)]
    training = Training(
        "made up",
        patients={("made-up", f"p{n}"): f"made-up/train/{n}" for n in range(trained)},
        hashes={one: f"made-up/train/{n}" for n, one in enumerate(hashes)},
        photographs=trained,
    )
    photographs, planted = [], set()
    for number in range(asked):
        kind = number % PLANTED
        hash_, patient = drawn.getrandbits(256), f"q{number}"
        if kind == 0:
            hash_ = changed(drawn.choice(hashes), drawn.randint(0, 28), drawn)
        elif kind == 1:
            hash_ = changed(drawn.choice(hashes), drawn.randint(29, 40), drawn)
        elif kind == 2:
            patient = f"p{drawn.randrange(trained)}"
        photograph = Photograph(
            "made-up", "test", str(number), patient=patient, perceptual_hash=f"{hash_:064x}"
        )
        photographs.append(photograph)
        if kind in (0, 2):
            planted.add(photograph.key)
    return photographs, training, planted


def main() -> None:
    """Print the time of an audit and whether it found what was planted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asked", type=int, default=100_000)
    parser.add_argument("--trained", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    photographs, training, planted = made_up(chosen.asked, chosen.trained)
    wall, cpu = time.perf_counter(), time.process_time()
    found = audit(photographs, training, jobs=chosen.jobs)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{chosen.asked:,} photographs against {chosen.trained:,}, {chosen.jobs} threads:")
    print(f"  {wall:.1f} s, {cpu:.1f} CPU s, peak {peak_mb:.0f} MB")
    print(f"  left out {len(found.keys)}, planted {len(planted)}: {found.counts()}")
    if found.keys != planted:
        raise SystemExit("what was found is not what was planted")


if __name__ == "__main__":
    main()
