// Runs one attempt of a job of SQL: puts the files of its inputs where an SQL engine of its own can read them, each byte checked, runs the
// query of its stage, and stores the rows as a part of the job's output. A thread for each slot and a bounded part of the task's memory;
// what does not fit goes to the scratch directory of this process, up to a bound.

import { crc32c } from '@node-rs/crc32'
import { assert } from '../../src/base/assert.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { join } from '../../src/base/paths.ts'
import { formats } from '../../src/base/formats.ts'
import { literalsOf, quotedName, type SqlValue } from '../../src/base/sql.ts'
import { GiB, KiB, MiB } from '../../src/base/units.ts'
import { copyText } from '../../src/operator/copytext.ts'
import { isDividedKind, isLineKind, writeLines, writeLinesOf, type LineKind } from '../../src/operator/linefile.ts'
import { lookAt } from '../../src/operator/look.ts'
import { withLine, type ReadPart } from '../../src/operator/misfit.ts'
import { placeRowGroups, readFooters, type FileFooter } from '../../src/operator/rowgroups.ts'
import { tableSelect, type TablePart, type TableShape } from '../../src/operator/sqltable.ts'
import { writeUnmarked } from '../../src/operator/unmarked.ts'
import { SinkFailed } from '../../src/operator/operator.ts'
import type { SqlInput, SqlStage, SqlWork } from '../../src/operator/sqlwork.ts'
import type { Database, DatabaseFunction, OpenDatabase } from '../../src/ports/database.ts'
import { LineEncoder } from '../../src/shuffle/lines.ts'
import { partitionOf } from '../../src/sql/partition.ts'
import type { Counters } from '../../src/protocol/fields.ts'
import type { SplitRange, TaskWork } from '../../src/protocol/task.ts'
import { readExchange, writeExchange } from './exchange.ts'
import { SplitSource } from './input.ts'
import type { AttemptOutcome } from './messages.ts'
import type { ExecutorSession } from './session.ts'

interface QueryAttemptOptions {
  readonly session: ExecutorSession
  readonly work: TaskWork
  readonly openDatabase: OpenDatabase
  readonly functions: readonly DatabaseFunction[]
  readonly onProgress: (counters: Counters, fraction: number) => void
}

/** Share of a task's memory for the operators of the engine; the rest is for its buffers of files, and for this process. */
const engineShare = 0.7
const spillBytesMax = 64 * GiB
/** The columns of a smaller file are not told apart: all of its bytes are read in less time. */
const chosenBytesMin = 1 * MiB
const pieceBytes = 256 * KiB
const progressMs = 500
/** Longest time for which checking of bytes holds up timers and messages. */
const turnMs = 25

const extensions = { parquet: '.parquet', csv: '.csv', text: '.txt' } as const

export class QueryAttempt {
  readonly stacks = undefined
  readonly #options: QueryAttemptOptions
  readonly #directory: string
  readonly #stage: SqlStage
  readonly #tables: SqlWork['tables']
  /** Names of files as the user knows them, by their local paths. */
  readonly #names = new Map<string, string>()
  /** Local files with rows of earlier stages. */
  readonly #read: string[] = []
  /** Parts of files that the views read. */
  readonly #parts: ReadPart[] = []
  readonly #shuffled = { local: 0, remote: 0 }
  #source: SplitSource | undefined
  #bytesIn = 0
  #bytesPlaced = 0
  #output: Record<string, number> = {}
  #fraction = 0
  #progressAt = 0
  #turnAt = 0

  constructor(options: QueryAttemptOptions) {
    const { session, work } = options
    const { tables, stages } = work.params['query'] as SqlWork
    const stage = stages[work.stage]
    assert(stage, 'the query has the stage that the task belongs to')
    this.#options = options
    this.#stage = stage
    this.#tables = tables
    this.#directory = `${session.setup.scratch}/${work.attempt}.sql`
  }

