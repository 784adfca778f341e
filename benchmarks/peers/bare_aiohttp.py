"""The least that can be done with aiohttp: so many workers, one session, answers in a list."""

from __future__ import annotations

import argparse
import asyncio

import aiohttp
import peer


async def ask_all(told: argparse.Namespace) -> list[str | None]:
    answers: list[str | None] = [None] * len(told.prompts)
    waiting = iter(enumerate(told.prompts))
    url = f"{told.base_url}/chat/completions"

    async def work(session: aiohttp.ClientSession) -> None:
        for number, body in waiting:
            async with session.post(url, json=body) as response:
                said = await response.json()
                answers[number] = said["choices"][0]["message"]["content"]

    connector = aiohttp.TCPConnector(limit=told.at_once)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(work(session) for _ in range(told.at_once)))
    return answers


if __name__ == "__main__":
    told = peer.arguments()
    peer.done(told, asyncio.run(ask_all(told)))
