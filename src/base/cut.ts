// Texts of two parts, such as a path and the query behind it. A split with a limit (`split('?', 2)`) drops all that stands behind the
// second mark.

/** The parts before and behind the first mark; undefined: there is no mark. */
export function cutAt(text: string, mark: string): [before: string, behind: string | undefined] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)]
}
