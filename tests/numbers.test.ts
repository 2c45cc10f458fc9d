import assert from "node:assert/strict"
import { describe, test } from "node:test"
import fc from "fast-check"
import examples from "libphonenumber-js/examples.mobile.json"
import {
  type CountryCode,
  getCountries,
  getExampleNumber,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from "libphonenumber-js/max"
import { loadNumbers, readNumber } from "../main.ts"

const numbers = await loadNumbers()

/** The number that is read, or what is wrong with it. */
function read(written: string, country?: string): string {
  const number = readNumber(written, country, numbers)
  return "problem" in number ? number.detail.replace(/^recipient /, "") : number.recipient
}

/** The library's own reading, with all its metadata. */
function library(written: string, country?: CountryCode): string | undefined {
  const options = { extract: false, ...(country && { defaultCountry: country }) }
  const parsed = parsePhoneNumberFromString(written, options)
  return parsed?.isPossible() ? parsed.number : undefined
}

const all = getCountries().flatMap((country): [CountryCode, PhoneNumber][] => {
  const number = getExampleNumber(country, examples)
  return number ? [[country, number]] : []
})

/** The first digit of ten of a script. */
const scripts: [name: string, zero: number][] = [
  ["Arabic", 0x660],
  ["Persian", 0x6f0],
  ["Devanagari", 0x966],
  ["Bengali", 0x9e6],
  ["Thai", 0xe50],
  ["Khmer", 0x17e0],
  ["full-width", 0xff10],
  ["mathematical bold", 0x1d7ce],
  ["mathematical monospace", 0x1d7f6],
  ["Myanmar Eastern Pwo Karen", 0x116da],
]
const inScript = (text: string, zero: number) =>
  text.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)))
const separated = (number: PhoneNumber, separator: string) => number.formatInternational().replaceAll(" ", separator)

/** Ways to write a number that mean it wherever one stands. */
const international: [name: string, write: (number: PhoneNumber) => string][] = [
  ["E.164", ({ number }) => number],
  ["blanks", (number) => number.formatInternational()],
  ["hyphens", (number) => separated(number, "-")],
  ["dots", (number) => separated(number, ".")],
  ["slashes", (number) => separated(number, "/")],
  ["no-break spaces", (number) => separated(number, "\u00a0")],
  ["narrow spaces", (number) => separated(number, "\u202f")],
  ["dashes", (number) => separated(number, "\u2013")],
  ["no-break hyphens", (number) => separated(number, "\u2011")],
  ["minus signs", (number) => separated(number, "\u2212")],
  [
    "an area code in brackets",
    ({ countryCallingCode, nationalNumber }) =>
      `+${countryCallingCode} (${nationalNumber.slice(0, 2)}) ${nationalNumber.slice(2)}`,
  ],
  [
    "a calling code in brackets",
    ({ countryCallingCode, nationalNumber }) => `(+${countryCallingCode}) ${nationalNumber}`,
  ],
  ["a blank behind +", ({ number }) => number.replace("+", "+ ")],
  ["a full-width plus", ({ number }) => number.replace("+", "\uff0b")],
  ["marks of direction", (number) => `\u202a\u200e${number.formatInternational()}\u202c`],
  ["soft hyphens and zero-width spaces", ({ number }) => [...number].join("\u00ad\u200b")],
  ["white space around it", ({ number }) => ` \u00a0${number}\u3000 `],
  ...scripts.map(([name, zero]): [string, (number: PhoneNumber) => string] => [
    `${name} digits`,
    (number) => inScript(number.formatInternational(), zero),
  ]),
]
for (const [name, write] of international) {
  test(`with ${name} the number of every region means itself, whatever DEFAULT_COUNTRY is`, () => {
    for (const [region, number] of all)
      for (const country of [undefined, region, "US", "DE", "CN"])
        assert.equal(read(write(number), country), number.number, `${region} from ${country}`)
  })
}

