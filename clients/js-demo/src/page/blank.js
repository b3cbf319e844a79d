/** Texts that show nothing. The server refuses them: `BLANK` in schemas/field_types.py. */

// Spaces, controls, what Unicode says is not drawn, and the signs that are drawn empty:
// marks of annotations, the Braille pattern without a dot, the musical null note head.
const VISIBLE = /[^\p{Z}\p{Cc}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb\u2800\u{1d159}]/u;

/** @param {string} text */
export const isBlank = (text) => !VISIBLE.test(text);
