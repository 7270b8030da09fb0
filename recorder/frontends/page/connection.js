// What all parts of the page use, and the connection to the recorder, opened again when it is lost.
"use strict";
const $ = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") || "";
// Whether it shows a recording in files, and no session that records.
const isFile = document.body.classList.contains("file");
// A camera of a rig, shown in the page over all cameras, which has the command line.
const isFramed = window !== window.parent;
if (isFramed) document.body.classList.add("framed");
const state = { head: null, status: {}, history: [], marks: [], drawn: null, drawing: false, profiles: false, next: 1, waiting: new Map(), heard: Date.now() / 1000, lost: null, why: "" };
let socket = null;

// Without a word for so long, the recorder counts as gone, whatever the connection says; in s.
const SILENCE = 4;

function connect() {
  let opened = false;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${location.pathname.replace(/\/$/, "")}/ws?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { opened = true; send({ ready: true, profiles: state.profiles }); };
  socket.onmessage = (event) => {
    state.heard = Date.now() / 1000;
    state.lost = null;
    if (typeof event.data === "string") onText(JSON.parse(event.data));
    else onPicture(event.data);
  };
  socket.onclose = async (event) => {
    if (state.lost === null) state.why = event.reason || "no connection to the recorder";
    state.lost = state.lost ?? Date.now() / 1000;
    for (const answer of state.waiting.values()) answer({ status: "failed", message: "no connection to the recorder: whether this was done is not known", words: [] });
    state.waiting.clear();
    showStanding();
    if (!opened && (await isRefused())) return;
    setTimeout(connect, 2000);
  };
}

// Whether there is a recorder that does not know this address: one that was started anew has another token.
async function isRefused() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer === null) return false;
  if (answer.status === 403) state.why = "another recorder answers: open the address that it printed";
  else if (answer.ok) state.why = "the recorder has too many pages open";
  showStanding();
  return answer.status === 403;
}

// Returns whether it went out.
function send(message) {
  if (!socket || socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(message));
  return true;
}

function ask(message) {
  const id = state.next++;
  return new Promise((answer) => {
    state.waiting.set(id, answer);
    if (send({ ...message, id })) return;
    state.waiting.delete(id);
    answer({ status: "failed", message: "no connection to the recorder: nothing was done", words: [] });
  });
}

function onText(message) {
  if (message.id !== undefined) {
    const answer = state.waiting.get(message.id);
    state.waiting.delete(message.id);
    if (answer) answer(message);
    // The status of an answer is another one.
    return;
  }
  if (message.history) onWelcome(message);
  if (message.marks) state.marks = message.marks;
  if (message.sample) state.history = [...state.history, message.sample].slice(-300);
  if (message.events) message.events.forEach(showEvent);
  if (message.overview) state.overview = message.overview;
  if (message.traces) {
    state.traces = message.traces;
    $("sampled").textContent = traceWords().join(", ");
  }
  if (message.status) showStatus(message.status);
}

// The first message of a connection.
function onWelcome(message) {
  state.history = message.history;
  takePalettes(message.palettes);
}

// Make a canvas as large as it is shown, and return its context.
function fit(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  return canvas.getContext("2d");
}

// HH:MM:SS of a Unix time in s, here.
function clock(seconds) {
  const date = new Date(seconds * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
}
