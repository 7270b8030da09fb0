// The picture: its colours, zoom and pan by mouse and by touch, the value under the pointer.

const picture = $("picture");
const hidden = document.createElement("canvas");
// The colours of the shades by the name of the map, as an image has them.
const palettes = {};

function takePalettes(given) {
  for (const [name, rgb] of Object.entries(given)) {
    palettes[name] = Uint32Array.from({ length: 256 }, (_, i) => 0xff000000 | (rgb[3 * i + 2] << 16) | (rgb[3 * i + 1] << 8) | rgb[3 * i]);
  }
}

function onPicture(data) {
  const size = new DataView(data).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, size)));
  const pixels = new Uint8Array(data, 4 + size);
  state.head = head;
  hidden.width = head.width;
  hidden.height = head.height;
  const image = new ImageData(head.width, head.height);
  const colours = new Uint32Array(image.data.buffer), shades = palettes[head.colours];
  for (let i = 0; i < pixels.length; i++) colours[i] = shades[pixels[i]];
  hidden.getContext("2d").putImageData(image, 0, 0);
  keepTraces(head);
  requestAnimationFrame(() => {
    drawPicture();
    drawHistogram();
    showLevels(head);
    drawTraces();
    showRegions(head);
    if (isFile) showFilePicture(head);
    // Only now the next one: a slow browser gets fewer pictures.
    send({ ready: true });
  });
}

// Where a region is in the canvas: pixels of the frame to pixels of the canvas.
function place(region = state.head.region) {
  const [x, y, w, h] = region;
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
  drawProfiles(pen, at);
  for (const { name, box, colour } of state.head.regions) drawBox(pen, at, box, colour, name);
  if (state.drawn) drawBox(pen, at, state.drawn, "#fff", "");
  drawScaleBar(pen, at);
  showReadout();
}

