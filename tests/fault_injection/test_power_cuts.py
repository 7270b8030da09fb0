from pathlib import Path

import pytest

from tests.fault_injection.power_cuts import simulation


@pytest.mark.timeout(120)
def test_what_was_durable_survives_a_power_cut(tmp_path: Path) -> None:
    """A sample; more: python -m tests.fault_injection.power_cuts --images 1000."""
    with simulation(tmp_path) as session:
        assert [wrong for seed in range(100) if (wrong := session.check(seed))] == []
        assert session.unreadable > 20  # the cuts did harm
        assert session.kept >= session.durable > 1000
