/** The connection, as it is. */

import { el } from "./dom.js";
import { plural } from "./format.js";

/** Sending is shown when it takes longer than this: most messages are there before. */
const SENDING_AFTER_MS = 400;

/**
 * @param {import("chatroom-client").Status} status
 * @returns {{tone: "good" | "busy" | "bad", text: string, detail?: string}}
 */
export function describe({ state, isCatchingUp, sending, trouble }) {
  const waiting = sending > 0 ? `${plural(sending, "message waits", "messages wait")} and will be sent.` : "";
  switch (state) {
    case "online":
      if (sending > 0 && trouble) {
        return { tone: "busy", text: `Sending ${sending}…`, detail: `The server cannot take messages right now; still trying. (${trouble.code})` };
      }
      if (trouble) {
        return { tone: "busy", text: "Waiting for the server…", detail: `Messages may be late; nothing is lost. (${trouble.code})` };
      }
      if (isCatchingUp) return { tone: "busy", text: "Catching up…" };
      return sending > 0 ? { tone: "busy", text: `Sending ${sending}…` } : { tone: "good", text: "Online" };
    case "connecting":
      return { tone: "busy", text: "Connecting…" };
    case "reconnecting":
      return { tone: "busy", text: "Reconnecting…", detail: `The connection was lost. ${waiting}` };
    case "offline":
      return { tone: "bad", text: "Offline", detail: `No network. ${waiting}` };
    case "unauthorized":
      return { tone: "bad", text: "Signed out", detail: trouble?.message };
    default:
      return { tone: "bad", text: "Disconnected", detail: trouble?.message };
  }
}

export class StatusView {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => import("chatroom-client").Status} current */
  constructor(current) {
    this.current = current;
    this.text = el("span", {});
    this.element = el("p", { class: "status", role: "status" }, el("span", { class: "dot", "aria-hidden": "true" }), this.text);
    this.banner = el("p", { class: "banner", hidden: true });
  }

  get #status() {
    const status = this.current();
    // The client attends the room again by itself, at once.
    return status.trouble?.code === "not_attending" ? { ...status, trouble: null } : status;
  }

  update() {
    const status = this.#status;
    const isOnlySending = status.state === "online" && !status.trouble && status.sending > 0;
    if (!isOnlySending) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#show(status);
    } else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#show(this.#status);
      }, SENDING_AFTER_MS);
    }
  }

  /** @param {import("chatroom-client").Status} status */
  #show(status) {
    const { tone, text, detail } = describe(status);
    this.element.dataset.tone = tone;
    if (this.text.textContent !== text) this.text.textContent = text;
    this.banner.hidden = !detail;
    this.banner.dataset.tone = tone;
    if (this.banner.textContent !== (detail ?? "")) this.banner.textContent = detail ?? "";
  }
}
