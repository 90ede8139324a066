// Bugs that are planted to see whether the simulation finds them: each is a change of one place in the sources, made while the
// file is loaded, never on disk. If the place is no more, planting fails: a canary that does not sing is worth nothing.

import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface Bug {
  readonly about: string
  readonly file: string
  /** Found exactly once in the file. */
  readonly from: string
  readonly to: string
}

const root = join(import.meta.dirname, '../../..')

export const canaries = {
  'early-ack': {
    about: 'a datanode acknowledges a block before it is on its disk',
    file: 'datanode/transfer/receive.ts',
    from: 'incoming?.seal(table)',
    to: '(void incoming?.seal(table).catch(() => {}))',
  },
  'no-directory-sync': {
    about: 'the name of a new block is not synced',
    file: 'datanode/store/incoming.ts',
    from: 'await this.#syncDirectory(this.#storage.directoryOf(id))',
    to: '',
  },
  'no-data-sync': {
    about: 'the bytes of a new block are not synced',
    file: 'datanode/store/incoming.ts',
    from: 'this.#sync(this.#writer)',
    to: 'undefined',
  },
  'lost-result': {
    about: 'the answer to a request is not kept, so that a repeat acts again',
    file: 'namenode/journal/local.ts',
    from: 'requestId && state.keptAnswer(requestId)',
    to: 'undefined as ReturnType<typeof state.keptAnswer> | undefined',
  },
  'last-copy': {
    about: 'where there are too many copies all but none are removed',
    file: 'namenode/blocks/trim.ts',
    from: 'while (sure.length > map.target(id))',
    to: 'while (sure.length > 0)',
  },
  'double-commit': {
    about: 'a second attempt of a task is committed as well',
    file: 'namenode/jobs/report.ts',
    from: 'if (task.won || task.committing) {',
    to: 'if (task.committing) {',
  },
  'past-end': {
    about: 'a reader hands out what lies behind the end of what was asked for',
    file: 'src/file/block.ts',
    from: 'const to = Math.min(length, end - replica.position)',
    to: 'const to = length',
  },
  'stale-location': {
    about: 'the namenode goes on believing that a replica is where it was lost',
    file: 'namenode/blocks/reports.ts',
    from: 'this.#options.map.drop(id, node)',
    to: '',
  },
  'no-check': {
    about: 'a reader over a wire does not look at checksums',
    file: 'src/file/replica.ts',
    from: 'const bad = into.damagedChunk()\n      if (bad >= 0)',
    to: 'const bad = into.damagedChunk()\n      if (bad >= 1e9)',
  },
} as const satisfies Record<string, Bug>

export type Canary = keyof typeof canaries

/** Plants a bug in this process. REQUIRES: nothing that it touches was loaded before. Throws if its place is not there. */
export function plant(name: Canary): void {
  const { file, from, to } = canaries[name] as Bug
  const text = readFileSync(join(root, file), 'utf8')
  if (text.split(from).length !== 2) throw new Error(`the canary "${name}" has lost its place: "${from}" is in ${file} ${text.split(from).length - 1} times, not once`)
  const url = pathToFileURL(join(root, file)).href
  registerHooks({
    load: (asked, context, next) => {
      if (asked !== url) return next(asked, context)
      const loaded = next(asked, context)
      return { ...loaded, source: patched(loaded.source, fileURLToPath(url), from, to) }
    },
  })
}

function patched(source: unknown, file: string, from: string, to: string): string {
  const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8')
  if (text.split(from).length !== 2) throw new Error(`the canary's place in ${file} is not as it was read`)
  return text.replace(from, () => to)
}
