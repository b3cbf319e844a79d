/** Where messages are written. */

import { isBlank } from "./blank.js";
import { apart, el, icon } from "./dom.js";
import { ACCEPT, sortFiles } from "./image-files.js";

/** What browsers give as the code of a key that an input method handles. */
const COMPOSING_KEY_CODE = 229;
/** Code points, as the server counts them. */
const LONGEST_TEXT = 4_000;
/** From here on the remaining characters are shown. */
const COUNT_FROM = 3_500;
// What the server refuses and no one types on purpose: controls but newline and tab.
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export class Composer {
  /** @type {File[]} */
  #files = [];
  /** @type {Map<string, File[]>} Chosen for rooms that are not shown. */
  #aside = new Map();
  #room = "";

  /**
   * @param {object} wiring
   * @param {(text: string, images: File[]) => void} wiring.send
   * @param {(on: boolean) => void} wiring.typing
   * @param {import("chatroom-client").Drafts} wiring.drafts Texts; they outlive the page.
   * @param {(...problem: (Node | string)[]) => void} wiring.problem
   */
  constructor(wiring) {
    this.wiring = wiring;
    this.text = el("textarea", {
      id: "composer-text",
      rows: "1",
      "aria-label": "Message",
      placeholder: "Write a message",
      enterkeyhint: "send",
      on: {
        input: () => this.#typed(),
        keydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
        paste: (/** @type {ClipboardEvent} */ event) => this.#pasted(event),
      },
    });
    this.file = el("input", { type: "file", accept: ACCEPT, multiple: true, hidden: true, tabindex: "-1", "aria-label": "Images", on: { change: () => this.#chosen() } });
    this.tray = el("ul", { class: "tray", role: "list", "aria-label": "Images to send", hidden: true });
    this.count = el("span", { class: "count-left", "aria-live": "polite" });
    const choose = el("button", { type: "button", class: "quiet", "aria-label": "Add images", title: "Add images", on: { click: () => this.file.click() } }, icon("image"));
    this.button = el("button", { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter)" }, icon("send"));
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#submit();
    };
    this.element = el(
      "form",
      { class: "composer", on: { submit } },
      this.tray,
      el("div", { class: "composer-row" }, choose, this.file, this.text, this.count, this.button),
    );
  }

  /** @param {string} room */
  show(room) {
    if (this.#room) this.#aside.set(this.#room, this.#files);
    this.#room = room;
    this.setText(this.wiring.drafts.get(room));
    this.#setFiles(this.#aside.get(room) ?? []);
  }

  /**
   * A draft may be one of before the page, which was read from the storage just now.
   *
   * @param {string} room
   */
  draftCame(room) {
    const text = this.wiring.drafts.get(room);
    if (text && room === this.#room && !this.text.value) this.setText(text);
  }

  /** @param {string} text */
  setText(text) {
    this.text.value = text;
    if (this.#room) this.wiring.drafts.set(this.#room, text);
    this.#resize();
  }

  /**
   * What was not sent comes back, after what has been written since.
   *
   * @param {string} room
   * @param {string} text
   * @param {File[]} [files]
   */
  putBack(room, text, files = []) {
    const isShown = room === this.#room;
    const { drafts } = this.wiring;
    const joined = [drafts.get(room), text].filter(Boolean).join("\n");
    const all = [...((isShown ? this.#files : this.#aside.get(room)) ?? []), ...files];
    if (!isShown) {
      drafts.set(room, joined);
      this.#aside.set(room, all);
    } else {
      this.setText(joined);
      this.#setFiles(all);
    }
  }

  focus() {
    this.text.focus({ preventScroll: true });
  }

  /** @param {Iterable<File>} files */
  add(files) {
    const { images, refusals } = sortFiles(files);
    for (const { name, why } of refusals) this.wiring.problem(apart(name), why);
    if (images.length > 0) this.#setFiles([...this.#files, ...images]);
    this.focus();
  }

  #typed() {
    this.wiring.drafts.set(this.#room, this.text.value);
    this.#resize();
    this.wiring.typing(!isBlank(this.text.value));
  }

  #resize() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
    const length = [...this.text.value].length;
    this.count.textContent = length >= COUNT_FROM ? String(LONGEST_TEXT - length) : "";
    this.count.classList.toggle("over", length > LONGEST_TEXT);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || isOfInputMethod(event)) return;
    event.preventDefault();
    this.#submit();
  }

  /** @param {ClipboardEvent} event */
  #pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    this.add(files);
  }

  #chosen() {
    this.add(this.file.files);
    this.file.value = "";
  }

  #submit() {
    const clean = this.text.value.replace(/\r\n?/g, "\n").replace(CONTROLS, "").trim();
    const trimmed = isBlank(clean) ? "" : clean;
    if (!trimmed && this.#files.length === 0) return;
    if ([...trimmed].length > LONGEST_TEXT) {
      this.wiring.problem(`A message has at most ${LONGEST_TEXT} characters.`);
      return;
    }
    const files = this.#files;
    this.setText("");
    this.#setFiles([]);
    this.wiring.send(trimmed, files);
    this.focus();
  }

  /** @param {File[]} files */
  #setFiles(files) {
    for (const image of this.tray.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    this.#files = files;
    this.tray.hidden = files.length === 0;
    this.tray.replaceChildren(...files.map((file) => this.#preview(file)));
  }

  /** @param {File} file */
  #preview(file) {
    const remove = () => {
      this.#setFiles(this.#files.filter((one) => one !== file));
      this.focus();
    };
    return el(
      "li",
      {},
      el("img", { src: URL.createObjectURL(file), alt: file.name }),
      el("button", { type: "button", "aria-label": `Remove ${file.name}`, on: { click: remove } }, icon("close")),
    );
  }
}

/**
 * An input method uses Enter to choose a word. In Safari the composition has ended by
 * then, and only the old code tells.
 *
 * @param {KeyboardEvent} event
 */
function isOfInputMethod({ isComposing, keyCode }) {
  return isComposing || keyCode === COMPOSING_KEY_CODE;
}
