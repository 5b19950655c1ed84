"""The line between parent and worker."""

import asyncio
import socket

import pytest

from tikrelay.app.link import AskFailedError, Link, LinkClosedError, Message


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


async def test_an_error_in_the_answering_side_is_one_for_who_asked_without_its_words():
    async def fail(_: Message) -> Message:
        raise ValueError("what a visitor sent")

    left, right, tasks = await pair(handle_right=fail)

    with pytest.raises(AskFailedError, match=r"^ValueError$"):
        await left.ask("anything")
    await close(left, right, tasks=tasks)


@pytest.mark.parametrize("line", [b'{"answers": 1, "x"', b"\xff\xff\n", b"[1]x\n"])
async def test_a_line_that_is_cut_off_or_no_json_ends_the_link(line: bytes):
    async def nothing(_: Message) -> None:
        return None

    ours, theirs = socket.socketpair()
    link = await Link.over(ours, nothing)
    running = asyncio.create_task(link.run())
    theirs.sendall(line)
    theirs.close()

    await asyncio.wait_for(running, 5)


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
