// Options that several commands on files share: replication, block size, format, delimiter, overwrite, preserve, recursive.

import { recordFormats } from '../../../src/base/formats.ts'
import { limits } from '../../../src/base/limits.ts'
import { parseBytes } from '../../../src/base/units.ts'
import { delimiterCode } from '../../../src/record/records.ts'
import { oneOf, option, whole } from '../spec.ts'

/** A delimiter as `delimiterCode` accepts it; `tab` and `\t` stand for a tab. */
export function parseDelimiter(text: string): string {
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : text
  delimiterCode(delimiter)
  return delimiter
}

export const replication = option('--replication <n>', "replicas of each block (default: the cluster's)", {
  parse: whole(1, limits.replicationMax),
})
export const blockSize = option('--block-size <size>', 'largest block, for instance 64MiB (default: the cluster\'s)', { parse: parseBytes })
const cutAtRecords = recordFormats.filter(name => name !== 'bytes')
export const format = option('--format <format>', `${cutAtRecords.join(', ')}: end blocks at records; bytes: do not (default: by extension)`, {
  parse: oneOf(...cutAtRecords, 'bytes'),
})
export const delimiter = option(
  '--delimiter <character>',
  'csv: field separator, tab or \\t for a tab (default: detected from the first rows; for stdin: a comma)',
  { parse: parseDelimiter },
)
export const header = option('--header <yes|no>', 'csv: does the first row name the columns? (default: SQL finds out by the values)', {
  parse: text => oneOf('yes', 'no')(text) === 'yes',
})
export const overwrite = option('-f, --overwrite', 'replace existing files')
export const preserve = option('-p, --preserve', 'keep modes and modification times, also of directories; cp: attributes and access control lists, too')
export const recursive = option('-r, --recursive', 'include directories with their contents')
export const recurse = option('-R, --recursive', 'apply to directories recursively')
export const human = option('-h, --human', 'human-readable sizes: 1.5K, 12M')