for (const [name, write] of [
  ["00", ({ number }) => number.replace("+", "00")],
  ["00 and blanks", (number) => number.formatInternational().replace("+", "00 ")],
] as typeof international) {
  test(`${name} is a way out where DEFAULT_COUNTRY is not set, or has that exit prefix`, () => {
    for (const [region, number] of all)
      for (const country of [undefined, "DE", "FR", "CN", "IN"] as const)
        assert.equal(read(write(number), country), number.number, `${region} from ${country}`)
  })

  test(`${name} means + from elsewhere, too, unless that is a number of the country`, () => {
    for (const country of ["US", "CA", "AU", "NG", "RU", "KZ", "BY"] as const) {
      for (const [region, number] of all) {
        const options = { extract: false, defaultCountry: country }
        const national = numbers.parsePhoneNumberFromString(write(number), options)
        if (!national?.isValid()) assert.equal(read(write(number), country), number.number, `${region} from ${country}`)
      }
    }
  })
}

/** Numbers that the library takes for national ones, since their country has such. */
const national = ["DE", "ID", "XK"]
const local: [name: string, write: (number: PhoneNumber) => string, but?: string[]][] = [
  ["as it is written at home", (number) => number.formatNational()],
  ["at home, in Arabic digits", (number) => inScript(number.formatNational(), 0x660)],
  ["at home, in full-width digits", (number) => inScript(number.formatNational(), 0xff10)],
  ["at home, with dots", (number) => number.formatNational().replaceAll(/[ -]/g, ".")],
  ["without its trunk prefix", ({ nationalNumber }) => nationalNumber],
  ["with its calling code and no +", ({ number }) => number.slice(1), national],
]
for (const [name, write, but = []] of local) {
  test(`${name} the number of every region is read by DEFAULT_COUNTRY, and without it is refused`, () => {
    for (const [region, number] of all) {
      const written = write(number)
      if (but.includes(region)) assert.equal(read(written, region), library(written, region), region)
      else assert.equal(read(written, region), number.number, region)
      if (!written.startsWith("00"))
        assert.equal(read(written), "must begin with +, or DEFAULT_COUNTRY must be set", region)
    }
  })
}

test("a zero behind + is dropped where the region has one, or where the number exists without it alone", () => {
  const digitsOf = (number: PhoneNumber) => number.formatNational().replace(/\D/g, "")
  const withZero = all.filter(([, number]) => digitsOf(number) === `0${number.nationalNumber}`)
  assert.ok(withZero.length > 80, `${withZero.length} regions`)
  for (const [region, { countryCallingCode, nationalNumber, number }] of all) {
    for (const written of [
      `+${countryCallingCode}0${nationalNumber}`,
      `+${countryCallingCode} (0) ${nationalNumber}`,
      `00${countryCallingCode}0${nationalNumber}`,
    ]) {
      const plain = `+${countryCallingCode}0${nationalNumber}`
      const isDropped = withZero.some(([one]) => one === region) || !parsePhoneNumberFromString(plain)?.isValid()
      const expected = isDropped && library(plain) ? number : library(plain)
      const got = read(written)
      if (expected) assert.equal(got, expected, region)
      else assert.match(got, /^must (be a phone number|begin with)/, region)
    }
  }
})

for (const [written, meant] of [
  ["+91919876543210", "+919876543210"],
  ["+90 90 532 123 45 67", "+905321234567"],
  ["00 852 852 5123 4567", "+85251234567"],
  ["+82821020000000", "+821020000000"],
  ["+666666812345678", "+66812345678"],
  ["+660066812345678", "+66812345678"],
  ["+919198765432", "+919198765432"],
  ["+494915112345678", "+494915112345678"],
] as const)
  test(`${written} is ${meant}: a calling code twice makes no other telephone`, () => {
    assert.equal(Object(readNumber(written, undefined, numbers)).recipient, meant)
  })

test("a number that was read reads as itself, whatever zeros stood in it", () => {
  for (const [region, { countryCallingCode, nationalNumber }] of all) {
    for (const zeros of ["0", "00", "000", "0000"]) {
      const written = `+${countryCallingCode}${zeros}${nationalNumber}`
      const number = read(written)
      if (number.startsWith("+")) assert.equal(read(number), number, `${region}: ${written}`)
    }
  }
})

