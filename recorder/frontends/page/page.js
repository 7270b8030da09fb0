"use strict";
const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") || "";
const state = { head: null, status: {}, history: [], trace: [], rect: null, drag: null, marks: 0, next: 1, waiting: new Map() };
let socket = null;

// The connection, opened again when it is lost.

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => send({ ready: true });
  socket.onmessage = (event) => (typeof event.data === "string" ? onText(JSON.parse(event.data)) : onPicture(event.data));
  socket.onclose = () => {
    $("status").innerHTML = '<span class="part alarm">no connection to the recorder</span>';
    setTimeout(connect, 2000);
  };
}

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function ask(message) {
  const id = state.next++;
  return new Promise((answer) => {
    state.waiting.set(id, answer);
    send({ ...message, id });
  });
}

function onText(message) {
  if (message.id !== undefined) {
    const answer = state.waiting.get(message.id);
    state.waiting.delete(message.id);
    if (answer) answer(message);
  }
  if (message.history) state.history = message.history;
  if (message.status) showStatus(message.status);
}

// The picture.

const picture = $("picture");
const hidden = document.createElement("canvas");
const shades = new Uint32Array(256);
for (let i = 0; i < 255; i++) shades[i] = 0xff000000 | (i * 0x010101);
shades[255] = 0xff3030ff;

function onPicture(data) {
  const size = new DataView(data).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, size)));
  const pixels = new Uint8Array(data, 4 + size);
  state.head = head;
  hidden.width = head.width;
  hidden.height = head.height;
  const image = new ImageData(head.width, head.height);
  const colours = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) colours[i] = shades[pixels[i]];
  hidden.getContext("2d").putImageData(image, 0, 0);
  if (head.rect !== null) {
    state.trace.push(head.rect);
    if (state.trace.length > 300) state.trace.shift();
  }
  requestAnimationFrame(() => {
    drawPicture();
    drawHistogram();
    drawTrace();
    // Only now the next one: a slow browser gets fewer pictures.
    send({ ready: true });
  });
}

function fit(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  return canvas.getContext("2d");
}

// Where the picture is in its canvas: pixels of the frame to pixels of the canvas.
function place() {
  const [x, y, w, h] = state.head.region;
  const scale = Math.min(picture.width / w, picture.height / h);
  return { x, y, w, h, scale, left: (picture.width - w * scale) / 2, top: (picture.height - h * scale) / 2 };
}

function drawPicture() {
  const pen = fit(picture);
  pen.clearRect(0, 0, picture.width, picture.height);
  if (!state.head || !state.status.preview) return;
  const at = place();
  pen.imageSmoothingEnabled = at.scale * state.head.step < 1.5;
  pen.drawImage(hidden, at.left, at.top, at.w * at.scale, at.h * at.scale);
  if (state.rect) {
    const [x, y, w, h] = state.rect;
    pen.strokeStyle = "#ffd75f";
    pen.lineWidth = 1.5;
    pen.strokeRect(at.left + (x - at.x) * at.scale, at.top + (y - at.y) * at.scale, w * at.scale, h * at.scale);
  }
  showReadout();
}

function showReadout() {
  const head = state.head, parts = [`frame ${head.number}`];
  if (head.probe) parts.push(`(${head.probe[0] + head.origin[0]}, ${head.probe[1] + head.origin[1]}): ${head.probe[2] ?? "outside"}`);
  if (head.rect !== null) parts.push(`mean ${head.rect.toFixed(1)}`);
  if (head.saturated) parts.push(`about ${head.saturated * head.step * head.step} pixels saturated`);
  $("readout").textContent = parts.join("   ");
}

function toFrame(event) {
  const box = picture.getBoundingClientRect(), ratio = picture.width / box.width, at = place();
  return [at.x + ((event.clientX - box.left) * ratio - at.left) / at.scale, at.y + ((event.clientY - box.top) * ratio - at.top) / at.scale];
}

function setRegion(x, y, w, h) {
  const head = state.head;
  if (w >= head.frame_width && h >= head.frame_height) return send({ region: null });
  w = Math.max(16, Math.min(w, head.frame_width));
  h = Math.max(16, Math.min(h, head.frame_height));
  x = Math.min(Math.max(0, x), head.frame_width - w);
  y = Math.min(Math.max(0, y), head.frame_height - h);
  send({ region: [x, y, w, h].map(Math.round) });
}

picture.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (!state.head) return;
  const [fx, fy] = toFrame(event), at = place(), factor = event.deltaY < 0 ? 0.8 : 1.25;
  setRegion(fx - (fx - at.x) * factor, fy - (fy - at.y) * factor, at.w * factor, at.h * factor);
}, { passive: false });

picture.addEventListener("pointerdown", (event) => {
  if (!state.head) return;
  picture.setPointerCapture(event.pointerId);
  state.drag = { from: toFrame(event), region: state.head.region, rectangle: event.shiftKey };
});

picture.addEventListener("pointermove", (event) => {
  if (!state.head) return;
  const [x, y] = toFrame(event);
  send({ probe: [Math.floor(x), Math.floor(y)] });
  const drag = state.drag;
  if (!drag) return;
  if (drag.rectangle) {
    const [x0, y0] = drag.from;
    state.rect = [Math.min(x, x0), Math.min(y, y0), Math.abs(x - x0), Math.abs(y - y0)].map(Math.round);
    drawPicture();
  } else if (state.head.region[2] < state.head.frame_width || state.head.region[3] < state.head.frame_height) {
    const [rx, ry, w, h] = state.head.region;
    setRegion(rx + drag.from[0] - x, ry + drag.from[1] - y, w, h);
  }
});