// Letters with a dark edge, which are read on any picture and over any line.
function letter(pen, text, x, y, colour) {
  pen.strokeStyle = "#000c";
  pen.lineWidth = 3.5 * (devicePixelRatio || 1);
  pen.lineJoin = "round";
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

// How far the profiles reach into the picture, in pixels of the canvas.
const profileDepth = (at) => (Math.min(at.w, at.h) * at.scale) / 4;

// A length that is a round number of micrometres, or of pixels where their size is not known.
function drawScaleBar(pen, at) {
  const ratio = devicePixelRatio || 1, { pixel_um: size } = state.head, unit = size ? "µm" : "px";
  const most = ((at.w * at.scale) / 4 / at.scale) * (size || 1), power = 10 ** Math.floor(Math.log10(most));
  const length = power * [5, 2, 1].find((factor) => factor * power <= most), wide = (length / (size || 1)) * at.scale;
  const x = at.left + at.w * at.scale - wide - 14 * ratio, y = at.top + at.h * at.scale - 16 * ratio - (state.head.profiles ? profileDepth(at) : 0);
  pen.fillStyle = "#000a";
  pen.fillRect(x - 8 * ratio, y - 20 * ratio, wide + 16 * ratio, 30 * ratio);
  pen.fillStyle = "#fff";
  pen.fillRect(x, y, wide, 3 * ratio);
  pen.font = `${12 * ratio}px system-ui`;
  pen.textAlign = "center";
  pen.fillText(length >= 1000 && size ? `${length / 1000} mm` : `${short(length, length)} ${unit}`, x + wide / 2, y - 5 * ratio);
}

// Crosshair at the point under the pointer, and the values along its row (below) and its column (at the left).
function drawProfiles(pen, at) {
  const { probe, profiles, low, high, step } = state.head, ratio = devicePixelRatio || 1;
  if (!profiles) return;
  const [row, column] = profiles, x = at.left + (probe[0] + 0.5 - at.x) * at.scale, y = at.top + (probe[1] + 0.5 - at.y) * at.scale;
  const right = at.left + at.w * at.scale, bottom = at.top + at.h * at.scale, deep = profileDepth(at);
  const tall = (value) => Math.max(0, Math.min(1, (value - low) / (high - low))) * deep;
  pen.fillStyle = "#0008";
  pen.fillRect(at.left, bottom - deep, right - at.left, deep);
  pen.fillRect(at.left, at.top, deep, bottom - deep - at.top);
  pen.lineWidth = ratio;
  pen.strokeStyle = "#fff";
  pen.beginPath();
  pen.moveTo(at.left, y); pen.lineTo(right, y);
  pen.moveTo(x, at.top); pen.lineTo(x, bottom);
  pen.stroke();
  pen.strokeStyle = "#ffd75f";
  pen.beginPath();
  row.forEach((value, i) => pen.lineTo(at.left + (i + 0.5) * step * at.scale, bottom - tall(value)));
  pen.stroke();
  pen.strokeStyle = "#5fd7ff";
  pen.beginPath();
  column.forEach((value, i) => pen.lineTo(at.left + tall(value), at.top + (i + 0.5) * step * at.scale));
  pen.stroke();
  pen.font = `${11 * ratio}px system-ui`;
  // Each between the ends of its scale: black and white.
  const [from, to] = [low, high].map((value) => `${short(value, high - low)}${unitOf(state.head)}`), gap = 4 * ratio;
  pen.textAlign = "right";
  letter(pen, to, right - gap, bottom - deep + 12 * ratio, "#ffd75f");
  letter(pen, from, right - gap, bottom - gap, "#ffd75f");
  letter(pen, to, at.left + deep - gap, bottom - deep - gap, "#5fd7ff");
  pen.textAlign = "left";
  letter(pen, from, at.left + gap, bottom - deep - gap, "#5fd7ff");
}

// A region, x0, y0, x1, y1 in pixels of the frame.
function drawBox(pen, at, [x0, y0, x1, y1], colour, name) {
  const ratio = devicePixelRatio || 1, x = at.left + (x0 - at.x) * at.scale, y = at.top + (y0 - at.y) * at.scale;
  pen.font = `600 ${13 * ratio}px system-ui`;
  pen.textAlign = "left";
  // A dark edge, so that it is seen on any colour.
  for (const [edge, width] of [["#000c", 3.5], [colour, 1.5]]) {
    pen.strokeStyle = edge;
    pen.lineWidth = width * ratio;
    pen.strokeRect(x, y, (x1 - x0) * at.scale, (y1 - y0) * at.scale);
  }
  letter(pen, name, x + 5 * ratio, y + 15 * ratio, colour);
}

function showReadout() {
  const head = state.head, parts = [`counter ${head.number}`, ...nearWords(head.near || [])];
  if (head.probe) parts.push(`(${head.probe[0] + head.origin[0]}, ${head.probe[1] + head.origin[1]}): ${head.probe[2] === null ? "outside" : head.mode === "raw" ? head.probe[2] : figure(head.probe[2], head)}`);
  if (head.mode !== "raw") parts.push(head.mode === "dff" ? "ΔF/F in %" : "difference in counts");
  if (state.drawing) parts.push(state.drawn ? "arrows move the region, Shift and arrows size it, Enter keeps it, Escape drops it" : "drag over the picture");
  if (head.saturated) parts.push(`about ${head.saturated * head.step * head.step} pixels saturated`);
  $("readout").textContent = parts.join(" · ");
}

// The place of a pointer in pixels of the canvas, and in pixels of the frame where a region is shown.
function toCanvas(pointer) {
  const box = picture.getBoundingClientRect(), ratio = picture.width / box.width;
  return [(pointer.clientX - box.left) * ratio, (pointer.clientY - box.top) * ratio];
}

function toFrame([cx, cy], region = state.head.region) {
  const at = place(region);
  return [at.x + (cx - at.left) / at.scale, at.y + (cy - at.top) / at.scale];
}

const within = (value, most) => Math.max(0, Math.min(value, most));

// Ask for a region of this size in which a point of the frame is at a place of the canvas.
function showAround([fx, fy], [cx, cy], w, h) {
  const head = state.head;
  if (w >= head.frame_width && h >= head.frame_height) return showRegion(null);
  w = Math.max(16, Math.min(w, head.frame_width));
  h = Math.max(16, Math.min(h, head.frame_height));
  const at = place([0, 0, w, h]);
  const x = within(fx - (cx - at.left) / at.scale, head.frame_width - w);
  const y = within(fy - (cy - at.top) / at.scale, head.frame_height - h);
  return showRegion([x, y, w, h].map(Math.round));
}

// The part that was asked for last, for as long as its picture may take; then the one that is shown.
let asked = { region: null, until: 0 };

function showRegion(region) {
  const { frame_width: wide, frame_height: tall } = state.head;
  asked = { region: region || [0, 0, wide, tall], until: Date.now() + 500 };
  return send({ region });
}

const regionNow = () => (Date.now() < asked.until ? asked.region : state.head.region);

// Make the picture larger (factor < 1) or smaller around a place of the canvas.
function zoom(place, factor) {
  if (!state.head) return;
  const region = regionNow(), [, , w, h] = region;
  showAround(toFrame(place, region), place, w * factor, h * factor);
}

picture.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(toCanvas(event), event.deltaY < 0 ? 0.8 : 1.25);
}, { passive: false });

