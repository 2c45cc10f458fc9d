/**
 * The mark of smstask, which the head and the tab of every page have.
 * @module
 */

/** A drawing of 24 by 24 in lines of the text's colour, for a page's HTML. */
export const drawn = (paths: string): string =>
  `<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="${paths}"/></svg>`

export const mark = drawn(
  "M7 4h10a4 4 0 0 1 4 4v5a4 4 0 0 1-4 4h-6l-4 3.5V17a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4zM8 10.5h0M12 10.5h0M16 10.5h0",
)

/** The mark as the address of a picture, for a tab; the page's content policy must allow `img-src data:`. */
export const icon = `data:image/svg+xml,${encodeURIComponent(
  mark.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"').replace("currentColor", "#2952cc"),
)}`

/** A page's heading: the mark, the name, and which page it is. */
export const heading = (page: string): string => `<h1>${mark}<span>smstask <i>${page}</i></span></h1>`

export const headingStyle = `h1 { display: flex; align-items: center; gap: 10px; font-size: 1.25rem; line-height: 1.2; letter-spacing: -.015em }
h1 svg { width: 30px; color: var(--accent) }
h1 i { font-style: normal; font-weight: 400; color: var(--quiet) }`
