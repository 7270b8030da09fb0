// The traces of regions, and the charts of the last minutes.

const FAINT = "#9a9a9a";

// Round numbers between two, so many at least, and two and a half times as many at most.
function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [5, 2, 1].find((factor) => factor * power <= rough * 1.001);
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

// A figure that changes all the time, always with as many decimals: it is read at a glance, and nothing moves.
const figure = (value, head) => value.toFixed(head.unit === "%" ? 2 : 1) + unitOf(head);

// Where nothing came for so long, a line does not go on, in s.
const GAP_S = 3;

// A line through points: place and height on the canvas, and whether it begins anew there. One that stands alone is a dot.
function drawLine(pen, points) {
  pen.lineJoin = pen.lineCap = "round";
  pen.beginPath();
  points.forEach(([x, y, isNew], i) => {
    if (isNew || !i) pen.moveTo(x, y);
    pen.lineTo(x, y);
  });
  pen.stroke();
}

// The mean of each region over time: points of the moment in s, the mean, and whether its line begins anew there.

const traces = new Map();
let tracedUnit = "";

// How far back traces go, in s, and how many points one has at most.
const LONGEST = 600, MOST = 12000;

// The picture before: its moment and its frame, and how long it had been waited for.
let seen = { taken_s: 0, number: Infinity, wait: 0 };

// Whether frames before this one were not seen: another run counts anew; or far more were passed over than the last times.
// Two frames that follow one another are joined, however slow they are.
function isAfterGap({ taken_s, number }) {
  const wait = taken_s - seen.taken_s, isAnew = wait < 0 || number < seen.number, isLate = wait > Math.max(GAP_S, 3 * seen.wait);
  const isGap = isAnew || (isLate && number > seen.number + 1);
  if (wait) seen = { taken_s, number, wait: isAnew ? 0 : wait };
  return isGap;
}

function keepTraces(head) {
  // Those of a file come with it.
  if (isFile) return;
  const { regions, taken_s, mode } = head;
  // The clock is that of a computer, which counts anew once it was switched off.
  if (mode !== tracedUnit || taken_s < seen.taken_s) traces.clear();
  const isGap = isAfterGap(head);
  tracedUnit = mode;
  for (const name of [...traces.keys()]) if (!regions.some((region) => region.name === name)) traces.delete(name);
  for (const { name, box, colour, mean } of regions) {
    const place = box.join();
    let trace = traces.get(name);
    if (!trace || trace.place !== place) traces.set(name, (trace = { place, points: [] }));
    Object.assign(trace, { colour, mean, isCut: trace.isCut || isGap || mean === null });
    if (mean === null) continue;
    const last = trace.points[trace.points.length - 1];
    if (!last || taken_s > last[0]) {
      trace.points.push([taken_s, mean, trace.isCut]);
      trace.isCut = false;
    }
    while (trace.points.length > MOST || trace.points[0][0] < taken_s - LONGEST) trace.points.shift();
  }
}

function drawTraces() {
  if (isFile) return drawTimeline();
  const canvas = $("traces"), pen = fit(canvas), ratio = devicePixelRatio || 1, head = state.head;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  canvas.classList.toggle("empty", !traces.size);
  if (!head || !traces.size) return;
  const back = Number($("back").value), left = 44 * ratio, top = 16 * ratio;
  const w = canvas.width - left - 6 * ratio, h = canvas.height - top - 16 * ratio;
  const lines = [...traces].map(([name, { colour, mean, points }]) => ({ name, colour, mean, points: points.filter(([at]) => at >= head.taken_s - back) }));
  let low = Infinity, high = -Infinity;
  for (const { points } of lines) for (const [, mean] of points) { low = Math.min(low, mean); high = Math.max(high, mean); }
  if (low > high) return;
  if (high === low) [low, high] = [low - 0.5, high + 0.5];
  const x = (at) => left + (1 - (head.taken_s - at) / back) * w, y = (mean) => top + (1 - (mean - low) / (high - low)) * h;
  pen.font = `${11 * ratio}px system-ui`;
  pen.fillStyle = FAINT;
  pen.textAlign = "right";
  for (const value of ticks(low, high, 2)) {
    pen.fillRect(left, y(value), w, ratio / 2);
    pen.fillText(short(value, high - low), left - 4 * ratio, y(value) + 4 * ratio);
  }
  pen.fillText(head.mode === "dff" ? "ΔF/F %" : head.mode === "raw" ? "counts" : "Δ counts", left - 2 * ratio, 10 * ratio);
  pen.textAlign = "center";
  for (const ago of ticks(0, back, 2).filter((ago) => ago < back * 0.95)) pen.fillText(ago ? `-${ago} s` : "now", x(head.taken_s - ago) - (ago ? 0 : 10 * ratio), canvas.height - 3 * ratio);
  drawMarks(pen, x, left, top, h);
  pen.lineWidth = 1.5 * ratio;
  for (const { colour, points } of lines) {
    pen.strokeStyle = colour;
    drawLine(pen, points.map(([at, mean, isNew]) => [x(at), y(mean), isNew]));
  }
}

