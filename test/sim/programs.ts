// Job programs of the campaign, and their expected outputs, computed here from the same bytes without a cluster.

import { join } from 'node:path'
import type { Mill } from 'gristmill'
import { bytesOf } from './content.ts'
import type { Content } from './plan.ts'

type Program = 'wordcount' | 'lengths'

export const programOf = (program: Program): string => join(import.meta.dirname, 'programs', `${program}.ts`)

/** Lines of all parts, sorted: the distribution of keys over parts is not compared. */
export async function outputOf(mill: Mill, path: string): Promise<string> {
  const names = await mill.readdir(path)
  if (!names.includes('_SUCCESS')) return `no _SUCCESS among ${names.join(', ')}`
  const parts = await Promise.all(names.filter(name => name.startsWith('part-')).map(name => mill.readFile(`${path}/${name}`, 'utf8')))
  return sorted(parts.join(''))
}

export function expectedOf(program: Program, contents: readonly Content[]): string {
  const lines = contents.flatMap(content => bytesOf(content).toString('utf8').split('\n').slice(0, -1))
  return sorted([...results[program](lines)].map(([key, value]) => `${key}\t${value}\n`).join(''))
}

const sorted = (text: string): string => text.split('\n').filter(Boolean).sort().join('\n')

const results: Record<Program, (lines: readonly string[]) => Map<string | number, string | number>> = {
  wordcount(lines) {
    const counts = new Map<string, number>()
    for (const line of lines) for (const word of line.split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1)
    return counts
  },
  lengths(lines) {
    const groups = new Map<number, { count: number; last: string }>()
    for (const line of lines) {
      const group = groups.get(line.length) ?? { count: 0, last: '' }
      group.count++
      if (line > group.last) group.last = line
      groups.set(line.length, group)
    }
    return new Map([...groups].map(([length, { count, last }]) => [length, `${count} ${last}`]))
  },
}
