// Names and texts of others as a terminal may show them. A control character does things there; a bidi control (U+202E) or an invisible
// one makes a name look like another. Scripts get bytes as they are; this is for what a person looks at.

/** A joiner or a selector of its form within an emoji is part of a picture, and a selector after an ideograph one of its shapes. */
const pictured =
  /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d|(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]|(?<=[0-9#*])\ufe0f(?=\u20e3)|(?<=\p{Ideographic})[\u{e0100}-\u{e01ef}]/u
    .source

/** Controls, format characters, separators of lines, halves of pairs, and what has no shape: fillers, and the empty pattern of Braille. */
const unsafe = new RegExp(`(?!${pictured})[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}\\p{Default_Ignorable_Code_Point}\\u2800]`, 'gu')

const hex = (code: number, width: number): string => code.toString(16).padStart(width, '0')
const short: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }

/** `bytes`: a shell takes \x for a byte, which beyond ASCII is no character. */
function escaped(char: string, bytes = 0x100): string {
  const code = char.codePointAt(0)!
  return short[char] ?? (code < bytes ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`)
}

/** With escapes for what is not to be shown: `a\x1b[2J`, `\n`, `\u202e`. */
export const showText = (text: string): string => text.replaceAll(unsafe, char => escaped(char))

/** The same for text of several lines: their ends, and tabs, stay. */
export const showLines = (text: string): string => text.replaceAll(unsafe, char => (char === '\n' || char === '\t' ? char : escaped(char)))

/** The same for one line, in which tabs stay. */
export const showLine = (text: string): string => text.replaceAll(unsafe, char => (char === '\t' ? char : escaped(char)))

/** The same for JSON text, which it stays, and whose meaning it keeps. */
export const showJson = (json: string): string => json.replaceAll(unsafe, char =>
  (char === '\n' ? char : Array.from({ length: char.length }, (_, i) => `\\u${hex(char.charCodeAt(i), 4)}`).join('')))

/** What a shell takes as it is. */
const bare = /^[^\s'"\\$`*?[\]{}()<>|&;!#~^]+$/u

/** As GNU ls shows names on a terminal: what a shell would not take as it is stands in quotes, ready to be pasted into one. */
export function quoteName(name: string): string {
  const shown = showText(name)
  if (shown === name) {
    if (bare.test(name)) return name
    if (!name.includes(`'`)) return `'${name}'`
    return /["\\$`!]/.test(name) ? `'${name.replaceAll(`'`, `'\\''`)}'` : `"${name}"`
  }
  let text = ''
  let from = 0
  for (const { index, 0: char } of name.matchAll(unsafe)) {
    if (index > from) text += `'${name.slice(from, index).replaceAll(`'`, `'\\''`)}'`
    text += `$'${escaped(char, 0x80)}'`
    from = index + char.length
  }
  return from < name.length ? `${text}'${name.slice(from).replaceAll(`'`, `'\\''`)}'` : text
}
