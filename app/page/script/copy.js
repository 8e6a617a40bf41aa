// Buttons that copy the text of the element which they name.

import {at, tell} from "./dom.js";

const TOLD_MS = 2000;

export async function copy(button, element) {
  let told = "Copied";
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    // Only a page that came over TLS or from this machine may write to the clipboard.
    getSelection().selectAllChildren(element);
    told = "Selected";
  }
  tell(button, told);
  tell(at("said"), `${told}.`);
  setTimeout(() => { tell(button, "Copy"); tell(at("said"), ""); }, TOLD_MS);
}

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => copy(button, at(button.dataset.copies)));
}
