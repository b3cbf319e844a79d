/** An image at its full size, over the page; Escape closes it. */

import { el, icon } from "./dom.js";

/**
 * @param {HTMLImageElement} image The one that is shown small.
 * @param {{url: string, caption: string, freshUrl: () => Promise<string | undefined>}} whole
 *   Its address may have expired.
 */
export function openLightbox(image, { url, caption, freshUrl }) {
  const whole = el("img", { src: url, alt: caption || image.alt });
  const renew = async () => {
    // Better the small one than none.
    whole.src = (await freshUrl().catch(() => undefined)) ?? image.src;
  };
  whole.addEventListener("error", renew, { once: true });
  const close = () => dialog.close();
  const dialog = el(
    "dialog",
    { class: "lightbox", "aria-label": caption || "Image", on: { click: close, close: () => dialog.remove() } },
    whole,
    caption && el("p", {}, caption),
    el("button", { type: "button", class: "quiet", "aria-label": "Close" }, icon("close")),
  );
  document.body.append(dialog);
  dialog.showModal();
}
