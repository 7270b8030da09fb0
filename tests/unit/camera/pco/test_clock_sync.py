from recorder.camera.pco.clock_sync import MAX_TOLD, ClockSync


def test_each_change_is_told_with_its_number() -> None:
    told: list[str] = []
    sync = ClockSync(told.append, synchronized=True)
    sync.change(5, (1, 1))
    sync.change(9, (0, 0))
    sync.change(12, (7, 3))
    assert told == [
        "from number 5 on the camera's clock follows IRIG",
        "from number 9 on the camera's clock follows its own oscillator "
        "and the camera is not locked to the external signal",
        "from number 12 on the camera's clock follows source 7 "
        "and the camera is in state 3 to the external signal",
    ]
    assert sync.state == (7, 3)


def test_a_lock_is_told_only_where_there_is_a_signal_to_lock_to() -> None:
    told: list[str] = []
    sync = ClockSync(told.append)
    sync.change(1, (0, 1))
    assert not told
    assert sync.state == (0, 1)


def test_a_loose_cable_does_not_fill_the_file() -> None:
    told: list[str] = []
    sync = ClockSync(told.append)
    for number in range(1, 1000):
        sync.change(number, (number % 2, 0))
    assert len(told) == MAX_TOLD
    assert told[-1].endswith("; further changes of this run are not told")
    assert sync.state == (1, 0)
