"""The official client in the way RetinalGPT's released pipeline uses it.

One task a row, a semaphore, all answers gathered and saved at the end. With --aiohttp the client
talks through aiohttp instead of httpx.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import openai
import peer


async def ask_all(told: argparse.Namespace, through_aiohttp: bool) -> list[str | None]:
    places = asyncio.Semaphore(told.at_once)
    http_client = openai.DefaultAioHttpClient() if through_aiohttp else None
    async with openai.AsyncOpenAI(
        base_url=told.base_url, api_key="none", http_client=http_client
    ) as client:

        async def ask(body: dict[str, object]) -> str | None:
            async with places:
                said = await client.chat.completions.create(**body)
                return said.choices[0].message.content

        return await asyncio.gather(*map(ask, told.prompts))


if __name__ == "__main__":
    through_aiohttp = "--aiohttp" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--aiohttp"]
    told = peer.arguments()
    peer.done(told, asyncio.run(ask_all(told, through_aiohttp)))
