"""The routes about one photograph, and those that watch and explain."""

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fundoscope.testing.fake_assistant import FAKE_PHOTOGRAPH, fake_value
from fundoscope.testing.served_here import served_here

# nothing is encrypted here, and to load certificates takes longer than to ask
get = partial(httpx.get, verify=False, timeout=120)
post = partial(httpx.post, verify=False, timeout=120)
head = partial(httpx.head, verify=False, timeout=120)
request = partial(httpx.request, verify=False, timeout=120)

ONE = FAKE_PHOTOGRAPH + b"one"
SHA = hashlib.sha256(ONE).hexdigest()
URL = "data:image/bmp;base64," + base64.b64encode(ONE).decode()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served_here() as address:
        yield address


def posted(address: str, route: str, **fields: Any) -> Any:
    response = post(f"{address}/v1/{route}", json={"photograph": URL, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def test_perceive_gives_quality_places_and_layers_as_png(address: str) -> None:
    told = posted(address, "perceive", eye="left", visit="2024")
    assert told["sha256"] == SHA
    assert (told["eye"], told["visit"]) == ("left", "2024")
    assert told["quality"]["grade"] == "good"
    assert [layer["name"] for layer in told["layers"]] == ["vessels"]
    assert base64.b64decode(told["layers"][0]["png"]).startswith(b"\x89PNG")
    assert told["layers"][0]["codes"] == {"255": "vessel"}
    assert told["disc"] is None, "not found is null, not a point at 0"


def test_measure_gives_values_with_unit_or_the_reason(address: str) -> None:
    told = posted(address, "measure")
    measured, unmeasured = told["quantities"]
    assert measured["name"] == "fractal_dimension"
    assert measured["value"] == fake_value(SHA)
    assert measured["reason"] == ""
    assert unmeasured["value"] is None, "missing is not zero"
    assert unmeasured["reason"] == "nobody looked"


def test_describe_gives_sentences_in_the_language_asked_for(address: str) -> None:
    english = posted(address, "describe")
    assert english["text"].startswith("This is a colour fundus photograph.")
    assert english["statements"][0]["id"] == "s0"
    assert english["disclaimer"] == "Research use; not a medical device."
    chinese = posted(address, "describe", language="zh")
    assert "眼底" in chinese["text"]
    assert chinese["disclaimer"] == "仅供研究使用，不是医疗器械。"


def test_a_form_with_the_file_says_the_same_as_json(address: str) -> None:
    form = post(
        f"{address}/v1/measure",
        files={"photograph": ("../../etc/passwd\x00.jpg", ONE, "text/html")},
        data={"eye": "left"},
    )
    assert form.status_code == 200, form.text
    assert form.json() == posted(address, "measure", eye="left")
    assert "passwd" not in form.text


def test_a_photograph_is_looked_at_once_however_it_comes(address: str) -> None:
    raw = FAKE_PHOTOGRAPH + b"looked at once"
    before = _metrics(address)
    for _ in range(3):
        post(f"{address}/v1/measure", files={"photograph": ("a", raw)})
    after = _metrics(address)
    looked, again = (("fundoscope_photographs_total", f) for f in ("looked_at", "found_again"))
    assert after[looked] - before[looked] == 1
    assert after[again] - before[again] == 2


def _metrics(address: str) -> dict[tuple[str, str], float]:
    text = get(f"{address}/metrics").text
    return {
        (sample.name, sample.labels.get("fate", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_requests_by_route_and_status_and_name_nothing_else(address: str) -> None:
    get(f"{address}/v1/models/of-jane-doe")
    get(f"{address}/jane-doe")
    response = get(f"{address}/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'fundoscope_requests_total{route="other",status="404"}' in response.text
    assert "jane" not in response.text
    assert "python_info" not in response.text, "a registry of its own"


def test_head_is_answered_where_get_is(address: str) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/docs"):
        response = head(address + path)
        assert (response.status_code, response.content) == (200, b""), path


def test_openapi_describes_every_route_with_what_it_takes_and_gives(address: str) -> None:
    told = get(f"{address}/openapi.json").json()
    assert set(told["paths"]) == {
        "/v1/chat/completions", "/v1/models", "/v1/models/{model}", "/v1/perceive",
        "/v1/measure", "/v1/describe", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    lost = [
        name
        for name in set(re.findall(r'"#/components/schemas/([^"]+)"', _text(told)))
        if name not in told["components"]["schemas"]
    ]
    assert lost == []
    perceive = told["paths"]["/v1/perceive"]["post"]
    assert set(perceive["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert "429" in perceive["responses"]
    chat = told["components"]["schemas"]["ChatRequest"]
    assert chat["additionalProperties"] is False
    assert "messages" in chat["required"]


def _text(value: object) -> str:
    import json

    return json.dumps(value)


def test_the_page_that_explains_loads_nothing_and_runs_nothing(address: str) -> None:
    page = get(f"{address}/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text and "http" not in page.text
    assert "/v1/chat/completions" in page.text
    assert "not a medical device" in page.text


def test_what_is_not_there_is_told_in_the_same_form(address: str) -> None:
    for method, path, status in (
        ("GET", "/nothing", 404), ("GET", "/v1/perceive", 405), ("PUT", "/v1/models", 405),
        ("DELETE", "/healthz", 405), ("PATCH", "/v1/chat/completions", 405),
    ):  # fmt: skip
        response = request(method, address + path)
        assert response.status_code == status, path
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
        if status == 405:
            assert response.headers["allow"]
