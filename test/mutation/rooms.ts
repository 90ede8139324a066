// Rooms of mutation testing, and their mutants.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { mutantsOf, type Mutant } from './mutators.ts'
import { root } from './plant.ts'

export const rooms: Readonly<Record<string, readonly string[]>> = {
  journal: ['namenode/journal'], succession: ['namenode/succession'], writing: ['namenode/writing'],
  blocks: ['namenode/blocks', 'namenode/balance'], service: ['namenode/service'], users: ['namenode/users'], jobs: ['namenode/jobs'],
  namespace: ['namenode/namespace', 'namenode/snapshots', 'namenode/quotas', 'namenode/xattrs', 'namenode/trash'],
  store: ['datanode/store'], file: ['src/file'], record: ['src/record'], shuffle: ['src/shuffle', 'datanode/shuffle'],
}

export const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Source files of a room, of a folder with its subfolders, or one file; relative to the project. */
export const filesOf = (name: string): string[] => (rooms[name] ?? [name]).flatMap(path => {
  if (statSync(join(root, path)).isFile()) return [path]
  const names = readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
  return names.filter(each => each.endsWith('.ts')).sort().map(each => `${path}/${each.replaceAll('\\', '/')}`)
})

export const mutantsIn = (files: readonly string[]): Mutant[] => files.flatMap(file => mutantsOf(file, textOf(file)).mutants)

/** Identifies a mutant independently of line numbers: its file, its line, and the changed line. */
export interface Name { readonly file: string; readonly line: string; readonly becomes: string }

export function nameOf({ file, line, start, end, replacement, original }: Mutant): Name {
  const text = textOf(file)
  const from = text.lastIndexOf('\n', start - 1) + 1
  const to = text.indexOf('\n', end)
  const becomes = original.includes('\n') ? `${original} → ${replacement}` : text.slice(from, start) + replacement + text.slice(end, to)
  return { file, line: text.split('\n')[line - 1]!.trim(), becomes: becomes.trim().replace(/\s+/g, ' ') }
}

export const keyOf = ({ file, line, becomes }: Name): string => JSON.stringify([file, line, becomes])
