"""The review page's server: what it shows to whom, and what it does not let in."""

import io
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fundoscope.config import Job
from fundoscope.converse.build import build
from fundoscope.errors import ConfigError, LedgerError
from fundoscope.ledger import Ledger, Settled, writers_lock
from fundoscope.phantoms import write_phantoms
from fundoscope.records import record_to_json
from fundoscope.serve.review import review, review_app
from fundoscope.serve.review_guard import read_token
from fundoscope.verify.check import judge

HERE = "http://127.0.0.1:8765"
TOKEN = "a-token-of-the-tests-1234"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviewed")
    root = write_phantoms(folder / "phantoms", 2, size_px=192)
    job = Job(source="phantoms", root=root, photographs=root / "photographs", languages=("en",))
    build(job, folder / "run")
    return folder / "run"


@pytest.fixture
def run(built: Path, tmp_path: Path) -> Path:
    """A run of two dialogues, the second of which says too much."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ledger.sqlite").write_bytes((built / "ledger.sqlite").read_bytes())
    run = tmp_path / "run"
    with Ledger(run) as ledger:
        *_, last = ledger.kept()
    spoken = last.conversation
    words = spoken.turns[0].answer + " The vertical cup-to-disc ratio is 0.99."
    spoilt = replace(spoken, turns=(replace(spoken.turns[0], answer=words), *spoken.turns[1:]))
    with Ledger(run, write=True) as ledger:
        ledger.begin()
        rows = {line: row for row, line in ledger.items()}
        row = rows[record_to_json(last.record)]
        ledger.judge(row, spoilt, b"spoilt", judge(spoilt, last.record))
    return run


@pytest.fixture
def page(run: Path) -> Iterator[TestClient]:
    with TestClient(review_app(run), base_url=HERE) as client:
        yield client


def ids(page: TestClient, mode: str = "all") -> list[str]:
    found = page.get("/api/queue", params={"as": "Ann", "mode": mode}).json()
    return [one["id"] for one in found["items"]]


def item(page: TestClient, id: str, who: str = "Ann") -> dict[str, Any]:
    answer = page.get("/api/item", params={"as": who, "id": id})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def act(page: TestClient, id: str, what: str, who: str = "Ann", **more: Any) -> Any:
    shown = item(page, id, who)
    body = {
        "as": who,
        "id": id,
        "what": what,
        "version": shown["version"],
        "saw": shown["head"],
        "token": sha256(f"{who}{what}{shown['head']}{more}".encode()).hexdigest(),
        **more,
    }
    return page.post("/api/act", json=body)


def turns_of(shown: dict[str, Any], last_answer: str | None = None) -> list[dict[str, Any]]:
    turns = [{"of": n, **turn} for n, turn in enumerate(shown["turns"])]
    if last_answer is not None:
        turns[-1]["answer"] = last_answer
    return turns


def test_an_item_holds_the_answer_whole_and_each_sentence_with_what_it_rests_on(
    page: TestClient,
) -> None:
    shown = item(page, ids(page)[0])
    known = {one["id"]: one for one in shown["statements"]}
    for turn, parts in zip(shown["turns"], shown["verdict"]["turns"], strict=True):
        assert "".join(part["text"] for part in parts) == turn["answer"]
        for claim in (claim for part in parts for claim in part["claims"]):
            assert claim["judgement"] == "supported"
            assert claim["rests_on"] and set(claim["rests_on"]) <= set(known)
    assert shown["boxes"] and all(len(one["box"]) == 4 for one in shown["boxes"])


def test_a_sentence_that_the_record_denies_is_marked_with_what_the_record_says(
    page: TestClient,
) -> None:
    shown = item(page, ids(page, "rejects")[0])
    bad = [
        part
        for parts in shown["verdict"]["turns"]
        for part in parts
        if part["judgement"] not in (None, "supported")
    ]
    assert [part["text"] for part in bad] == ["The vertical cup-to-disc ratio is 0.99."]
    (claim,) = bad[0]["claims"]
    assert claim["judgement"] == "contradicted" and "cdr_vertical is 0." in claim["reason"]
    known = {one["id"]: one["plain"] for one in shown["statements"]}
    assert [known[id].partition(":")[0] for id in claim["rests_on"]] == ["cdr vertical"]


def test_a_reviewer_learns_nothing_of_what_another_decided(page: TestClient) -> None:
    first = ids(page)[0]
    secret = "a reason that only Ann knows"
    assert act(page, first, "reject", "Ann", reason=secret).status_code == 200
    seen = [
        page.get("/api/item", params={"as": "Ben", "id": first}),
        page.get("/api/queue", params={"as": "Ben", "mode": "all"}),
        page.get("/api/next", params={"as": "Ben", "mode": "all"}),
        page.get("/api/disputed", params={"as": "Ben"}),
    ]
    assert all(answer.status_code == 200 and secret not in answer.text for answer in seen)
    assert seen[0].json()["mine"] is None and seen[0].json()["history"] == []
    assert [one["mine"] for one in seen[1].json()["items"]] == [None, None]
    assert seen[1].json()["reviewers"] == {"Ann": 1}  # how many, not what
    assert page.get("/api/dispute", params={"as": "Ben", "id": first}).status_code == 422
    assert item(page, first, "Ann")["mine"]["reason"] == secret


def test_a_dispute_is_shown_to_a_third_person_alone_who_decides_it(page: TestClient) -> None:
    first = ids(page)[0]
    act(page, first, "accept", "Ann")
    act(page, first, "reject", "Ben", reason="it is badly worded")
    for side in ("Ann", "Ben"):
        assert page.get("/api/disputed", params={"as": side}).json()["items"] == []
        assert page.get("/api/dispute", params={"as": side, "id": first}).status_code == 422
    assert page.get("/api/disputed", params={"as": "Cleo"}).json()["items"] == [
        {"id": first, "decided": False}
    ]
    shown = page.get("/api/dispute", params={"as": "Cleo", "id": first}).json()
    assert [(one["who"], one["what"]) for one in shown["reviews"]] == [
        ("Ann", "accept"),
        ("Ben", "reject"),
    ]
    body = {"as": "Cleo", "id": first, "version": shown["version"], "what": "accept",
            "saw": shown["head"], "token": "cleo-decides", "role": "adjudicate",
            "over": shown["over"]}  # fmt: skip
    assert page.post("/api/act", json=body).status_code == 200
    again = page.get("/api/disputed", params={"as": "Cleo"}).json()
    assert again["items"] == [{"id": first, "decided": True}]
    assert again["agreement"][0]["adjudicated"] == 1


def test_words_are_held_against_the_record_while_they_are_typed(page: TestClient) -> None:
    shown = item(page, ids(page)[0])
    right = page.post("/api/verify", json={"id": shown["id"], "turns": turns_of(shown)}).json()
    assert right["passes"] is True
    turns = turns_of(shown, "There are 999 haemorrhages.")
    wrong = page.post("/api/verify", json={"id": shown["id"], "turns": turns}).json()
    assert wrong["passes"] is False and wrong["turn"] == len(turns) - 1
    assert wrong["turns"][-1][0]["judgement"] in ("contradicted", "unsupported")


def test_words_that_the_verifier_denies_need_a_reason(page: TestClient) -> None:
    shown = item(page, ids(page)[0])
    turns = turns_of(shown, "There are 999 haemorrhages.")
    refused = act(page, shown["id"], "edit", turns=turns)
    assert refused.status_code == 422 and "the verifier objects" in refused.json()["what"]
    kept = act(page, shown["id"], "edit", turns=turns, reason="counted again by hand")
    assert kept.status_code == 200
    assert kept.json()["act"]["problem"] and kept.json()["act"]["turns"][-1]["of"] == len(turns) - 1


def test_a_reject_is_not_accepted_as_it_is_without_a_reason(page: TestClient) -> None:
    (bad,) = ids(page, "rejects")
    assert act(page, bad, "accept").status_code == 422
    assert act(page, bad, "accept", reason="the label is wrong").status_code == 200


def test_words_that_no_export_holds_are_refused_whatever_the_reason(page: TestClient) -> None:
    shown = item(page, ids(page)[0])
    for words in ("Look: <image>", "  "):
        answer = act(page, shown["id"], "edit", turns=turns_of(shown, words), reason="because")
        assert answer.status_code == 422 and "cannot be exported" in answer.json()["what"]


def test_a_turn_can_be_left_out(page: TestClient) -> None:
    shown = item(page, ids(page)[0])
    turns = turns_of(shown)[:-1]
    kept = act(page, shown["id"], "edit", turns=turns)
    assert kept.status_code == 200
    assert [turn["of"] for turn in kept.json()["act"]["turns"]] == list(range(len(turns)))


def test_a_second_tab_is_told_what_the_first_one_did(page: TestClient) -> None:
    shown = item(page, ids(page)[0])
    old = {"as": "Ann", "id": shown["id"], "version": shown["version"], "saw": 0}
    first = page.post("/api/act", json={**old, "what": "accept", "token": "tab-one-1"})
    second = page.post(
        "/api/act", json={**old, "what": "reject", "token": "tab-two-1", "reason": "x"}
    )
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["now"]["mine"]["what"] == "accept"
    assert second.json()["now"]["head"] == first.json()["act"]["id"]


def test_an_act_whose_answer_was_lost_is_sent_again_and_kept_once(page: TestClient) -> None:
    shown = item(page, ids(page)[0])
    body = {"as": "Ann", "id": shown["id"], "version": shown["version"], "saw": 0,
            "what": "accept", "token": "the-same-token"}  # fmt: skip
    one, two = (page.post("/api/act", json=body) for _ in range(2))
    assert one.json()["act"] == two.json()["act"]
    assert len(two.json()["now"]["history"]) == 1


def test_a_photograph_comes_small_and_without_its_header(
    built: Path, run: Path, page: TestClient
) -> None:
    with Ledger(built) as ledger:
        photograph = next(ledger.records()).photograph
        folder = Path(ledger.recall("job")["photographs"])
    file = folder / photograph.file
    original = file.read_bytes()
    try:
        with Image.open(io.BytesIO(original)) as opened:
            exif = opened.getexif()
            exif[0x013B] = "Dr Somebody"  # artist
            opened.convert("RGB").resize((3000, 2500)).save(file, "JPEG", exif=exif)
        answer = page.get("/api/photograph", params={"id": ids(page)[0]})
    finally:
        file.write_bytes(original)
    assert b"Somebody" not in answer.content
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert (shown.format, shown.size, dict(shown.getexif())) == ("JPEG", (1600, 1333), {})


def test_a_photograph_that_is_gone_is_a_404_that_names_no_path(run: Path, page: TestClient) -> None:
    with Ledger(run, write=True) as ledger:
        ledger.remember("job", {"photographs": str(run / "nowhere")})
    answer = page.get("/api/photograph", params={"id": ids(page)[0]})
    assert answer.status_code == 404 and str(run) not in answer.text


def test_every_answer_forbids_other_origins(page: TestClient) -> None:
    for path in ("/", "/static/review.js", "/api/run", "/api/nothing"):
        headers = page.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


GOOD = {"as": "Ann", "id": "a/b/c/alignment/en", "version": "0", "what": "accept", "saw": 0,
        "token": "a-good-token"}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (GOOD, 404),
        (GOOD | {"id": "nothing"}, 404),
        (GOOD | {"id": "../../../etc/passwd/alignment/en"}, 404),
        (GOOD | {"id": "a/b/c\0/alignment/en"}, 422),
        (GOOD | {"colour": "red"}, 422),
        (GOOD | {"what": "delete"}, 422),
        (GOOD | {"as": "   "}, 422),
        (GOOD | {"as": "x" * 65}, 422),
        (GOOD | {"as": "Ann\u202e\0"}, 422),
        (GOOD | {"saw": -1}, 422),
        (GOOD | {"saw": 10**30}, 422),
        (GOOD | {"token": "short"}, 422),
        (GOOD | {"token": "<script>alert(1)</script>"}, 422),
        (GOOD | {"reason": "x" * 1001}, 422),
        (GOOD | {"turns": [{"of": 0, "question": "q", "answer": "x" * 8001}]}, 422),
        (GOOD | {"turns": [{"of": -1, "question": "q", "answer": "a"}]}, 422),
        ({}, 422),
        ([], 422),
        ("accept", 422),
    ],
)
def test_a_bad_act_is_refused_plainly_and_the_server_goes_on(
    page: TestClient, body: Any, status: int
) -> None:
    answer = page.post("/api/act", json=body)
    assert answer.status_code == status and answer.json()["what"]
    assert page.get("/api/run").status_code == 200


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=b", 415),
        ({}, b"{" * 1000, 422),
        ({}, b'{"as": "\\ud800"}', 422),
        ({}, b"\xff\xfe", 422),
        ({}, b'"' + b"x" * 600_000 + b'"', 413),
        ({"host": "rebound.example"}, b"{}", 403),
        ({"origin": "https://elsewhere.example"}, b"{}", 403),
        ({"origin": "null"}, b"{}", 403),
        ({"sec-fetch-site": "cross-site"}, b"{}", 403),
    ],
)
def test_what_does_not_come_from_the_page_is_refused(
    page: TestClient, headers: dict[str, str], content: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"} | headers
    answer = page.post("/api/act", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert page.get("/api/run").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "mode=worst&as=Ann",
        "mode=all",
        "mode=all&as=",
        "mode=all&as=Ann&start=-1",
        "mode=all&as=Ann&start=99999999999999999999",
        "mode=all&as=Ann&limit=100000",
        "mode=all&as=%00",
    ],
)
def test_a_bad_question_is_a_422(page: TestClient, query: str) -> None:
    assert page.get(f"/api/queue?{query}").status_code == 422


def test_while_the_run_is_written_an_act_is_told_to_come_again(run: Path, page: TestClient) -> None:
    first = ids(page)[0]
    lock = writers_lock(run)
    try:
        answer = act(page, first, "accept")
    finally:
        lock.close()
    assert answer.status_code == 503 and str(run) not in answer.text
    assert act(page, first, "accept").status_code == 200


def test_names_written_in_other_ways_are_one_reviewer(page: TestClient) -> None:
    first = ids(page)[0]
    assert act(page, first, "accept", "Zoe\u0301  Q").status_code == 200  # e and an accent
    assert item(page, first, " Zo\u00e9 Q")["mine"]["what"] == "accept"


def test_with_a_token_nothing_is_told_without_it(run: Path) -> None:
    with TestClient(review_app(run, TOKEN), base_url="http://review.example") as page:
        assert page.get("/").status_code == 200  # the page that asks for it
        for path in ("/api/run", "/api/photograph?id=a", "/api/queue?as=Ann"):
            assert page.get(path).status_code == 401
        wrong = page.post("/api/enter", json={"token": TOKEN + "x"})
        assert wrong.status_code == 401 and "set-cookie" not in wrong.headers
        bearer = {"authorization": f"Bearer {TOKEN}"}
        assert page.get("/api/run", headers=bearer).status_code == 200
        entered = page.post("/api/enter", json={"token": TOKEN})
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie and TOKEN not in cookie
        assert page.get("/api/run").status_code == 200
        page.cookies.clear()
        page.cookies.set("fundoscope_review", "forged")
        assert page.get("/api/run").status_code == 401


def test_another_machine_needs_a_token(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no token"):
        review(run, host="0.0.0.0", port=0)
    assert read_token(None, "127.0.0.1") == read_token(None, "::1") == ""
    for text in ("short", "", "x" * 15):
        (tmp_path / "token").write_text(text)
        with pytest.raises(ConfigError, match="fewer than 16"):
            read_token(tmp_path / "token", "0.0.0.0")
    (tmp_path / "token").write_text(TOKEN + "\n")
    assert read_token(tmp_path / "token", "0.0.0.0") == TOKEN


def test_a_folder_that_is_no_run_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="holds no ledger"):
        review(tmp_path, port=0)


def test_an_answer_that_could_not_be_read_is_shown_raw_and_can_only_be_rejected(
    run: Path, page: TestClient
) -> None:
    with Ledger(run, write=True) as ledger:
        ledger.begin()
        row = next(ledger.items())[0]
        ledger.settle(row, "instruction", "en", b"raw", Settled(False, "no JSON", raw="<b>Hm</b>"))
    bad = next(one for one in ids(page) if item(page, one)["raw"])
    assert item(page, bad)["turns"] == [] and item(page, bad)["verdict"] is None
    assert act(page, bad, "accept", reason="why not").status_code == 422
    assert act(page, bad, "reject", reason="it is badly worded").status_code == 200
