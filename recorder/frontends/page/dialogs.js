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
document.addEventListener("keydown", (event) => {
  if (!$("ask").open) return;
  if (event.key === "y" && !event.repeat) answer(true);
  else if (event.key === "n") answer(false);
});

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
