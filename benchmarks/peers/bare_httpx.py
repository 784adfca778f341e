"""The least that can be done with httpx: so many workers, one client, answers in a list."""

from __future__ import annotations

import argparse
import asyncio

import httpx
import peer


async def ask_all(told: argparse.Namespace) -> list[str | None]:
    answers: list[str | None] = [None] * len(told.prompts)
    waiting = iter(enumerate(told.prompts))
    url = f"{told.base_url}/chat/completions"

    async def work(client: httpx.AsyncClient) -> None:
        for number, body in waiting:
            said = (await client.post(url, json=body)).json()
            answers[number] = said["choices"][0]["message"]["content"]

    limits = httpx.Limits(max_connections=told.at_once, max_keepalive_connections=told.at_once)
    async with httpx.AsyncClient(limits=limits, timeout=120, trust_env=False) as client:
        await asyncio.gather(*(work(client) for _ in range(told.at_once)))
    return answers


if __name__ == "__main__":
    told = peer.arguments()
    peer.done(told, asyncio.run(ask_all(told)))
