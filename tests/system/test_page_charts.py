"""The lines of the preview page's charts, drawn from figures of the test's own."""

import sys
from pathlib import Path

import pytest

from tests.system.browser import browser
from tests.system.displays import TOKEN, recording

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

# From now on no word from the recorder changes the page. `coloured`: whether there is a colour between two
# places of a canvas, as shares of the part from `left` to `right`; `inTrace` between two moments, in s ago;
# `inChart` in one of the charts, between two moments of the minute that it shows.
TOOLS = """socket.onmessage = null;
window.coloured = (canvas, [r, g, b], left, right, from, to) => {
    const wide = right - left, x = Math.round(left + from * wide), w = Math.round((to - from) * wide);
    const { data } = canvas.getContext("2d").getImageData(x, 0, w, canvas.height);
    for (let i = 0; i < data.length; i += 4)
        if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 60) return true;
    return false;
};
window.trace = (frames) => {
    traces.clear();
    for (const [taken_s, number, mean] of frames) {
        state.head = { ...state.head, taken_s, number, mode: "raw",
            regions: [{ name: "eye", box: [0, 0, 9, 9], colour: "#ff0000", mean }] };
        keepTraces(state.head);
    }
    // Up to 30 s back, which is what the chart shows.
    drawTraces();
};
window.inTrace = (from, to) =>
    coloured($("traces"), [255, 0, 0], 44, $("traces").width - 6, 1 - from / 30, 1 - to / 30);
window.inChart = (place, colour, from, to) => {
    const wide = $("chart").width / 4, left = 6 + place * wide;
    return coloured($("chart"), colour, left, left + wide - 12, from / 60, to / 60);
};
"""


async def test_lines_are_not_drawn_where_nothing_was_seen(tmp_path: Path, program: str) -> None:
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        await dispatch.execute("region eye 100 100 200 200", "test")
        await tab.open(f"{address}?token={TOKEN}")
        # The list of traces has its place on the page.
        await tab.until("traces.size && $('traces').width > 300 && state.history.length")
        await tab.evaluate(TOOLS)

        # Pictures at 10/s but for 8 s: 800 frames were not seen, or another run began.
        steps = "Array.from({ length: 100 }, (_, i) => i)"
        for number in ("1000 + 10 * i", "1 + 10 * i"):
            await tab.evaluate(
                f"trace([...{steps}.map((i) => [5000 + i / 10, 1 + 10 * i, i % 7]),"
                f"...{steps}.map((i) => [5018 + i / 10, {number}, i % 7])])"
            )
            assert await tab.evaluate("inTrace(27, 18.5) && !inTrace(17.5, 10.5) && inTrace(9.5, 0)"), number
        # A run that begins anew at once is another one, as is what was outside of the picture for a while.
        await tab.evaluate("trace([[6000, 500, 1], [6001, 501, 1], [6003, 1, 9], [6004, 2, 9]])")
        assert await tab.evaluate("!inTrace(2.8, 1.2) && inTrace(0.8, 0.2)")
        await tab.evaluate("trace([[7000, 500, 1], [7001, 501, null], [7002, 502, null], [7003, 503, 1]])")
        assert not await tab.evaluate("inTrace(2.8, 0.2)")
        # A point that stands alone is seen.
        assert await tab.evaluate("inTrace(3.2, 2.8) && inTrace(0.2, 0)")
        # Frames that follow one another are joined, however slow; and pictures that always take so long.
        await tab.evaluate("trace([[8000, 7, 1], [8010, 8, 3], [8020, 9, 1]])")
        assert await tab.evaluate("inTrace(19, 11) && inTrace(9, 1)")
        await tab.evaluate("trace([[9000, 7, 1], [9004, 400, 3], [9008, 800, 1], [9012, 1200, 1]])")
        assert await tab.evaluate("!inTrace(11.7, 8.3) && inTrace(7.7, 0.3)")
        # A recorder on a computer that was switched off in between: its clock counts anew, and so do traces.
        assert (
            await tab.evaluate(
                "trace([[9000, 7, 1], [9001, 8, 1]]), keepTraces({ ...state.head, taken_s: 3 }),"
                "keepTraces({ ...state.head, taken_s: 4 }), traces.get('eye').points.map(([at]) => at).join()"
            )
            == "3,4"
        )

        # The charts: 20 s ago the recorder stood still for 10 s, or nothing was written for as long.
        await tab.evaluate("""window.texts = [];
            const fill = CanvasRenderingContext2D.prototype.fillText;
            CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
                texts.push(text);
                return fill.call(this, text, ...more);
            };
            // Frames/s, buffer, frames lost, minutes of disk left: after the gap the rate is measured anew.
            const lost = (i) => (i > 50 ? 6 : 0);
            const disk = (i) => (i === 41 || i === 42 ? 5000 : 14);
            state.history = Array.from({ length: 61 }, (_, i) => [i, 100, 2, lost(i), disk(i)])
                .filter(([i]) => i <= 30 || i > 40);
            state.marks = [];
            drawChart();""")
        for place, colour in ((0, [95, 175, 215]), (3, [255, 215, 95])):
            line = f"((from, to) => inChart({place}, {colour}, from, to))"
            assert await tab.evaluate(f"{line}(2, 28) && !{line}(33, 39) && {line}(43, 58)"), place
        await tab.evaluate("""state.history = Array.from({ length: 61 }, (_, i) =>
            [i, 100, 2, 0, i > 30 && i <= 40 ? null : 14]), drawChart()""")
        assert await tab.evaluate(f"{line}(2, 28) && !{line}(33, 39) && {line}(43, 58)")
        # A scale of whole numbers, and one that a moment does not stretch.
        texts = await tab.evaluate("texts")
        assert "10" in texts
        assert "7.5" not in texts
        assert "15 min" in texts
