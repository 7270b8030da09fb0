// The histogram with its levels, the traces of regions, and the chart of the last minutes.

const histogram = $("histogram");
let grip = null;

function span() {
  const head = state.head, counts = head.histogram, width = 65536 / counts.length;
  let last = counts.length - 1;
  while (last > 0 && !counts[last]) last--;
  return Math.min(65536, Math.max((last + 2) * width, head.high * 1.1, 256));
}

function drawHistogram() {
  const pen = fit(histogram), head = state.head;
  pen.clearRect(0, 0, histogram.width, histogram.height);
  if (!head) return;
  const right = span(), counts = head.histogram, width = 65536 / counts.length;
  const max = Math.log1p(Math.max(...counts));
  pen.fillStyle = "#7a8a94";
  for (let i = 0; i * width < right; i++) {
    const tall = (Math.log1p(counts[i]) / max) * (histogram.height - 16);
    pen.fillRect((i * width / right) * histogram.width, histogram.height - tall, Math.max(1, (width / right) * histogram.width), tall);
  }
  pen.font = `${11 * (devicePixelRatio || 1)}px system-ui`;
  for (const [value, colour, name] of [[head.low, "#5fafd7", "black"], [head.high, "#ffd75f", "white"]]) {
    const x = (value / right) * histogram.width;
    pen.fillStyle = pen.strokeStyle = colour;
    pen.beginPath();
    pen.moveTo(x, 0);
    pen.lineTo(x, histogram.height);
    pen.stroke();
    const text = `${name} ${value}`, wide = pen.measureText(text).width;
    pen.fillText(text, Math.min(Math.max(2, x + 4), histogram.width - wide - 2), name === "black" ? 12 : 26);
  }
}

function dragLevel(event) {
  const head = state.head, box = histogram.getBoundingClientRect();
  const value = Math.round(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * grip.right);
  if (grip.end === "low") head.low = Math.min(value, head.high - 1);
  else head.high = Math.min(65535, Math.max(value, head.low + 1));
  send({ levels: [head.low, head.high] });
  drawHistogram();
}
histogram.addEventListener("pointerdown", (event) => {
  if (!state.head) return;
  histogram.setPointerCapture(event.pointerId);
  const box = histogram.getBoundingClientRect(), right = span(), value = ((event.clientX - box.left) / box.width) * right;
  grip = { right, end: Math.abs(value - state.head.low) < Math.abs(value - state.head.high) ? "low" : "high" };
  dragLevel(event);
});
histogram.addEventListener("pointermove", (event) => grip && dragLevel(event));
histogram.addEventListener("pointerup", () => (grip = null));

function drawLine(pen, values, x, y, w, h, colour, min, max) {
  if (values.length < 2) return;
  const low = min ?? Math.min(...values), high = Math.max(max ?? -Infinity, ...values), range = high - low || 1;
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  values.forEach((value, i) => pen.lineTo(x + (i / (values.length - 1)) * w, y + h - ((value - low) / range) * h));
  pen.stroke();
}

function drawTrace() {
  const pen = fit($("trace"));
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  drawLine(pen, trace, 2, 6, pen.canvas.width - 4, pen.canvas.height - 12, "#ffd75f");
}

function drawChart() {
  const pen = fit($("chart")), w = pen.canvas.width, h = pen.canvas.height, ratio = devicePixelRatio || 1;
  pen.clearRect(0, 0, w, h);
  const rows = [["rate, frames/s", 0, "#5fafd7", 0], ["pool, %", 1, "#87af5f", 0, 100], ["frames lost", 2, "#ff5f5f", 0, 1], ["disk, min left", 3, "#ffd75f", 0]];
  const each = w / rows.length, top = 18 * ratio;
  pen.font = `${12 * ratio}px system-ui`;
  rows.forEach(([name, i, colour, min, max], n) => {
    const values = state.history.map((sample) => sample[i]).filter((value) => value !== null);
    const now = values.length ? values[values.length - 1] : null;
    pen.fillStyle = "#8a8a8a";
    pen.fillText(`${name}: ${now === null ? "–" : Number(now.toPrecision(4))}`, n * each + 6 * ratio, 13 * ratio);
    drawLine(pen, values, n * each + 6 * ratio, top, each - 12 * ratio, h - top - 4 * ratio, colour, min, max);
  });
}

const trace = [];

function keepTrace(head) {
  if (head.rect === null) return;
  trace.push(head.rect);
  if (trace.length > 300) trace.shift();
}

function clearTrace() {
  trace.length = 0;
}
