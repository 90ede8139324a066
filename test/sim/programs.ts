// Job programs of the campaign, and their expected outputs, computed here from the same bytes without a cluster.

import { join } from 'node:path'
import type { Mill } from 'gristmill'
import { bytesOf } from './content.ts'
import type { Content } from './plan.ts'

export type Program = 'wordcount' | 'lengths' | 'ranked' | 'paired' | 'looped' | 'matched' | 'cached'

export const programOf = (program: Program): string => join(import.meta.dirname, 'programs', `${program}.ts`)

/** Lines of all parts, sorted: the distribution of keys over parts is not compared. */
export async function outputOf(mill: Mill, path: string): Promise<string> {
  const names = await mill.readdir(path)
  if (!names.includes('_SUCCESS')) return `no _SUCCESS among ${names.join(', ')}`
  const parts = await Promise.all(names.filter(name => name.startsWith('part-')).map(name => mill.readFile(`${path}/${name}`, 'utf8')))
  return sorted(parts.join(''))
}

export function expectedOf(program: Program, contents: readonly Content[]): string {
  return expectedFrom(program, contents.flatMap(content => bytesOf(content).toString('utf8').split('\n').slice(0, -1)))
}

export const expectedFrom = (program: Program, lines: readonly string[]): string => sorted(results[program](lines).join('\n'))

/** True if the parts, one after the other, are in the order that the program gives them. */
export async function isInOrder(mill: Mill, path: string, program: Program): Promise<boolean> {
  if (program !== 'ranked' && program !== 'cached') return true
  const names = (await mill.readdir(path)).filter(name => name.startsWith('part-')).sort()
  const parts = await Promise.all(names.map(name => mill.readFile(`${path}/${name}`, 'utf8')))
  const rows = parts.join('').split('\n').filter(Boolean).map(row => row.split(' '))
  return rows.every(([count, word], i) => {
    const [countBefore, wordBefore] = rows[i - 1] ?? [Infinity, '']
    return Number(count) < Number(countBefore) || (count === countBefore && word! > wordBefore!)
  })
}

const sorted = (text: string): string => text.split('\n').filter(Boolean).sort().join('\n')

const results: Record<Program, (lines: readonly string[]) => string[]> = {
  wordcount: lines => [...countsOf(lines)].map(([word, count]) => `${word}\t${count}`),
  lengths(lines) {
    const groups = new Map<number, { count: number; last: string }>()
    for (const line of lines) {
      const group = groups.get(line.length) ?? { count: 0, last: '' }
      group.count++
      if (line > group.last) group.last = line
      groups.set(line.length, group)
    }
    return [...groups].map(([length, { count, last }]) => `${length}\t${count} ${last}`)
  },
  ranked: ranks, cached: ranks,
  looped(lines) {
    const counts = countsOf(lines)
    const many = (bound: number) => [...counts].filter(([, count]) => count >= bound)
    let least = 1
    for (let left = counts.size; left > 4 && least < 40; least *= 2) left = many(least * 2).length
    return many(least).map(([word, count]) => `${word}\t${count}`)
  },
  paired: withLengths, matched: withLengths,
}

function ranks(lines: readonly string[]): string[] {
  return [...countsOf(lines)].map(([word, count]) => `${count} ${word}`)
}

function withLengths(lines: readonly string[]): string[] {
  return [...countsOf(lines)].map(([word, count]) => `${word}\t${word.length > 1 ? count * word.length : count}`)
}

export function countsOf(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const line of lines) for (const word of line.split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}
