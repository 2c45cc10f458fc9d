/** Every regular expression of the program is read in linear time, whatever text it meets. */
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { check } from "recheck"
import { jsonText, jsonToken } from "../../providers/parts/slips.ts"

interface Expression {
  source: string
  flags: string
  /** The code before it on its line. */
  before: string
}

/** One token of a program: a blank or comment, a string, an expression, a piece of a template, a word, or any sign. */
const token =
  /(?<blank>\s+|\/\/.*|\/\*[\s\S]*?\*\/)|(?<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<expression>\/(?:[^\\/\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*)|(?<word>[\w$]+)|[\s\S]/y
const piece = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y
/** A slash behind a value divides. */
const isValue = (before: string) => /[\w$)\]}"'`]$/.test(before) && !/\b(return|case|typeof|of|in)$/.test(before)

/** The expressions of a program. A script in `String.raw`, as pages have one, is a program, too. */
function expressionsIn(program: string): Expression[] {
  const found: Expression[] = []
  /** Open braces; true for those of `${…}`, which end in more of the template. */
  const braces: boolean[] = []
  let at = 0
  let before = ""
  const readPiece = () => {
    piece.lastIndex = at
    const text = piece.exec(program)?.[0] ?? ""
    if (before.endsWith("String.raw")) found.push(...expressionsIn(text.slice(0, -1)))
    at += text.length
    before = text.at(-1) ?? ""
    if (before === "{") braces.push(true)
  }
  while (at < program.length) {
    token.lastIndex = at
    const { 0: read = "", groups: { blank, text, expression, word } = {} } = token.exec(program) ?? {}
    if (expression && !isValue(before)) {
      const end = expression.lastIndexOf("/")
      found.push({ source: expression.slice(1, end), flags: expression.slice(end + 1), before })
    }
    const isWhole = blank || text || word || (expression && !isValue(before))
    const taken = isWhole ? read : (program[at] ?? "")
    at += taken.length
    if (taken === "`") readPiece()
    else if (taken === "}" && braces.pop()) readPiece()
    else if (!blank) before = `${before}${taken}`.slice(-20)
    if (taken === "{") braces.push(false)
  }
  return found
}

/** The alternatives at the top level of an expression. */
function alternativesOf(source: string): string[] {
  const found = [""]
  let depth = 0
  for (const [part] of source.matchAll(/\\.|\[(?:[^\]\\]|\\.)*\]|./gsu)) {
    depth += part === "(" ? 1 : part === ")" ? -1 : 0
    if (part === "|" && depth === 0) found.push("")
    else found.push(found.pop() + part)
  }
  return found
}

const root = new URL("../../", import.meta.url)
const read = (file: string) => readFileSync(new URL(file, root), "utf8")
const inProviders = readdirSync(new URL("providers", root), { recursive: true, encoding: "utf8" })
const files = ["main.ts", ...inProviders.map((file) => `providers/${file}`)].filter((file) => file.endsWith(".ts"))

/** What is built while the program runs, as it comes out; "" where the operator writes it, or all of it is escaped text. */
const built: Record<string, Expression[]> = {
  "main.ts": [
    operators(),
    operators(),
    { source: "(?<![\\w.-])[\\w.-]+\\.[jt]s:\\d+(:\\d+)?", flags: "", before: "" },
    // A word of four letters, whatever stands between them.
    {
      source: `(?<![\\p{L}\\p{N}])${[..."code"].join("[^\\p{L}\\p{N}\uE000]{0,6}")}(?![\\p{L}\\p{N}])`,
      flags: "iu",
      before: "",
    },
  ],
  "providers/commands/advice.ts": [operators(), operators(), operators()],
  "providers/http.ts": [operators(), operators()],
  "providers/mitake.ts": [{ source: "^msgid=([^\\r\\n]{1,200})", flags: "m", before: "" }],
  "providers/parts/slips.ts": [
    { source: jsonToken, flags: "y", before: "" },
    { source: jsonText, flags: "y", before: "" },
  ],
}
function operators(): Expression {
  return { source: "(?:)", flags: "", before: "" }
}

/** Expressions that take square time and meet nothing foreign, or a text that is too short for that to be felt. */
const allowed: Record<string, string> = {
  "\\/+$": "the address that a setting gives",
  "\\d+(?:[ .\\-–—/_]\\d+)+": "a text of 1,600 characters at most: 2 ms",
  "_(SENDER_\\w+|PROXY)$": "the name of a variable",
}

/** Each expression once, with the files that hold it. What is met again behind each match is judged by its alternatives, too. */
function everyExpression() {
  const found = new Map<string, { source: string; flags: string; files: Set<string> }>()
  for (const file of files)
    for (const { source, flags, before } of [...expressionsIn(read(file)), ...(built[file] ?? [])]) {
      const isRepeated = /[gy]/.test(flags) || before.endsWith(".split(")
      for (const one of isRepeated ? [source, ...alternativesOf(source)] : [source]) {
        const expression = { source: one, flags: flags.replace(/[dgy]/g, ""), files: new Set<string>() }
        const key = `/${one}/${expression.flags}`
        found.set(key, found.get(key) ?? expression)
        found.get(key)?.files.add(file)
      }
    }
  return found
}

test("the expressions of a program are found, and nothing else", () => {
  const template = ["`/template/ $", "{x.replace(/in [/\\]]/g, `$", "{/deep/}`)} /more/`"].join("")
  const program = `const a = b / 2 / c // no /comment/
    const text = "/string/" + '/other/' + ${template}
    if (/first|[|]|(a|b)\\|c/gu.test(a)) return /second/ /* /no/ */
    const script = String.raw\`y.split(/third/)\``
  const found = expressionsIn(program).map(({ source, flags }) => `${source} ${flags}`.trim())
  assert.deepEqual(found, ["in [/\\]] g", "deep", "first|[|]|(a|b)\\|c gu", "second", "third"])
  assert.deepEqual(alternativesOf("first|[|]|(a|b)\\|c"), ["first", "[|]", "(a|b)\\|c"])
})

test("what is built while the program runs is known", () => {
  for (const file of files)
    assert.equal(
      read(file).match(/\bnew RegExp\(/g)?.length ?? 0,
      built[file]?.length ?? 0,
      `${file}: name it in built`,
    )
})

test("no expression takes more than linear time, whatever foreign text it meets", { timeout: 300_000 }, async () => {
  const expressions = [...everyExpression().values()]
  assert.ok(expressions.length > 300, String(expressions.length))
  const wrong: string[] = []
  const used = new Set<string>()
  const judge = async ({ source, flags, files }: (typeof expressions)[number]) => {
    // Its own clocks would call a busy machine an attack.
    const options = { timeout: 60_000, attackTimeout: null, incubationTimeout: null }
    const { status, ...more } = await check(source, flags, options)
    if (status === "safe") return
    used.add(source)
    const why = "complexity" in more ? more.complexity.summary : "the checker did not finish"
    if (!(source in allowed)) wrong.push(`${[...files]}: /${source}/${flags}: ${why}`)
  }
  const worker = async () => {
    for (let next = expressions.pop(); next; next = expressions.pop()) await judge(next)
  }
  await Promise.all([worker(), worker()])
  assert.deepEqual(wrong, [])
  assert.deepEqual(
    Object.keys(allowed).filter((source) => !used.has(source)),
    [],
    "allowed, and there no more",
  )
})
