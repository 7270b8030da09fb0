from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fault_injection.power_cuts import COMPRESSED, simulation


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("options", "cuts"), [((), 50), (COMPRESSED, 30)], ids=["as they are", "compressed"])
def test_what_was_durable_survives_a_power_cut(tmp_path: Path, options: Sequence[str], cuts: int) -> None:
    """A sample; more: python -m tests.fault_injection.power_cuts --images 1000 [--compressed]."""
    with simulation(tmp_path, options) as session:
        assert [wrong for seed in range(cuts) if (wrong := session.check(seed))] == []
        assert session.unreadable > cuts // 5  # the cuts did harm
        assert session.kept >= session.durable > 10 * cuts
