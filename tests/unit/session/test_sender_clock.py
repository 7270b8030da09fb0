"""The clock of a sender against the host's: what arrives late was not sent late."""

import numpy as np
import pytest

from recorder.session.sender_clock import ANEW_S, SenderClock

# The host's clock is ahead of the sender's by so much.
AHEAD_S = 4321.5


@pytest.mark.parametrize("drift", [0.0, 100e-6, -50e-6])
def test_rows_are_placed_to_less_than_the_network_varies(drift: float) -> None:
    clock, rng = SenderClock(), np.random.default_rng(1)
    wrong = []
    sender_s = 0.0
    for _ in range(4000):
        sender_s += 0.02
        sent = np.array([sender_s - 0.001, sender_s])
        truly_s = AHEAD_S + sender_s * (1 + drift)
        # The network takes 0.2 ms, and now and then much longer.
        arrived_ns = round((truly_s + 0.0002 + rng.exponential(0.005)) * 1e9)
        found = clock.host_ns(sent, arrived_ns)
        assert found[1] <= arrived_ns
        assert found[1] - found[0] == pytest.approx(1e6, rel=1e-2)
        wrong.append(found[1] * 1e-9 - truly_s)
    # What the network always takes cannot be told from the clocks; what they drift by is known after 10 s.
    first, settled = np.array(wrong[50:1000]), np.array(wrong[1000:])
    assert np.abs(first - 0.0002).max() < 0.0015
    assert np.abs(settled - 0.0002).max() < 0.0006
    assert np.median(np.abs(settled - 0.0002)) < 0.0003


def test_a_single_row_is_taken_as_it_comes() -> None:
    assert SenderClock().host_ns(np.array([5.0]), 7_000_000_000).tolist() == [7_000_000_000]


@pytest.mark.parametrize("step", [100.0, -100.0])
def test_a_clock_that_is_set_is_another_clock(step: float) -> None:
    clock = SenderClock()
    for i in range(300):
        clock.host_ns(np.array([i * 0.1]), round((50 + i * 0.1) * 1e9))
    found = [clock.host_ns(np.array([30 + step + i]), (80 + i) * 10**9)[0] for i in range(3)]
    assert abs(step) > ANEW_S
    assert found == pytest.approx([(80 + i) * 10**9 for i in range(3)], abs=1e3)
