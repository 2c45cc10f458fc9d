/**
 * The page on which a browser signs in to another page. It runs nothing and loads nothing.
 * @module
 */
import { createHash } from "node:crypto"
import { heading, headingStyle, icon } from "./mark.ts"

const style = `
:root { color-scheme: light dark; --ground: light-dark(#f4f5f7, #0e1013); --card: light-dark(#fff, #191c21);
  --text: light-dark(#1a1d21, #eceef1); --quiet: light-dark(#5b626c, #a0a8b3); --line: light-dark(#e3e6ea, #2b3037);
  --edge: light-dark(#8b929c, #6b737e); --accent: light-dark(#2952cc, #9db7ff); --bad: light-dark(#bd3029, #ff9d93) }
* { box-sizing: border-box; margin: 0 }
body { background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; padding: 12vh 14px 24px;
  display: grid; justify-content: center; grid-template-columns: minmax(0, 420px) }
main { background: var(--card); border: 1px solid var(--line); border-radius: 18px; padding: 24px 26px; display: grid; gap: 14px }
${headingStyle}
form { display: grid; gap: 8px }
label { font-weight: 600; font-size: .875rem }
input, button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--edge); border-radius: 12px;
  padding: 7px 14px; min-height: 42px; min-width: 0 }
button { cursor: pointer; font-weight: 600; margin-top: 6px; background: var(--accent); border-color: var(--accent);
  color: light-dark(#fff, #0e1013) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.wrong { color: var(--bad); font-size: .875rem }
.quiet { color: var(--quiet); font-size: .875rem }
`

const hash = createHash("sha256").update(style).digest("base64")
export const headers = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
}

/** Asks for the token of the page `/<name>`, which the setting `variable` holds. */
export function doorPage(name: string, variable: string, isWrong: boolean): string {
  const title = name.slice(0, 1).toUpperCase() + name.slice(1)
  const wrong = isWrong ? `<p class="wrong" id="wrong" role="alert">This is not ${variable}.</p>` : ""
  const described = isWrong ? ' aria-describedby="wrong" aria-invalid="true"' : ""
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}: sign in – smstask</title>
<link rel="icon" href="${icon}">
<style>${style}</style>
</head>
<body>
<main>
  ${heading(name)}
  <form method="post" action="/${name}">
    <label for="token">${variable}</label>
    <input id="token" name="token" type="password" autocomplete="current-password" required autofocus${described}>
    ${wrong}
    <button>Open</button>
  </form>
  <p class="quiet">It is the value of ${variable} in the settings of this gateway.</p>
</main>
</body>
</html>
`
}
