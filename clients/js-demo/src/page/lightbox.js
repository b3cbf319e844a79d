/** An image at its full size, over the page; Escape closes it. */

import { el, icon } from "./dom.js";

/**
 * @param {HTMLImageElement} image The one that is shown small.
 * @param {string} caption
 */
export function openLightbox(image, caption) {
  const close = () => dialog.close();
  const dialog = el(
    "dialog",
    { class: "lightbox", "aria-label": caption || "Image", on: { click: close, close: () => dialog.remove() } },
    el("img", { src: image.src, alt: caption || image.alt }),
    caption && el("p", {}, caption),
    el("button", { type: "button", class: "quiet", "aria-label": "Close" }, icon("close")),
  );
  document.body.append(dialog);
  dialog.showModal();
}
