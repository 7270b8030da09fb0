// Buttons, the command line with completion, and keys.

const run = (line) => order({ command: line }, line);

// Give an order to the recorder, called `name` in the log, and show the answer.
async function order(message, name) {
  log(`> ${name}`);
  const outcome = await ask(message);
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

// Mark the frame being exposed now: with what is typed, else with the recorder's next label.
function mark() {
  const text = $("label").value.trim();
  $("label").value = "";
  return text ? run(`mark ${text}`) : order({ mark: true }, "mark");
}

// A button that ends something asks once more, by itself, for some seconds.
function twice(id, action) {
  const button = $(id), asked = button.classList.contains("asked");
  calm();
  if (asked) { action(); return; }
  button.classList.add("asked");
  button.textContent += "?";
  asking = setTimeout(calm, 4000);
}

let asking = 0;

function calm() {
  clearTimeout(asking);
  for (const button of document.querySelectorAll("button.asked")) {
    button.classList.remove("asked");
    button.textContent = button.textContent.replace("?", "");
  }
}

const actions = {
  start: () => run("start"),
  stop: () => (state.status.saving ? twice("stop", () => run("stop")) : run("stop")),
  save: () => (state.status.saving ? twice("save", () => run("save off")) : run("save on")),
  next: () => run("save new"),
  preview: () => run("preview toggle"),
  mark,
  snapshot: () => run("snapshot"),
  profiles: () => {
    state.profiles = !state.profiles;
    $("profiles").classList.toggle("on", state.profiles);
    send({ profiles: state.profiles });
  },
  draw: () => setDrawing(!state.drawing),
  auto: () => run(`preview ${state.status.view.mode === "raw" ? "levels" : "range"} auto`),
  full: () => run(`preview ${state.status.view.mode === "raw" ? "levels" : "range"} full`),
  scale: () => { logarithmic = !logarithmic; $("scale").textContent = logarithmic ? "log" : "linear"; drawHistogram(); },
  take: () => $("baseline").value.trim() && run(`baseline ${$("baseline").value.trim()}`),
  whole: () => send({ region: null }),
  expose: () => $("exposure").value.trim() && run(`exposure ${$("exposure").value.trim()}`),
};
$("mode").addEventListener("change", () => run(`preview mode ${$("mode").value}`));
$("back").addEventListener("change", drawTraces);
$("colours").addEventListener("change", () => run(`preview colours ${$("colours").value}`));
$("gamma").addEventListener("change", () => run(`preview gamma ${$("gamma").value}`));

// Have the controls show what the recorder says, but for what is being typed.
function showControls(s) {
  for (const [id, value] of ["colours", "gamma", "mode"].map((id) => [id, s.view[id]])) {
    if (document.activeElement !== $(id)) $(id).value = value;
  }
  const running = s.state === "running";
  $("start").disabled = running || s.state === "opening" || s.state === "draining";
  $("stop").disabled = !running;
  if (!$("save").classList.contains("asked")) $("save").textContent = s.saving ? "save off" : "save on";
  showLabels(s.labels);
  $("exposure").placeholder = s.exposure;
  $("against").textContent = s.view.mode === "raw" ? "" : `against a baseline: ${s.view.baseline}`;
}

// A button for each of the last labels: another frame of the same kind is marked by one touch.
function showLabels(labels) {
  if ($("labels").dataset.labels === labels.join("\n")) return;
  $("labels").dataset.labels = labels.join("\n");
  $("labels").replaceChildren(...labels.slice(0, 5).map((label) => {
    const button = document.createElement("button");
    button.textContent = label;
    button.onclick = () => run(`mark ${JSON.stringify(label)}`);
    return button;
  }));
}

for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
$("label").addEventListener("keydown", (event) => event.key === "Enter" && mark());
$("exposure").addEventListener("keydown", (event) => event.key === "Enter" && actions.expose());
document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT"].includes(event.target.tagName) || event.ctrlKey || event.altKey || event.metaKey) return;
  const action = { m: "mark", s: "snapshot", p: "preview", r: "draw", c: "profiles", w: "whole", a: "auto", f: "full" }[event.key];
  if (action) { event.preventDefault(); actions[action](); }
});
addEventListener("resize", () => { drawPicture(); drawHistogram(); drawTraces(); drawChart(); });
connect();