// Marks as lines, each with its label where there is room before the next.
function drawMarks(pen, x, left, top, h) {
  const ratio = devicePixelRatio || 1;
  pen.textAlign = "left";
  let free = Infinity;
  for (const [time, label] of [...state.marks].sort((a, b) => b[0] - a[0])) {
    const at = x(time);
    if (at < left || time > state.head.taken_s) continue;
    pen.fillStyle = "#ffffff60";
    pen.fillRect(at, top, ratio, h);
    const wide = pen.measureText(label).width + 6 * ratio;
    pen.fillStyle = "#d6d6d6";
    if (at + wide < Math.min(free, pen.canvas.width)) pen.fillText(label, at + 3 * ratio, top + 9 * ratio);
    free = at;
  }
}

// The regions by name, with what they are now, and a button that removes each.
function showRegions(head) {
  const list = $("regions"), names = head.regions.map(({ name }) => name).join();
  if (list.dataset.names !== names) {
    list.dataset.names = names;
    list.replaceChildren(...head.regions.map(({ name, colour }) => {
      const [item, label, value] = ["li", "span", "span"].map((tag) => document.createElement(tag)), remove = document.createElement("button");
      item.style.color = colour;
      [label.className, value.className] = ["name", "mean"];
      label.textContent = label.title = name;
      remove.textContent = "×";
      remove.setAttribute("aria-label", `remove region ${name}`);
      remove.onclick = () => run(`region off "${name}"`);
      item.append(label, value, remove);
      return item;
    }));
  }
  head.regions.forEach(({ mean }, i) => {
    list.children[i].querySelector(".mean").textContent = mean === null ? "outside" : figure(mean, head);
  });
}

// The charts of the last minutes: what, its place in a sample, colour, text of a value, least upper end, and whether single
// values count for nothing: the time that the disk lasts is far off while a rate is being measured anew.

const sparklines = [
  ["frames/s", 1, "#5fafd7", (rate) => rate.toFixed(rate < 100 ? 1 : 0), 1],
  ["buffer used", 2, "#87af5f", (percent) => `${Math.ceil(percent - 0.5)} %`, 100],
  ["frames lost", 3, "#ff5f5f", String, 1],
  ["disk left", 4, "#ffd75f", (minutes) => words(minutes * 60), 1, true],
];

// The round number from which on a scale holds this value, of 1 or more; a whole one, for things are counted.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 1.5, 2, 3, 5, 7.5].find((factor) => factor * power >= value * 0.999 && Number.isInteger(factor * power)) || 10);
}

// A line of the samples since a moment: points as of a trace.
function lineOf(place, since) {
  const points = [];
  state.history.forEach((sample, i) => {
    const before = state.history[i - 1], isNew = !before || before[place] === null || sample[0] - before[0] > GAP_S;
    if (sample[place] !== null && sample[0] > since) points.push([sample[0], sample[place], isNew]);
  });
  return points;
}

// Each value as the middle one, or the lower of two, of those from three before to three after it.
const calmed = (points) => points.map(([at, , isNew], i) => {
  const near = points.slice(Math.max(0, i - 3), i + 4).map(([, value]) => value).sort((a, b) => a - b);
  return [at, near[Math.floor((near.length - 1) / 2)], isNew];
});

function drawChart() {
  const canvas = $("chart"), pen = fit(canvas), ratio = devicePixelRatio || 1;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!state.history.length) return;
  const columns = canvas.height / ratio > 130 ? 2 : 4, rows = sparklines.length / columns, gap = 12 * ratio;
  const w = canvas.width / columns - gap, h = canvas.height / rows;
  // A minute, until there is more.
  const minutes = state.history[state.history.length - 1][0] - state.history[0][0] > 60 ? 5 : 1;
  const told = sparklines.map((line, n) => drawSparkline(pen, line, minutes, (n % columns) * (w + gap) + gap / 2, Math.floor(n / columns) * h, w, h - 2 * ratio));
  canvas.setAttribute("aria-label", `the last ${minutes} min, and now: ${told.join(", ")}`);
}

function drawSparkline(pen, [name, place, colour, text, least, isCalm], minutes, x, y, w, h) {
  const ratio = devicePixelRatio || 1, span = 60 * minutes, now = state.history[state.history.length - 1][0];
  const found = lineOf(place, now - span), points = isCalm ? calmed(found) : found;
  const last = state.history[state.history.length - 1][place], told = `${name} ${last === null ? "–" : text(last)}`;
  const top = y + 18 * ratio, bottom = y + h - 14 * ratio;
  const most = roundUp(points.reduce((high, [, value]) => Math.max(high, value), least));
  const at = (time) => x + (1 - (now - time) / span) * w, up = (value) => bottom - (value / most) * (bottom - top);
  pen.font = `${12 * ratio}px system-ui`;
  pen.textAlign = "left";
  pen.fillStyle = "#d6d6d6";
  pen.fillText(told, x, y + 12 * ratio, w);
  pen.font = `${10 * ratio}px system-ui`;
  pen.fillStyle = FAINT;
  pen.fillRect(x, bottom, w, ratio / 2);
  pen.fillRect(x, top, w, ratio / 2);
  pen.fillText(`${minutes} min ago`, x, y + h - 2 * ratio);
  // The scale's upper end; the lower one is 0.
  pen.fillText(text(most), x, top + 10 * ratio);
  pen.textAlign = "right";
  pen.fillText("now", x + w, y + h - 2 * ratio);
  pen.fillStyle = "#ffffff38";
  for (const [time] of state.marks) if (time > now - span && time <= now) pen.fillRect(at(time), top, ratio, bottom - top);
  pen.strokeStyle = colour;
  pen.lineWidth = 2 * ratio;
  drawLine(pen, points.map(([time, value, isNew]) => [at(time), up(value), isNew]));
  return told;
}
