// Reads what S3 services answer: flat XML, of which some elements are wanted. Texts are decoded; there are no attributes of interest, and
// no entities but the five of XML and numbers.

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: '\'' }

const decoded = (text: string): string => text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (whole, hex, number, name) => {
  if (name !== undefined) return entities[name as string] ?? whole as string
  const code = hex === undefined ? Number(number) : Number.parseInt(hex as string, 16)
  return code <= 0x10_ffff ? String.fromCodePoint(code) : whole as string
})

/** Contents of each element of this name, undecoded. REQUIRES: elements of this name are not inside of each other. */
export function elementsOf(text: string, name: string): string[] {
  const found: string[] = []
  const open = new RegExp(`<${name}(?:\\s[^>]*)?(/?)>`, 'g')
  for (let match = open.exec(text); match; match = open.exec(text)) {
    const end = match[1] === '/' ? open.lastIndex : text.indexOf(`</${name}>`, open.lastIndex)
    if (end < 0) break
    found.push(text.slice(open.lastIndex, end))
    open.lastIndex = end
  }
  return found
}

/** Text of the first element of this name; undefined if there is none. */
export function firstText(text: string, name: string): string | undefined {
  const [first] = elementsOf(text, name)
  return first === undefined ? undefined : decoded(first)
}

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
