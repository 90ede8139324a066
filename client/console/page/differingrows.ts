// Rows in which two versions of an output differ, as lines: those that the server has sent, and how many more there are. Pure.

import type { OutputDifference } from '../../jobs/rowdiff.ts'
import { plural } from './format.ts'

type Differing = Pick<OutputDifference, 'added' | 'removed' | 'addedRows' | 'removedRows'>

export function differingLines({ added, removed, addedRows, removedRows }: Differing): readonly string[] {
  const part = (sign: string, rows: readonly string[], count: number): string[] => [
    ...rows.map(row => `${sign} ${row}`),
    ...count > rows.length ? [`${sign} … ${plural(count - rows.length, 'more row')}`] : [],
  ]
  return [...part('-', removedRows, removed), ...part('+', addedRows, added)]
}
