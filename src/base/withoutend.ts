// Texts without a run of one character at their end. Texts come from users: an expression such as /0+$/ looks at each run of a text from
// each of its characters, so its time grows with the square of a run that is not at the end. `test/tidy/text.test.ts` refuses such
// expressions.
// A program's bundle contains this file: it imports nothing and has no side effects.

/** The text without these characters at its end: `withoutEnd('1200', '0')` is `12`. `char`: one UTF-16 code unit. */
export function withoutEnd(text: string, char: string): string {
  const code = char.charCodeAt(0)
  let end = text.length
  while (end > 0 && text.charCodeAt(end - 1) === code) end--
  return end === text.length ? text : text.slice(0, end)
}
