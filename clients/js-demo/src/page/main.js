/** The page: first who one is, then the chat. */

import { ChatPage } from "./chat-page.js";
import { signIn } from "./sign-in.js";
import { proposedName, saveAuth, savedAuth } from "./whereabouts.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

/** @param {string | null} [problem] */
function start(problem) {
  const name = proposedName();
  const auth = problem ? null : savedAuth();
  if (!auth) {
    root.replaceChildren(
      signIn((chosen) => {
        saveAuth(chosen);
        start();
      }, { name, problem }),
    );
    /** @type {HTMLElement | null} */ (root.querySelector("#name"))?.focus();
    return;
  }
  const page = new ChatPage(auth, (reason) => {
    page.close();
    saveAuth(null);
    start(reason);
  });
  root.replaceChildren(page.element);
  page.open();
}

start();
