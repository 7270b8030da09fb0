from pathlib import Path

import pytest

from tests.fault_injection.disk_faults import COMPRESSED, cases, check_all


@pytest.mark.timeout(300)
def test_whatever_call_fails_the_session_ends_as_designed(tmp_path: Path) -> None:
    """A sample; all of them: python -m tests.fault_injection.disk_faults."""
    assert check_all(tmp_path, cases(step=109, start=3)) == []


@pytest.mark.timeout(300)
def test_whatever_call_fails_a_session_that_packs_ends_as_designed(tmp_path: Path) -> None:
    assert check_all(tmp_path, cases(step=149, start=20), COMPRESSED) == []
