/** The first screen: pick a name, or paste a token. */

import { isBlank } from "./blank.js";
import { el, icon } from "./dom.js";

/**
 * @param {(auth: import("./whereabouts.js").Auth) => void} done
 * @param {object} [start]
 * @param {string} [start.name] To begin with; it takes a press of the button all the same.
 * @param {string | null} [start.problem] Why one is here again.
 * @returns {HTMLElement}
 */
export function signIn(done, { name: proposed = "", problem } = {}) {
  const alert = el("p", { class: "sign-in-problem", role: "alert" }, problem ?? "");
  const name = el("input", {
    id: "name",
    name: "name",
    value: proposed,
    autocomplete: "nickname",
    maxlength: "128",
    autocapitalize: "words",
    spellcheck: "false",
  });
  const token = el("textarea", {
    id: "token",
    rows: "4",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const pasted = token.value.replace(/\s/g, "");
    const user = name.value.normalize("NFC").replace(/[\p{C}]/gu, "").trim();
    if (pasted) return done({ token: pasted });
    if (!isBlank(user)) return done({ user });
    alert.textContent = "A name is needed.";
    name.focus();
  };
  return el(
    "main",
    { class: "sign-in" },
    el(
      "form",
      { class: "sign-in-card", on: { submit } },
      el("img", { class: "sign-in-logo", src: "./assets/icon.svg", alt: "" }),
      el("h1", {}, "Chatroom"),
      el("p", { class: "sign-in-lead" }, "Everyone in a room sees the same messages, in the same order, each once."),
      alert,
      el("label", { for: "name" }, "Your name"),
      name,
      el(
        "details",
        // Whoever was refused needs a token, or another one.
        { open: Boolean(problem) },
        el("summary", {}, "Sign in with a token instead"),
        el("label", { for: "token" }, "Token"),
        token,
        el("p", { class: "hint" }, "A JSON Web Token, made by your application or by “chatroom token”."),
      ),
      el("button", { class: "primary", type: "submit" }, "Enter", icon("send")),
    ),
  );
}
