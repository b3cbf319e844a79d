/** What is said to screen readers, and short notices for everybody. */

import { el, icon } from "./dom.js";

/** Long enough to be read twice. */
const NOTICE_MS = 8_000;
/** Notices shown together; older ones make room. */
const NOTICES = 3;

export class Announcer {
  constructor() {
    this.live = el("div", { class: "visually-hidden", "aria-live": "polite", role: "status" });
    this.notices = el("div", { class: "notices", role: "alert" });
  }

  /**
   * Say something without showing it, as a new message's author and text.
   *
   * @param {...(Node | string)} words
   */
  say(...words) {
    this.live.replaceChildren(...words);
  }

  /**
   * Show a sentence for a while.
   *
   * @param {...(Node | string)} words
   */
  show(...words) {
    const end = () => {
      clearTimeout(timer);
      notice.remove();
    };
    const close = el("button", { type: "button", class: "quiet", "aria-label": "Dismiss", on: { click: end } }, icon("close"));
    const notice = el("div", { class: "notice" }, el("p", {}, ...words), close);
    const timer = setTimeout(end, NOTICE_MS);
    while (this.notices.children.length >= NOTICES) this.notices.firstChild.remove();
    this.notices.append(notice);
  }
}
