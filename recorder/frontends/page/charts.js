// The histogram with its levels, the trace of a rectangle, and the chart of the last minutes.

const FAINT = "#8a8a8a";

// Round numbers between two, about so many.
function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) || 10);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(i * step);
  return found;
}

// A number as short as can be, at the precision that a range of this size needs.
function short(value, range) {
  const digits = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(range || 1))));
  return String(Number(value.toFixed(digits)));
}

const unitOf = (head) => (head.unit === "%" ? " %" : "");

// The histogram.

const histogram = $("histogram");
let logarithmic = true;
let grip = null;

// The values at its left and right end: those of the bins, and the levels.
function histogramAxis(head = state.head) {
  const { start, width, counts } = head.histogram;
  let left = Math.min(start, head.low), right = Math.max(start + width * counts.length, head.high);
  if (head.mode !== "raw") [left, right] = [-Math.max(-left, right), Math.max(-left, right)];
  const margin = 0.04 * (right - left || 1);
  return { left: head.mode === "raw" ? Math.max(0, left - margin) : left - margin, right: right + margin };
}

function drawHistogram() {
  const pen = fit(histogram), head = state.head, ratio = devicePixelRatio || 1;
  pen.clearRect(0, 0, histogram.width, histogram.height);
  if (!head) return;
  const { left, right } = grip ? grip.axis : histogramAxis(), { start, width, counts } = head.histogram;
  const x = (value) => ((value - left) / (right - left)) * histogram.width;
  const size = logarithmic ? Math.log1p : (count) => count;
  const foot = histogram.height - 16 * ratio, most = size(Math.max(...counts)) || 1;
  pen.fillStyle = "#7a8a94";
  counts.forEach((count, i) => {
    const tall = (size(count) / most) * (foot - 30 * ratio), from = x(start + i * width);
    pen.fillRect(from, foot - tall, Math.max(1, x(start + (i + 1) * width) - from), tall);
  });
  pen.font = `${11 * ratio}px system-ui`;
  pen.textAlign = "center";
  pen.fillStyle = pen.strokeStyle = FAINT;
  for (const value of ticks(left, right, 4)) {
    pen.fillRect(x(value), foot, ratio, 4 * ratio);
    pen.fillText(short(value, right - left), x(value), histogram.height - 2 * ratio);
  }
  for (const [value, colour, name, row] of [[head.low, "#5fafd7", "black", 1], [head.high, "#ffd75f", "white", 2]]) {
    pen.fillStyle = colour;
    pen.fillRect(x(value) - ratio / 2, 0, ratio, foot);
    const text = `${head.mode === "raw" ? name : name === "black" ? "from" : "to"} ${short(value, right - left)}${unitOf(head)}`;
    const wide = pen.measureText(text).width;
    pen.textAlign = "left";
    pen.fillText(text, Math.min(Math.max(2, x(value) + 4 * ratio), histogram.width - wide - 2), (row * 13 - 2) * ratio);
  }
}

function dragLevel(event) {
  const head = state.head, box = histogram.getBoundingClientRect(), { left, right } = grip.axis;
  const value = left + Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * (right - left);
  if (head.mode !== "raw") {
    // What is shown as no difference stays in the middle.
    head.high = Math.max(Math.abs(value), (right - left) / 1000);
    head.low = -head.high;
    send({ range: head.high });
  } else {
    if (grip.end === "low") head.low = Math.max(0, Math.min(Math.round(value), head.high - 1));
    else head.high = Math.min(65535, Math.max(Math.round(value), head.low + 1));
    send({ levels: [head.low, head.high] });
  }
  drawHistogram();
}
histogram.addEventListener("pointerdown", (event) => {
  if (!state.head) return;
  histogram.setPointerCapture(event.pointerId);
  const box = histogram.getBoundingClientRect(), axis = histogramAxis(), { low, high } = state.head;
  const value = axis.left + ((event.clientX - box.left) / box.width) * (axis.right - axis.left);
  grip = { axis, end: Math.abs(value - low) < Math.abs(value - high) ? "low" : "high" };
  dragLevel(event);
});
histogram.addEventListener("pointermove", (event) => grip && dragLevel(event));
for (const end of ["pointerup", "pointercancel"]) histogram.addEventListener(end, () => (grip = null));

// Lines over time.

function drawLine(pen, values, x, y, w, h, colour, min, max) {
  if (values.length < 2) return;
  const low = min ?? Math.min(...values), high = Math.max(max ?? -Infinity, ...values), range = high - low || 1;
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  values.forEach((value, i) => pen.lineTo(x + (i / (values.length - 1)) * w, y + h - ((value - low) / range) * h));
  pen.stroke();
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
