// gristmill:grep: the lines that match a pattern, or with `invert` those that do not, in the order of the input.
import { mapReduce, type Emit } from 'gristmill'

interface GrepParams { pattern?: string, ignoreCase?: boolean, invert?: boolean, withPath?: boolean }

export default ({ pattern = '', ignoreCase = false, invert = false, withPath = false }: GrepParams) => {
  if (pattern === '') throw new TypeError("give the pattern to look for: --param pattern='error|warning'")
  const matcher = new RegExp(pattern, ignoreCase ? 'iu' : 'u')
  return mapReduce({
    params: { pattern: String(pattern), ignoreCase, invert, withPath },
    map(line: string, emit: Emit<string | null, string>, { path }) {
      if (matcher.test(line) !== invert) emit(withPath ? path : null, line)
    },
  })
}