// Fingers or the mouse on the picture: where each is. A gesture is judged by how it began.
const pointers = new Map();
let gesture = null;

const middle = (points) => [0, 1].map((i) => points.reduce((sum, point) => sum + point[i], 0) / points.length);
const distance = ([a, b]) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));

function beginGesture(rectangle) {
  const points = [...pointers.values()];
  if (!points.length || !state.head) { gesture = null; return; }
  const region = state.head.region;
  gesture = { region, rectangle, from: toFrame(middle(points), region), apart: points.length === 2 ? distance(points) : 0 };
}

picture.addEventListener("pointerdown", (event) => {
  if (!state.head || pointers.size >= 2) return;
  picture.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, toCanvas(event));
  beginGesture((event.shiftKey || state.drawing) && pointers.size === 1);
});

picture.addEventListener("pointermove", (event) => {
  if (!state.head) return;
  const at = toCanvas(event);
  if (event.pointerType !== "touch" || pointers.size === 1) send({ probe: toFrame(at).map(Math.floor) });
  if (!pointers.has(event.pointerId) || !gesture) return;
  pointers.set(event.pointerId, at);
  const points = [...pointers.values()], [, , w, h] = gesture.region;
  if (gesture.rectangle) {
    const [x0, y0] = gesture.from, [x, y] = toFrame(at);
    const { frame_width: wide, frame_height: tall } = state.head;
    state.drawn = [within(Math.min(x, x0), wide), within(Math.min(y, y0), tall), within(Math.max(x, x0), wide), within(Math.max(y, y0), tall)].map(Math.round);
    drawPicture();
  } else if (gesture.apart && points.length === 2) {
    const factor = gesture.apart / distance(points);
    showAround(gesture.from, middle(points), w * factor, h * factor);
  } else if (w < state.head.frame_width || h < state.head.frame_height) showAround(gesture.from, at, w, h);
});

function endPointer(event) {
  if (!pointers.delete(event.pointerId)) return;
  const ended = gesture;
  // The finger that is left goes on from where it is.
  beginGesture(false);
  if (ended && ended.rectangle && event.type === "pointerup") endRectangle();
}
picture.addEventListener("pointerup", endPointer);
picture.addEventListener("pointercancel", endPointer);
// A crosshair stays where the pointer left, also for a finger that is lifted.
picture.addEventListener("pointerleave", () => state.profiles || send({ probe: null }));

// The rectangle becomes a region, under the name that is typed or the next free one.
function endRectangle() {
  const box = state.drawn, [ox, oy] = state.head.origin;
  setDrawing(false);
  if (!box || box[2] - box[0] < 2 || box[3] - box[1] < 2) return;
  const taken = new Set(state.head.regions.map(({ name }) => name));
  let name = $("region").value.trim();
  for (let i = 1; !name; i++) if (!taken.has(`r${i}`)) name = `r${i}`;
  $("region").value = "";
  run(`region "${name}" ${box[0] + ox} ${box[1] + oy} ${box[2] + ox} ${box[3] + oy}`);
}

// A button or a key says that the next drag draws a region; `byKeys`: there is one already, for keys to move.
function setDrawing(on, byKeys = false) {
  state.drawing = on;
  state.drawn = null;
  press("draw", on);
  if (on && byKeys && state.head) {
    const [x, y, w, h] = state.head.region;
    state.drawn = [x + (3 * w) / 8, y + (3 * h) / 8, x + (5 * w) / 8, y + (5 * h) / 8].map(Math.round);
    picture.focus();
  }
  if (state.head) drawPicture();
}
