// Questions and the list of keys, over the page.

let onYes = null, onNo = null;

// Ask before something that ends something: `yes` names the button that does it. Escape and all else is no.
function question(text, yes, does, doesNot = () => {}) {
  if ($("ask").open) return;
  $("question").textContent = text;
  $("yes").textContent = yes;
  [onYes, onNo] = [does, doesNot];
  $("ask").showModal();
}

function answer(isYes) {
  if (!$("ask").open) return;
  const does = isYes ? onYes : onNo;
  $("ask").close();
  does();
}
$("yes").addEventListener("click", () => answer(true));
$("no").addEventListener("click", () => answer(false));
$("ask").addEventListener("cancel", (event) => { event.preventDefault(); answer(false); });
// A key acts once. One that answers is no letter for the box that has the focus again, nor a key of the page; one that is
// held down does not answer a question that comes meanwhile, and does not go on after its answer.
let held = "";
document.addEventListener("keydown", (event) => {
  const asks = $("ask").open, isStill = event.repeat && (asks || event.key === held), isAnswer = asks && ["y", "n"].includes(event.key);
  if (!event.repeat) held = asks ? event.key : "";
  if (!isStill && !isAnswer) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (!isStill) answer(event.key === "y");
}, true);

function showKeys() {
  $("key-list").replaceChildren(...KEYS.flatMap(([keys, meaning]) => [["dt", keys], ["dd", meaning]].map(([tag, text]) => {
    const part = document.createElement(tag);
    part.textContent = text;
    return part;
  })));
  $("keys").showModal();
}
$("close").addEventListener("click", () => $("keys").close());
// A touch beside a dialog is no to its question.
for (const id of ["ask", "keys"]) $(id).addEventListener("click", (event) => event.target === $(id) && (id === "ask" ? answer(false) : $(id).close()));
