/** Elements are made here. Text only ever becomes text nodes, never markup. */

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties] `class`, `on` (listeners), `data` (dataset);
 *   all others are attributes: true is an empty one, false and null are none.
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any} The element.
 */
export function el(tag, { on = {}, data = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  for (const [name, value] of Object.entries(data)) element.dataset[name] = String(value);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * @param {string} text A name or a text within a sentence: whatever signs of direction it
 *   holds, the words around it stand where they stood.
 */
export const apart = (text) => el("bdi", {}, text);

/** Drawn with strokes on a 24 × 24 grid. */
const ICONS = {
  back: "M15 5l-7 7 7 7",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  send: "M5 12h13M12 5l7 7-7 7",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6M18 14.5a6.5 6.5 0 0 1 3.5 5.5",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M5 12l7 7 7-7",
  plus: "M12 5v14M5 12h14",
  leave: "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9",
};

/**
 * @param {keyof typeof ICONS} name
 * @returns {SVGElement} For the eye only: its button carries the label.
 */
export function icon(name) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const path = document.createElementNS(namespace, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A hidden page draws no frames, and its title must change all the same. */
const LATEST_FRAME_MS = 100;

/**
 * Run `work` once in the next frame, however often it is asked for until then.
 *
 * @param {() => void} work
 * @returns {() => void}
 */
export function oncePerFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    const run = () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      asked = false;
      work();
    };
    const frame = requestAnimationFrame(run);
    const timer = setTimeout(run, LATEST_FRAME_MS);
  };
}
