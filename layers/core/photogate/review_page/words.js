// Asks for words in the place of the strip, so that nothing moves.
import { $ } from "./view.js";

/** Shows the field; `send` gets the words, perhaps empty, and keeps the field by giving false. */
export function askForWords(label, send) {
  $("words-label").textContent = label;
  $("words").value = "";
  $("strip").hidden = true;
  $("words-form").hidden = false;
  $("words-form").onsubmit = (event) => {
    event.preventDefault();
    if (send($("words").value.trim()) !== false) closeWords();
  };
  $("words").focus();
}

export function closeWords() {
  if ($("words-form").hidden) return;
  $("words-form").hidden = true;
  $("strip").hidden = false;
  $("stage").focus();
}

$("words-cancel").addEventListener("click", closeWords);
