// Escapes foreign names and texts for a terminal, where control characters have effects and bidi (U+202E) or invisible characters
// make one name look like another. For output to people; scripts get the unchanged bytes.

/** Joiners and variation selectors that are part of an emoji, and variation selectors after an ideograph. */
const pictured =
  /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d|(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]|(?<=[0-9#*])\ufe0f(?=\u20e3)|(?<=\p{Ideographic})[\u{e0100}-\u{e01ef}]/u
    .source

/** Controls, format characters, line separators, surrogates, and invisible characters: fillers, and the blank Braille pattern. */
const unsafe = new RegExp(`(?!${pictured})[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}\\p{Default_Ignorable_Code_Point}\\u2800]`, 'gu')

const hex = (code: number, width: number): string => code.toString(16).padStart(width, '0')
const short: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }

/** `bytes`: from this code point on, `\x` is not used: a shell takes it for a byte, which beyond ASCII is no character. */
function escaped(char: string, bytes = 0x100): string {
  const code = char.codePointAt(0)!
  return short[char] ?? (code < bytes ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`)
}

/** Text with escapes for unsafe characters: `a\x1b[2J`, `\n`, `\u202e`. */
export const showText = (text: string): string => text.replaceAll(unsafe, char => escaped(char))

/** Like showText, for text of several lines: newlines and tabs are kept. */
export const showLines = (text: string): string => text.replaceAll(unsafe, char => (char === '\n' || char === '\t' ? char : escaped(char)))

/** Like showText, for one line: tabs are kept. */
export const showLine = (text: string): string => text.replaceAll(unsafe, char => (char === '\t' ? char : escaped(char)))

/** Like showText, for JSON text: the result is JSON with the same meaning. */
export const showJson = (json: string): string => json.replaceAll(unsafe, char =>
  (char === '\n' ? char : Array.from({ length: char.length }, (_, i) => `\\u${hex(char.charCodeAt(i), 4)}`).join('')))

/** Characters that a shell takes literally. */
const bare = /^[^\s'"\\$`*?[\]{}()<>|&;!#~^]+$/u

/** Quotes a name as GNU ls does on a terminal: quoted where a shell would not take it literally, ready to be pasted. */
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
