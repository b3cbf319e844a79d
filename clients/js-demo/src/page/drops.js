/** Files dropped on the page are taken; never opened in its place. */

/**
 * @param {HTMLElement} target Marked while files hang over it.
 * @param {(files: File[]) => void} dropped
 * @returns {() => void} Ends it.
 */
export function acceptDrops(target, dropped) {
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  const over = (/** @type {DragEvent} */ event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    target.classList.add("dropping");
  };
  const out = (/** @type {DragEvent} */ event) => {
    // Between two elements of the page it has not left.
    if (event.relatedTarget === null) target.classList.remove("dropping");
  };
  const drop = (/** @type {DragEvent} */ event) => {
    target.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    dropped([...(event.dataTransfer?.files ?? [])]);
  };
  addEventListener("dragover", over);
  addEventListener("dragleave", out);
  addEventListener("drop", drop);
  return () => {
    removeEventListener("dragover", over);
    removeEventListener("dragleave", out);
    removeEventListener("drop", drop);
  };
}
