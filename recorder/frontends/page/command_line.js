// The command line with its completion.

const box = $("command"), list = $("words");
const past = [];
let chosen = -1, back = 0;

async function suggest() {
  const text = box.value, answer = text ? await ask({ complete: text }) : { words: [] };
  if (box.value !== text) return;
  chosen = -1;
  offer(document.activeElement === box ? answer.words.slice(0, 8) : []);
}

function offer(words) {
  list.replaceChildren(...words.map(([word, meaning], i) => {
    const item = document.createElement("li"), what = document.createElement("span");
    item.id = `word${i}`;
    item.role = "option";
    item.ariaSelected = "false";
    item.textContent = word;
    item.dataset.word = word;
    what.textContent = meaning;
    item.append(what);
    item.onmousedown = (event) => { event.preventDefault(); take(item); };
    return item;
  }));
  list.hidden = !words.length;
  box.ariaExpanded = String(words.length > 0);
  box.removeAttribute("aria-activedescendant");
}

function choose(step) {
  const items = [...list.children];
  chosen = (chosen + step + items.length + (chosen < 0 && step < 0 ? 1 : 0)) % items.length;
  items.forEach((item, i) => (item.ariaSelected = String(i === chosen)));
  box.setAttribute("aria-activedescendant", items[chosen].id);
}

function take(item) {
  box.value = box.value.replace(/\S*$/, item.dataset.word) + " ";
  box.focus();
  suggest();
}

box.addEventListener("input", suggest);
box.addEventListener("blur", () => offer([]));
box.addEventListener("keydown", (event) => {
  const items = [...list.children];
  if (event.key === "Tab" && !event.shiftKey && items.length) {
    event.preventDefault();
    take(items[Math.max(0, chosen)]);
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && items.length && box.value) {
    event.preventDefault();
    choose(event.key === "ArrowDown" ? 1 : -1);
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
    offer([]);
  } else if (event.key === "Escape" && items.length) {
    // The first Escape closes the list, the next one leaves the box.
    event.stopPropagation();
    offer([]);
  }
});
