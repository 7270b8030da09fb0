// The histogram with its levels, the traces of regions, and the chart of the last minutes.

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
  for (const value of ticks(left, right, 6)) {
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

// The mean of each region over time.

const traces = new Map();
let tracedUnit = "";

// How far back traces go, in s, and how many points one has at most.
const LONGEST = 600, MOST = 12000;

function keepTraces({ regions, taken_s, mode }) {
  if (mode !== tracedUnit) traces.clear();
  tracedUnit = mode;
  for (const name of [...traces.keys()]) if (!regions.some((region) => region.name === name)) traces.delete(name);
  for (const { name, box, colour, mean } of regions) {
    const place = box.join();
    let trace = traces.get(name);
    if (!trace || trace.place !== place) traces.set(name, (trace = { place, points: [] }));
    Object.assign(trace, { colour, mean });
    if (mean === null) continue;
    const last = trace.points[trace.points.length - 1];
    if (!last || taken_s > last[0]) trace.points.push([taken_s, mean]);
    while (trace.points.length > MOST || trace.points[0][0] < taken_s - LONGEST) trace.points.shift();
  }
}

function drawTraces() {
  const pen = fit($("traces")), ratio = devicePixelRatio || 1, head = state.head;
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  $("traces").classList.toggle("empty", !traces.size);
  if (!head || !traces.size) return;
  const back = Number($("back").value), left = 44 * ratio, top = 16 * ratio;
  const w = pen.canvas.width - left - 6 * ratio, h = pen.canvas.height - top - 16 * ratio;
  const lines = [...traces].map(([name, { colour, mean, points }]) => ({ name, colour, mean, points: points.filter(([at]) => at >= head.taken_s - back) }));
  let low = Infinity, high = -Infinity;
  for (const { points } of lines) for (const [, mean] of points) { low = Math.min(low, mean); high = Math.max(high, mean); }
  if (low > high) return;
  if (high === low) [low, high] = [low - 0.5, high + 0.5];
  const x = (at) => left + (1 - (head.taken_s - at) / back) * w, y = (mean) => top + (1 - (mean - low) / (high - low)) * h;
  pen.font = `${11 * ratio}px system-ui`;
  pen.fillStyle = FAINT;
  pen.textAlign = "right";
  for (const value of ticks(low, high, 3)) {
    pen.fillRect(left, y(value), w, ratio / 2);
    pen.fillText(short(value, high - low), left - 4 * ratio, y(value) + 4 * ratio);
  }
  pen.fillText(head.mode === "dff" ? "ΔF/F %" : head.mode === "raw" ? "counts" : "Δ counts", left - 2 * ratio, 10 * ratio);
  pen.textAlign = "center";
  for (const ago of ticks(0, back, 4).filter((ago) => ago < back * 0.95)) pen.fillText(ago ? `-${ago} s` : "now", x(head.taken_s - ago) - (ago ? 0 : 10 * ratio), pen.canvas.height - 3 * ratio);
  for (const { colour, points } of lines) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5 * ratio;
    pen.beginPath();
    for (const [at, mean] of points) pen.lineTo(x(at), y(mean));
    pen.stroke();
  }
}

// The regions by name, with what they are now, and a button that removes each.
function showRegions(head) {
  const list = $("regions"), names = head.regions.map(({ name }) => name).join();
  if (list.dataset.names !== names) {
    list.dataset.names = names;
    list.replaceChildren(...head.regions.map(({ name, colour }) => {
      const item = document.createElement("li"), value = document.createElement("span"), remove = document.createElement("button");
      item.style.color = colour;
      remove.textContent = "×";
      remove.setAttribute("aria-label", `remove region ${name}`);
      remove.onclick = () => run(`region off "${name}"`);
      item.append(`${name} `, value, remove);
      return item;
    }));
  }
  head.regions.forEach(({ mean }, i) => {
    list.children[i].querySelector("span").textContent = mean === null ? "outside" : short(mean, (head.high - head.low) / 20) + unitOf(head);
  });
}

// The chart of the last minutes.

function drawChart() {
  const pen = fit($("chart")), w = pen.canvas.width, h = pen.canvas.height, ratio = devicePixelRatio || 1;
  pen.clearRect(0, 0, w, h);
  const rows = [["frames/s", 0, "#5fafd7", 0], ["pool %", 1, "#87af5f", 0, 100], ["lost", 2, "#ff5f5f", 0, 1], ["disk, min", 3, "#ffd75f", 0]];
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
