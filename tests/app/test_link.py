"""The line between parent and worker."""

import asyncio
import socket

import pytest

from tikrelay.app.link import Link, LinkClosedError, Message


async def pair(handle_left=None, handle_right=None) -> tuple[Link, Link, list[asyncio.Task[None]]]:
    async def nothing(_: Message) -> None:
        return None

    left, right = socket.socketpair()
    ends = await Link.over(left, handle_left or nothing), await Link.over(right, handle_right or nothing)
    return *ends, [asyncio.create_task(end.run()) for end in ends]


async def close(*ends: Link, tasks: list[asyncio.Task[None]]) -> None:
    for end in ends:
        end.close()
    await asyncio.gather(*tasks)


async def test_a_question_is_answered_by_number():
    async def double(message: Message) -> Message:
        await asyncio.sleep(0.01 * (3 - message["n"]))
        return {"twice": message["n"] * 2}

    left, right, tasks = await pair(handle_right=double)

    answers = await asyncio.gather(*(left.ask("double", n=n) for n in range(3)))
    await close(left, right, tasks=tasks)

    assert [{"twice": 0}, {"twice": 2}, {"twice": 4}] == answers


async def test_an_error_in_the_answering_side_comes_back_as_words():
    async def fail(_: Message) -> Message:
        raise ValueError("no such file")

    left, right, tasks = await pair(handle_right=fail)

    answer = await left.ask("anything")
    await close(left, right, tasks=tasks)

    assert {"error": "ValueError: no such file"} == answer


async def test_who_asks_a_side_that_is_gone_learns_it():
    async def forever(_: Message) -> Message:
        await asyncio.sleep(60)
        return {}

    left, right, tasks = await pair(handle_right=forever)
    asking = asyncio.create_task(left.ask("anything"))
    await asyncio.sleep(0.02)
    await close(right, left, tasks=tasks)

    with pytest.raises(LinkClosedError):
        await asking
    with pytest.raises(LinkClosedError):
        await left.ask("again")