  get counters(): Record<string, number> {
    const { local = 0, rack = 0, remote = 0, inlined = 0, outside = 0 } = this.#source?.read ?? {}
    const shuffled = this.#shuffled.local + this.#shuffled.remote
    return {
      bytesIn: this.#bytesIn + shuffled, inputBytes: this.#bytesIn, bytesReadLocal: local, bytesReadRack: rack, bytesReadRemote: remote,
      ...inlined > 0 && { bytesReadInlined: inlined }, ...outside > 0 && { bytesReadOutside: outside },
      ...shuffled > 0 && { shuffleBytes: shuffled, shuffleBytesLocal: this.#shuffled.local, shuffleBytesRemote: this.#shuffled.remote },
      ...this.#output,
    }
  }

  /** Throws an error for `toFailure`. Nothing of the attempt is left on this machine but a map output. */
  async run(): Promise<AttemptOutcome> {
    const { session: { disk, setup }, openDatabase, functions } = this.#options
    const spill = `${this.#directory}/spill`
    await disk.mkdir(spill)
    let db: Database | undefined
    try {
      db = await openDatabase({
        memoryBytes: setup.memoryBytes * engineShare, threads: functions.length > 0 ? 1 : this.#stage.threads ?? 1,
        spill: { directory: spill, bytesMax: spillBytesMax },
      })
      await db.define(functions)
      const { files, rows } = await this.#query(db, await this.#views(db))
      this.#output = { recordsOut: rows }
      return await (this.#stage.output.kind === 'exchange' ? this.#exchange(files) : this.#store(files[0]))
    } finally {
      db?.close()
      await this.#source?.close()
      await disk.removeTree(this.#directory)
    }
  }

  /** Runs the query of the stage; its rows are in a file for each partition. */
  async #query(db: Database, views: ReadonlyArray<readonly [string, string]>): Promise<{ files: Array<string | undefined>; rows: number }> {
    const { sql, output: to } = this.#stage
    const { output, task } = this.#options.work
    const partitions = output.kind === 'shuffle' ? output.partitions : 1
    const format = to.kind === 'rows' ? to.format : 'parquet'
    const written = Array.from({ length: partitions }, (_, i) => `${this.#directory}/rows${i}${extensions[formatOf(to)]}`)
    const isExact = to.kind === 'exchange' || (to.kind === 'rows' && to.isResult === true)
    const copied = async (select: string, file: string): Promise<number> => {
      let rows = 0
      for await (const [row] of (await db.query(await copyText(db, select, { file, format, isExact }))).batches())
        rows = Number(row![0])
      return rows
    }
    try {
      await db.confine([...this.#names.keys(), ...this.#read, ...written])
      for (const [name, select] of views) await db.run(`CREATE VIEW ${quotedName(name)} AS ${select}`)
      if (to.kind === 'values') {
        const rows = await this.#values(db, to.names, written[0]!)
        return { files: [rows > 0 ? written[0] : undefined], rows }
      }
      const hash = to.kind === 'exchange' ? to.hash : undefined
      if (hash === undefined) {
        const own = task % partitions
        const rows = await copied(sql, written[own]!)
        return { files: written.map((file, i) => (i === own && (rows > 0 || to.kind === 'rows') ? file : undefined)), rows }
      }
      await db.run(`CREATE TEMP TABLE rows_by_partition AS ${sql}`)
      const files: Array<string | undefined> = []
      let rows = 0
      for (const [i, file] of written.entries()) {
        const select = `SELECT * EXCLUDE (${quotedName(hash)}) FROM rows_by_partition WHERE ${partitionOf(hash, partitions)} = ${i}`
        const count = await copied(select, file)
        files.push(count > 0 ? file : undefined)
        rows += count
      }
      return { files, rows }
    } catch (error) {
      throw await this.#explained(error)
    }
  }

  /** Writes the rows as lines of values. Returns their number. */
  async #values(db: Database, names: readonly string[], file: string): Promise<number> {
    const { disk } = this.#options.session
    const encoder = new LineEncoder()
    const writer = await disk.create(file, { mode: 0o600 })
    let rows = 0
    try {
      for await (const batch of (await db.query(this.#stage.sql)).batches()) {
        const lines = batch.map(row => encoder.encode(rowOf(names, row)))
        writer.writeSync(Buffer.from(`${lines.join('\n')}\n`, 'latin1'))
        rows += batch.length
        await this.#pause()
      }
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : error
    } finally {
      await writer.close()
    }
    return rows
  }

  async #exchange(files: ReadonlyArray<string | undefined>): Promise<AttemptOutcome> {
    const { session, work } = this.#options
    const output = await writeExchange(session, work, files, () => this.#pause())
    this.#output = { ...this.#output, bytesOut: output.bytes }
    return { kind: 'done', counters: this.counters, output }
  }

  /** Views by name, over the files of the task and the rows of earlier stages. */
  async #views(db: Database): Promise<Array<readonly [string, string]>> {
    const { session, work } = this.#options
    const { input } = work
    const source = this.#source = input.kind === 'split' ? new SplitSource(session, input) : undefined
    await source?.check()
    const tables = this.#tableRanges()
    const footers = source ? await this.#footers(db, source, tables) : new Map<number, FileFooter>()
    const views: Array<readonly [string, string]> = []
    for (const each of this.#stage.inputs) {
      if (each.kind === 'stage') {
        views.push([each.view, await this.#rowsOf(each)])
        continue
      }
      assert(source && input.kind === 'split', 'a stage that reads tables has splits')
      const parts: TablePart[] = []
      const shape = this.#tables[each.table]!
      for (const [index, range] of tables.get(each)!) {
        const placed = await this.#part(source, range, { shape, index, footer: footers.get(index), total: input.split.bytes })
        const part: TablePart = { path: range.path, isFirst: range.start === 0, ...placed }
        parts.push({ ...part, ...await this.#looked(db, shape, part) })
        this.#parts.push({ shape, part })
      }
      views.push([each.view, tableSelect(shape, parts)])
    }
    return views
  }

  /** Ranges of the split by the inputs that read them, with their numbers in it. */
  #tableRanges(): Map<SqlInput, Array<readonly [number, SplitRange]>> {
    const { input } = this.#options.work
    const ranges = input.kind === 'split' ? [...input.split.ranges.entries()] : []
    const found = new Map<SqlInput, Array<readonly [number, SplitRange]>>()
    let at = 0
    for (const each of this.#stage.inputs) {
      if (each.kind !== 'table') continue
      const end = each.ranges === undefined ? ranges.length : at + each.ranges
      found.set(each, ranges.slice(at, end))
      at = end
    }
    return found
  }

  /** Footers of Parquet files of which not all bytes are read, by the numbers of their ranges. */
  async #footers(
    db: Database, source: SplitSource, tables: ReadonlyMap<SqlInput, ReadonlyArray<readonly [number, SplitRange]>>,
  ): Promise<Map<number, FileFooter>> {
    const wanted = [...tables].flatMap(([each, ranges]) => {
      if (each.kind !== 'table' || this.#tables[each.table]!.format.kind !== 'parquet') return []
      // A file that is small, or read with all columns, has nothing to be left out.
      return ranges.filter(([, range]) => !isWhole(range) || (each.columns !== undefined && range.fileBytes >= chosenBytesMin))
        .map(([index, range]) => ({ index, range, columns: each.columns, footer: `${this.#directory}/${index}.footer` }))
    })
    try {
      const found = await readFooters({ db, source, disk: this.#options.session.disk }, wanted)
      return new Map(wanted.map(({ index }, i) => [index, found[i]!]))
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : error
    }
  }

  async #rowsOf({ stage, how, columns, none }: Extract<SqlInput, { kind: 'stage' }>): Promise<string> {
    const { session, work } = this.#options
    const { input, task } = work
    const partition = how === 'all' ? 0 : input.kind === 'join' ? input.partition : input.kind === 'shuffle' ? input.partition ?? task : 0
    const { files, bytesLocal, bytesRemote } = await readExchange({
      session, work, stage, partition, directory: this.#directory, pause: () => this.#pause(),
    })
    this.#shuffled.local += bytesLocal
    this.#shuffled.remote += bytesRemote
    this.#read.push(...files)
    return files.length === 0 ? none : `SELECT ${columns} FROM read_parquet(${literalsOf(files)}, hive_partitioning = false)`
  }

  async #looked(db: Database, shape: TableShape, part: TablePart): Promise<Pick<TablePart, 'lineEnd' | 'types'>> {
    try {
      return await lookAt(part, { db, shape, disk: this.#options.session.disk, pause: () => this.#pause() })
    } catch (error) {
      throw await this.#explained(error)
    }
  }

  async #part(
    source: SplitSource, range: SplitRange,
    { shape, index, footer, total }: {
      readonly shape: TableShape; readonly index: number; readonly footer: FileFooter | undefined; readonly total: number
    },
  ): Promise<Pick<TablePart, 'local' | 'rows'>> {
    const { kind } = shape.format
    if (isLineKind(kind) && isDividedKind(kind) && !isWhole(range)) {
      const target = await this.#partLines(kind, source, range, { shape, index })
      this.#placed(target, range, total)
      return { local: target }
    }
    if (isLineKind(kind)) {
      const placed = await this.#place(source, range, index, total)
      return { local: await this.#lines({ kind, path: range.path, local: placed }, shape, index) }
    }
    if (!footer) {
      const placed = await this.#place(source, range, index, total)
      return { local: kind === 'json' && range.start === 0 ? await this.#unmarked(range.path, placed, index) : placed }
    }
    const copy = `${this.#directory}/${index}.file`
    try {
      const { disk } = this.#options.session
      const placed = await placeRowGroups({ source, range, footer, copy, disk, pause: () => this.#pause() })
      if (!placed) return { local: await this.#place(source, range, index, total) }
      const { local, rows, bytes } = placed
      this.#placed(local, range, total, bytes)
      return isWhole(range) ? { local } : { local, rows }
    } catch (error) {
      if (!isDiskFull(error)) throw error
      throw diskFull(error)
    }
  }

  /** The beginning of a file of JSON without its byte order mark. */
  async #unmarked(path: string, local: string, index: number): Promise<string> {
    const target = `${this.#directory}/${index}.unmarked`
    const { disk } = this.#options.session
    try {
      const isCopied = await writeUnmarked({ path, local }, { disk, target: async () => target, pause: () => this.#pause() })
      if (!isCopied) return local
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : await this.#explained(error)
    }
    this.#names.set(target, path)
    return target
  }

  /** An Arrow or Avro file as JSON lines. */
  async #lines(
    { kind, path, local }: { readonly kind: LineKind; readonly path: string; readonly local: string }, shape: TableShape, index: number,
  ): Promise<string> {
    const { disk, loadAvro } = this.#options.session
    const target = `${this.#directory}/${index}.jsonl`
    try {
      await writeLines({ kind, disk, path, local, loadAvro }, { target, columns: shape.columns, pause: () => this.#pause() })
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : await this.#explained(error)
    }
    this.#names.set(target, path)
    return target
  }

  /** The rows that begin in a part of a file as JSON lines. Bytes before and behind the part are read as they are needed. */
  async #partLines(
    kind: LineKind, source: SplitSource, range: SplitRange, { shape, index }: { readonly shape: TableShape; readonly index: number },
  ): Promise<string> {
    const { disk, loadAvro } = this.#options.session
    const { path, start, end, fileBytes } = range
    const target = `${this.#directory}/${index}.jsonl`
    const read = async (from: number, to: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(to - from)
      let at = 0
      for await (const piece of source.partOf(range, from, to)) at += piece.copy(bytes, at)
      if (at < bytes.length) throw new GristmillError('CORRUPT', `${path} ended at byte ${from + at}, before byte ${to}`)
      return bytes
    }
    const part = { path, bytes: fileBytes, part: { start, end }, read }
    try {
      await writeLinesOf(part, { kind, disk, loadAvro }, { target, columns: shape.columns, pause: () => this.#pause() })
    } catch (error) {
      throw isDiskFull(error) ? diskFull(error) : await this.#explained(error)
    }
    return target
  }

  /** `bytes`: of the range, which are read. */
  #placed(local: string, range: SplitRange, total: number, bytes = range.end - range.start): void {
    this.#bytesIn += bytes
    this.#bytesPlaced += range.end - range.start
    this.#fraction = total === 0 ? 0 : this.#bytesPlaced / total / 2
    this.#names.set(local, range.start === 0 ? range.path : `${range.path} (from byte ${range.start})`)
  }

  /** Local path of a part of a file, in whole lines: the replica of a block itself, if it is on this machine, else a copy. */
  async #place(
    source: SplitSource, range: SplitRange, index: number, total: number,
  ): Promise<string> {
    const { disk } = this.#options.session
    let local = await source.localBlock(range, () => this.#pause())
    if (local === undefined) {
      local = `${this.#directory}/${index}.file`
      const writer = await disk.create(local, { mode: 0o600 })
      try {
        for await (const piece of range.aligned ? source.bytesOf(range) : source.linesOf(range)) {
          writer.writeSync(piece)
          await this.#pause()
        }
      } catch (error) {
        if (!isDiskFull(error)) throw error
        throw diskFull(error)
      } finally {
        await writer.close()
      }
    }
    this.#placed(local, range, total)
    return local
  }

  async #store(written: string | undefined): Promise<AttemptOutcome> {
    const { session: { disk, files }, work: { output, staging, attempt, task } } = this.#options
    assert(output.kind === 'files', 'a query ends in files')
    const { replication, blockBytes } = output
    if (written === undefined) return { kind: 'done', counters: this.counters, output: { kind: 'files', files: [] } }
    const format = formatOf(this.#stage.output)
    const name = `part-${String(task).padStart(5, '0')}${extensions[format]}`
    const writer = await files.create(join(join(staging, attempt), name), {
      parents: true, eager: true, replication, blockBytes,
      format: format === 'parquet' ? 'bytes' : format === 'text' ? formats.text.output.as : format,
      ...format === 'csv' && { delimiter: ',', header: true },
    })
    let crc = 0
    let bytes = 0
    try {
      const file = await disk.openRead(written)
      try {
        while (bytes < file.bytes) {
          const piece = Buffer.alloc(Math.min(pieceBytes, file.bytes - bytes))
          await file.read(piece, bytes)
          crc = crc32c(piece, crc)
          await writer.write(piece)
          bytes += piece.length
        }
      } finally {
        await file.close()
      }
      const status = await writer.close()
      this.#output = { ...this.#output, outputRecords: this.#output['recordsOut']!, bytesOut: bytes, outputBytes: bytes }
      const stored = { name, inode: status.id, length: status.length, crc }
      return { kind: 'done', counters: this.counters, output: { kind: 'files', files: [stored] } }
    } catch (error) {
      await writer.abort()
      throw error
    }
  }

  /** A query that fails on one node fails on all, but for what this machine's disk has done. */
  async #explained(error: unknown): Promise<unknown> {
    if (!(error instanceof GristmillError) || !['EINVAL', 'TOO_LARGE'].includes(error.code)) return error
    let message = await withLine(error.message, this.#parts, { disk: this.#options.session.disk, pause: () => this.#pause() })
    for (const [local, path] of this.#names) message = message.replaceAll(local, path)
    if (message.startsWith('IO Error')) return new SinkFailed(message)
    return new GristmillError('PROGRAM_INVALID', message.slice(0, messageCharsMax), { cause: error })
  }

  #pause(): Promise<void> | undefined {
    const { session: { clock }, onProgress } = this.#options
    const now = clock.mono()
    if (now < this.#turnAt) return undefined
    this.#turnAt = now + turnMs
    if (now >= this.#progressAt) {
      this.#progressAt = now + progressMs
      onProgress(this.counters, this.#fraction)
    }
    return clock.yield()
  }
}

const isWhole = ({ start, end, fileBytes }: SplitRange): boolean => start === 0 && end === fileBytes

const formatOf = (output: SqlStage['output']): keyof typeof extensions =>
  (output.kind === 'rows' ? output.format : output.kind === 'values' ? 'text' : 'parquet')

function rowOf(names: readonly string[], values: readonly SqlValue[]): Record<string, SqlValue> {
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]))
}

const diskFull = (error: unknown): SinkFailed =>
  new SinkFailed(`files of the query do not fit on this machine's disk: ${(error as Error).message}`)

const messageCharsMax = 10_000

const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')