picture.addEventListener("pointerup", () => {
  if (state.drag && state.drag.rectangle) {
    if (!state.rect || state.rect[2] < 2 || state.rect[3] < 2) state.rect = null;
    state.trace = [];
    send({ rect: state.rect });
  }
  state.drag = null;
});
picture.addEventListener("pointerleave", () => send({ probe: null }));

// The histogram and its levels.

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
  drawLine(pen, state.trace, 2, 6, pen.canvas.width - 4, pen.canvas.height - 12, "#ffd75f");
}

// The figures of the recorder, and the chart of the last minutes.

const units = [["h", 3600], ["min", 60], ["s", 1]];
const words = (s) => { if (s === null) return "without end"; const [u, n] = units.find(([, n]) => s >= n) || ["s", 1]; return `${(s / n).toFixed(s / n < 10 ? 1 : 0)} ${u}`; };

function showStatus(s) {
  state.status = s;
  const parts = [
    [s.state], [s.saving ? `saving ${s.saving}` : "not saving", !s.saving], [`counter ${s.number}`],
    [`${s.rate.toFixed(1)}/s`], [`${s.MBps.toFixed(0)} MB/s`], [`pool ${(s.pool * 100).toFixed(0)}%`, s.pool > 0.5],
    [s.unanswered, true], [s.saving ? `${s.durable} on the disk` : ""], [`lost ${s.lost}`, s.lost > 0], [`exposure ${s.exposure}`], [s.temperature === null ? "" : `${s.temperature.toFixed(1)} °C`],
    [`disk ${words(s.disk_time_left_s)}`, s.disk_time_left_s !== null && s.disk_time_left_s < 120], [s.in_camera === null ? "" : `in the camera ${s.in_camera}`],
    ...Object.entries(s.analysis).map(([name, value]) => [`${name} ${value === null ? "not a number" : Number(value.toPrecision(5))}`]),
  ].filter(([text]) => text);
  $("status").replaceChildren(...parts.map(([text, alarm]) => {
    const part = document.createElement("span");
    part.className = alarm ? "part alarm" : "part";
    part.textContent = text;
    return part;
  }));
  $("preview").classList.toggle("on", s.preview);
  $("veil").classList.toggle("shown", !s.preview);
  if (!s.preview) { state.head = null; drawPicture(); $("readout").textContent = ""; }
  if (s.sample) { state.history.push(s.sample); if (state.history.length > 300) state.history.shift(); }
  drawChart();
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

// Commands, with completion.

function log(text, kind) {
  const line = document.createElement("div");
  line.className = kind || "";
  line.textContent = text;
  $("log").append(line);
  while ($("log").childElementCount > 200) $("log").firstChild.remove();
  $("log").scrollTop = $("log").scrollHeight;
}

async function run(line) {
  log(`> ${line}`);
  const outcome = await ask({ command: line });
  if (outcome.message) outcome.message.split("\n").forEach((text) => log(text, outcome.status === "ok" ? "" : outcome.status));
  return outcome;
}

const box = $("command"), list = $("words");
const past = [];
let chosen = -1, back = 0;

async function suggest() {
  const text = box.value, answer = text ? await ask({ complete: text }) : { words: [] };
  if (box.value !== text) return;
  chosen = -1;
  list.replaceChildren(...answer.words.slice(0, 8).map(([word, meaning]) => {
    const item = document.createElement("li"), what = document.createElement("span");
    item.textContent = word;
    item.dataset.word = word;
    what.textContent = meaning;
    item.append(what);
    item.onmousedown = (event) => { event.preventDefault(); take(item); };
    return item;
  }));
}

function take(item) {
  box.value = box.value.replace(/\S*$/, item.dataset.word) + " ";
  box.focus();
  suggest();
}

box.addEventListener("input", suggest);
box.addEventListener("blur", () => list.replaceChildren());
box.addEventListener("keydown", (event) => {
  const items = [...list.children];
  if (event.key === "Tab" && items.length) {
    event.preventDefault();
    take(items[Math.max(0, chosen)]);
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && items.length && box.value) {
    event.preventDefault();
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
    items.forEach((item, i) => item.classList.toggle("chosen", i === chosen));
  } else if (event.key === "ArrowUp" && past.length) {
    event.preventDefault();
    back = Math.min(past.length, back + 1);
    box.value = past[past.length - back];
  } else if (event.key === "Enter" && box.value.trim()) {
    if (chosen >= 0) return take(items[chosen]);
    past.push(box.value);
    back = 0;
    run(box.value);
    box.value = "";
    list.replaceChildren();
  } else if (event.key === "Escape") list.replaceChildren();
});

const actions = {
  preview: () => run("preview toggle"),
  mark: () => run(`mark page${++state.marks}`),
  snapshot: () => run("snapshot"),
  auto: () => run("preview levels auto"),
  full: () => run("preview levels full"),
  whole: () => send({ region: null }),
  expose: () => $("exposure").value.trim() && run(`exposure ${$("exposure").value.trim()}`),
};
for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
$("exposure").addEventListener("keydown", (event) => event.key === "Enter" && actions.expose());
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.altKey || event.metaKey) return;
  const action = { m: "mark", s: "snapshot", p: "preview" }[event.key];
  if (action) { event.preventDefault(); actions[action](); }
});
addEventListener("resize", () => { drawPicture(); drawHistogram(); drawTrace(); drawChart(); });
connect();
