// Source map of a bundle in sections, one per line of its text: client/cli/stacks.js reads and decodes only those that a stack needs. All
// of it took 0.2 s of processor time. Other readers see an ordinary map: sections are part of its format (ECMA-426, "index map").

import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec'
import { isVirtual } from './later.ts'

/** Lines of the bundle in a section; client/cli/stacks.js has the same number. A section is decoded in less than a millisecond. */
const sectionLines = 256

interface PlainMap {
  readonly sources: readonly string[]
  readonly mappings: string
}

/** `text`: a map without names. Code of modules that are no files has no source: a stack names its place in the bundle. */
export function ofFiles(text: string): string {
  const { sources, mappings } = JSON.parse(text) as PlainMap
  const files = sources.filter(source => !isVirtual(source))
  const numbers = sources.map(source => files.indexOf(source))
  const lines = decode(mappings).map(line => line.map((segment): SourceMapSegment => {
    if (segment.length === 1) return segment
    const number = numbers[segment[1]]!
    return number === -1 ? [segment[0]] : [segment[0], number, segment[2], segment[3]]
  }))
  return JSON.stringify({ version: 3, sources: files, names: [], mappings: encode(lines) })
}

/** `text`: a map without names. */
export function inSections(text: string): string {
  const { sources, mappings } = JSON.parse(text) as PlainMap
  const lines = decode(mappings)
  const sections: string[] = []
  for (let line = 0; line < lines.length; line += sectionLines) {
    const map = section(lines.slice(line, line + sectionLines), sources)
    sections.push(`${line === 0 ? ' ' : ','}${JSON.stringify({ offset: { line, column: 0 }, map })}`)
  }
  return ['{"version":3,"sections":[', ...sections, ']}'].join('\n')
}

/** Has only the sources of its lines. */
function section(lines: readonly SourceMapSegment[][], all: readonly string[]): object {
  const numbers = new Map<number, number>()
  const numberOf = (source: number): number => {
    const known = numbers.get(source)
    if (known === undefined) numbers.set(source, numbers.size)
    return known ?? numbers.size - 1
  }
  const own = lines.map(segments => segments.map((segment): SourceMapSegment =>
    (segment.length === 1 ? segment : [segment[0], numberOf(segment[1]), segment[2], segment[3]])))
  return { version: 3, sources: [...numbers.keys()].map(source => all[source]!), names: [], mappings: encode(own) }
}
