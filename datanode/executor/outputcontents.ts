// Files of an output as the check of a program sees them: the one that its job has computed, or the one that it will replace. Rows are read
// from the cluster's files as they are asked for.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { formatOfName, type InputOptions } from '../../src/base/formats.ts'
import { nameOf } from '../../src/base/paths.ts'
import { list, type FileStatus } from '../../src/protocol/namespace.ts'
import { issuesText } from '../../src/operator/validate.ts'
import type { OutputContents, StandardSchema } from '../../src/program/definition.ts'
import { newReadCounters, type RecordRange } from '../../src/record/records.ts'
import { readRecords } from '../../src/record/reader.ts'
import type { ExecutorSession } from './session.ts'

/** Rows whose fields `schema` looks at. */
const sampledMax = 1000
const typesMax = 1000

interface ContentsDeps {
  readonly session: Pick<ExecutorSession, 'caller' | 'files' | 'setup' | 'loadAvro'>
  /** Called between batches of rows. */
  readonly pause: () => Promise<void> | undefined
  /** Takes errors of reading, as opposed to those of rows. */
  readonly onFailure: (error: unknown) => void
}

interface ContentsOptions {
  /** Path that the program is told. */
  readonly path: string
  /** Directory that is read. */
  readonly directory: string
  /** Format of the files; of others, by their names, if they have another one. */
  readonly format: InputOptions
  /** Number of rows, if it is known. */
  readonly count?: number | undefined
}

export class StoredContents implements OutputContents {
  readonly path: string
  readonly files: number
  readonly bytes: number
  readonly #deps: ContentsDeps
  readonly #entries: readonly FileStatus[]
  readonly #format: InputOptions
  #count: number | undefined

  /** Throws errors of the namenode. */
  static async open(deps: ContentsDeps, options: ContentsOptions): Promise<StoredContents> {
    const { caller, setup } = deps.session
    const entries: FileStatus[] = []
    for (let after: string | undefined; ;) {
      const page = await caller.call(setup.namenode, list, { path: options.directory, ...after !== undefined && { after } })
      entries.push(...page.entries.filter(({ type, path }) => type === 'file' && !/^[_.]/.test(nameOf(path))))
      if (page.next === undefined) return new StoredContents(deps, options, entries)
      after = page.next
    }
  }

  private constructor(deps: ContentsDeps, { path, format, count }: ContentsOptions, entries: readonly FileStatus[]) {
    this.path = path
    this.files = entries.length
    this.bytes = entries.reduce((sum, { length }) => sum + length, 0)
    this.#deps = deps
    this.#entries = entries
    const [named] = entries.map(entry => formatOfName(entry.path))
    this.#format = named === undefined || named === 'bytes' || named === format.format ? format : { format: named }
    this.#count = count
  }

  async count(): Promise<number> {
    if (this.#count !== undefined) return this.#count
    let count = 0
    for await (const values of this.#batches(this.#format)) count += values.length
    return this.#count = count
  }

  async *lines(): AsyncGenerator<string, void, undefined> {
    for await (const values of this.#batches({ format: 'lines' })) yield* values as readonly string[]
  }

  rows(): AsyncGenerator<unknown, void, undefined>
  rows<T>(schema: StandardSchema<T>): AsyncGenerator<T, void, undefined>
  async *rows(schema?: StandardSchema): AsyncGenerator<unknown, void, undefined> {
    const facts = schema?.['~standard']
    for await (const values of this.#batches(this.#format)) {
      if (!facts) {
        yield* values
        continue
      }
      for (const value of values) {
        const result = await facts.validate(value)
        if (result.issues) throw new GristmillError('EINVAL', `a row does not match the schema: ${issuesText(result.issues)}`)
        yield result.value
      }
    }
  }

  async schema(): Promise<Readonly<Record<string, string>>> {
    const types = new Map<string, Set<string>>()
    let sampled = 0
    for await (const row of this.rows()) {
      if (typeof row !== 'object' || row === null) continue
      for (const [field, value] of Object.entries(row)) {
        const known = types.get(field)
        if (known) known.add(typeOf(value))
        else if (types.size < typesMax) types.set(field, new Set([typeOf(value)]))
      }
      if (++sampled >= sampledMax) break
    }
    return Object.fromEntries([...types].map(([field, found]) => [field, [...found].sort().join(' or ')]))
  }

  async *#batches(input: InputOptions): AsyncGenerator<readonly unknown[], void, undefined> {
    const { loadAvro } = this.#deps.session
    try {
      for await (const { values } of readRecords(this.#ranges(), { input, counters: newReadCounters(), loadAvro })) {
        yield values
        await this.#deps.pause()
      }
    } catch (error) {
      // A row that does not parse is a fault of the output.
      if (!hasCode(error, 'EINVAL')) this.#deps.onFailure(error)
      throw error
    }
  }

  *#ranges(): Generator<RecordRange> {
    const { files } = this.#deps.session
    for (const { path, id, length, delimiter } of this.#entries)
      yield {
        path, start: 0, end: length, aligned: true, delimiter,
        open: async function* (start) {
          const located = await files.locate(path, { offset: start })
          if (located.status.id !== id) throw new GristmillError('ESTALE', `${path} was replaced while the check read it`)
          yield* files.read(located, { start, reuse: true })
        },
      }
  }
}

const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)
