// Stacks that name the sources instead of the bundle. They are asked for in every process, not only where one is printed: Node reads the
// stack of each error with which it destroys a stream, such as a connection that is aborted. So of the source map, which has a section for
// each 256 lines (test/tidy/sections.ts), only what a frame needs is decoded. Written without types: the bin runs it as it is.

const { readFileSync } = process.getBuiltinModule('node:fs')
const { SourceMap } = process.getBuiltinModule('node:module')
const { dirname, join } = process.getBuiltinModule('node:path')

const sectionLines = 256
/** Decoded sections that are kept: 100 KiB each. */
const keptMax = 32

/** Stacks of this process name the sources of `file`, a file of the bundle. Whatever fails, they name the bundle. */
export function mapStacks(file) {
  const map = new Sections(`${file}.map`)
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.map(frame => {
      const text = String(frame)
      if (frame.getFileName() !== file) return `\n    at ${text}`
      const [line, column] = [frame.getLineNumber(), frame.getColumnNumber()]
      const place = map.placeOf(line, column)
      return `\n    at ${place === undefined ? text : text.replace(`${file}:${line}:${column}`, () => join(dirname(file), place))}`
    })
    return Error.prototype.toString.call(error) + lines.join('')
  }
}

class Sections {
  #path
  #texts
  #decoded = new Map()

  constructor(path) { this.#path = path }

  /** `path:line:column`, relative to the bundle; undefined if it is not known. Lines and columns count from 1. */
  placeOf(line, column) {
    try {
      const number = Math.floor((line - 1) / sectionLines)
      const { originalSource, originalLine, originalColumn } = this.#section(number).findEntry(line - 1 - number * sectionLines, column - 1)
      return originalSource === undefined ? undefined : `${originalSource}:${originalLine + 1}:${originalColumn + 1}`
    } catch (error) {
      void error // the map is missing or damaged
      return undefined
    }
  }

  #section(number) {
    const known = this.#decoded.get(number)
    if (known !== undefined) return known
    // A line for each section, between those that open and close the list; the comma before it is no part of it.
    this.#texts ??= readFileSync(this.#path, 'latin1').split('\n').slice(1, -1)
    const decoded = new SourceMap(JSON.parse(this.#texts[number].slice(1)).map)
    if (this.#decoded.size >= keptMax) this.#decoded.clear()
    this.#decoded.set(number, decoded)
    return decoded
  }
}
