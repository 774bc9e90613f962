from __future__ import annotations

import pytest

from tests.connectors.behavior.space import Space


@pytest.mark.needs("get_quota")
async def test_numbers_fit_together_when_told(space: Space) -> None:
    quota = await space.connector.get_quota()
    numbers = [quota.total_bytes, quota.used_bytes, quota.remaining_bytes]
    assert any(number is not None for number in numbers)
    assert all(number is None or number >= 0 for number in numbers)
    if quota.total_bytes is not None and quota.used_bytes is not None:
        assert quota.used_bytes <= quota.total_bytes
    if quota.total_bytes is not None and quota.remaining_bytes is not None:
        assert quota.remaining_bytes <= quota.total_bytes