test("the exit prefix of a country leads out of it", () => {
  for (const from of ["US", "AU", "RU", "JP", "FR", "BR", "TH"] as const) {
    for (const [region, number] of all) {
      const written = number.format("IDD", { fromCountry: from })
      if (written) assert.equal(read(written, from), number.number, `${region} from ${from}: ${written}`)
    }
  }
})

test("whatever stands between the digits, and whatever digits they are, a number means itself", () => {
  const separator = fc.constantFrom(
    "",
    "",
    " ",
    "-",
    ".",
    "/",
    "\u00a0",
    "\u2009",
    "\u2013",
    "\u2010",
    "\u200b",
    "\u00ad",
    "(",
    ")",
  )
  const zero = fc.constantFrom(0x30, ...scripts.map(([, zero]) => zero))
  const written = fc.record({
    region: fc.constantFrom(...all),
    separators: fc.array(separator, { minLength: 15, maxLength: 15 }),
    zeros: fc.array(zero, { minLength: 15, maxLength: 15 }),
  })
  fc.assert(
    fc.property(written, ({ region: [, number], separators, zeros }) => {
      const digits = [...number.number.slice(1)].map((digit, index) => inScript(digit, zeros[index] ?? 0x30))
      // Brackets that do not match, and anything before the first digit but a blank, are no way to write a number.
      const between = (index: number) => (/[()]/.test(separators[index] ?? "") ? " " : separators[index])
      const text = `+${digits.map((digit, index) => digit + (index < digits.length - 1 ? between(index) : "")).join("")}`
      assert.equal(read(text), number.number)
    }),
    { numRuns: 2_000 },
  )
})

test("what is read is always a possible number that reads as itself, or the reason why not", () => {
  const piece = fc.constantFrom(
    "+",
    "00",
    "0",
    "1",
    "44",
    "49",
    "(",
    ")",
    " ",
    "-",
    "٣",
    "９",
    "x",
    "#",
    ";ext=",
    "\u0000",
    "tel:",
  )
  const anything = fc.oneof(
    fc.array(fc.oneof(piece, fc.nat(99).map(String)), { maxLength: 14 }).map((all) => all.join("")),
    fc.string({ unit: "binary" }),
  )
  const country = fc.constantFrom(undefined, "US", "DE", "CI", "RU", "IT")
  fc.assert(
    fc.property(anything, country, (written, country) => {
      const number = readNumber(written, country, numbers)
      if ("problem" in number)
        return assert.match(number.detail, /^recipient must (begin with \+|be a phone number|not hold control)/)
      assert.match(number.recipient, /^\+[1-9]\d{4,14}$/)
      assert.ok(number.recipient.startsWith(`+${number.callingCode}`))
      assert.equal(read(number.recipient, country), number.recipient)
    }),
    { numRuns: 1_000 },
  )
})

describe("the country of a number", () => {
  const countries: [number: string, country: string][] = [
    ["+12125550100", "US"],
    ["+16135550123", "CA"],
    ["+18765551234", "JM"],
    ["+18095551234", "DO"],
    ["+17875551234", "PR"],
    ["+442079460958", "GB"],
    ["+441534123456", "JE"],
    ["+79261234567", "RU"],
    ["+77012345678", "KZ"],
    ["+4915112345678", "DE"],
    ["+390612345678", "IT"],
    ["+262692123456", "RE"],
    ["+35318765432", "IE"],
  ]
  for (const [number, country] of countries) {
    test(`${number} is of ${country}`, () => {
      assert.equal((readNumber(number, undefined, numbers) as { country: string }).country, country)
    })
  }

  test("is that of every region's example, or one that shares its calling code", () => {
    for (const [region, { number, countryCallingCode }] of all) {
      const read = readNumber(number, undefined, numbers)
      assert.ok(!("problem" in read) && read.country !== "", region)
      const same = all.flatMap(([other, one]) => (one.countryCallingCode === countryCallingCode ? other : []))
      assert.ok((same as string[]).includes(read.country), `${region}: ${read.country}`)
    }
  })

  test("is none where the number is of no country", () => {
    const read = readNumber("+80012345678", undefined, numbers)
    assert.deepEqual(read, { recipient: "+80012345678", country: "", callingCode: "800", type: "toll-free" })
  })
})
