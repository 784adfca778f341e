"""Which dialogues of a run its reviewers accepted, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from fundoscope.ledger import Ledger
from fundoscope.records import Dialogue
from fundoscope.reviewed import Act, Acts, Standing, Which, standing

Wanted = Callable[[Dialogue], bool]


class Accepted:
    """The accepted dialogues of a run, streamed; and counts of all, for the manifest.

    An edited dialogue comes in its new words. What two reviewers judged differently counts once a
    third person decided. Acts about words or records that have changed since count for nothing.
    """

    def __init__(self, ledger: Ledger, wanted: Wanted) -> None:
        self._ledger, self._wanted = ledger, wanted
        self._counts: Counter[str] = Counter()
        self._overrides: list[dict[str, str]] = []

    def __iter__(self) -> Iterator[Dialogue]:
        with Acts(self._ledger.run) as acts:
            for dialogue, version in self._ledger.spoken():
                if self._wanted(dialogue):
                    spoken = dialogue.conversation
                    about = acts.about(Which(spoken.key, spoken.track, spoken.language))
                    now = standing(about, version)
                    self._count(now)
                    if now.outcome == "accepted" and now.decision:
                        yield self._taken(dialogue, now.decision)

    def _count(self, now: Standing) -> None:
        outcome = now.outcome or ("changed_since_review" if now.outdated else "not_reviewed")
        self._counts[outcome] += 1
        if now.outcome in ("accepted", "rejected"):
            agreed = "two" if len(now.reviews) > 1 else "one"
            self._counts[f"{now.outcome}_{'adjudicated' if now.disagreed else agreed}"] += 1

    def _taken(self, dialogue: Dialogue, decided: Act) -> Dialogue:
        if decided.problem:
            self._overrides.append(
                {"id": decided.which.id, "problem": decided.problem, "reason": decided.reason}
            )
        if decided.what != "edit":
            return dialogue
        self._counts["edited"] += 1
        return replace(dialogue, conversation=replace(dialogue.conversation, turns=decided.after))

    def told(self) -> dict[str, Any]:
        """Return the counts for the manifest; reviewers' names stay in the ledger.

        `accepted` is the sum of those accepted by `one` reviewer, by `two` or more of one mind,
        and by whoever `adjudicated`; `edited` of them are in other words than the engine's.
        """
        count = self._counts
        return {
            "run": self._ledger.run.resolve().name,
            "accepted": count["accepted"],
            "accepted_by": {
                by: count[f"accepted_{by}"] for by in ("one", "two", "adjudicated")
            },
            "edited": count["edited"],
            "rejected": count["rejected"],
            "disputed": count["disputed"],
            "changed_since_review": count["changed_since_review"],
            "not_reviewed": count["not_reviewed"],
            "overrides": self._overrides,
        }  # fmt: skip
