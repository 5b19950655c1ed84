"""What runs in the background outlives a defect."""

import asyncio

import pytest

from tikrelay.app.tend import tend


async def test_what_a_defect_ends_is_told_and_begun_again(capsys):
    begun = 0

    async def fall_twice() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ValueError("what a visitor sent")

    await tend(fall_twice, where="alarms", again_after_s=(0.0,))
    told = "".join(capsys.readouterr())

    assert 3 == begun
    assert 2 == told.count("defect")
    assert "alarms" in told
    assert "what a visitor sent" not in told


async def test_who_is_told_to_end_is_not_begun_again():
    tended = asyncio.create_task(tend(asyncio.Event().wait, where="alarms", again_after_s=(0.0,)))
    await asyncio.sleep(0)
    tended.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tended
