// Rows of a query some at a time: the first answer has the first page and the token of the next one, which a later request of the same user
// gives. The query waits in between, and holds the rows of no page but the last one that was given, which can be asked for once more: an
// answer may be lost on its way.
// INVARIANT: a query that has rows left holds a place of the gateway's open queries, and for `keepMs` after its last answer at most.

import { GristmillError } from '../../../src/base/errors.ts'
import type { SqlValue } from '../../../src/base/sql.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { RunningQuery } from '../../sql/running.ts'
import type { LineFormat } from './formats.ts'

/** Rows of one page that a request may ask for. */
export const pageRowsMax = 100_000
/** A page of more bytes ends early: it is held in memory. */
const pageBytesMax = 4 * 1024 * 1024
const keepMsDefault = 60_000

export interface Page {
  /** Media type. */
  readonly type: string
  readonly text: string
  /** Token of the next page; undefined: this is the last one. */
  readonly next: string | undefined
}

interface PagesDeps { readonly clock: Pick<Clock, 'after'>; readonly random: Pick<Random, 'id'> }
interface PagesOptions {
  /** Queries whose pages can be asked for, those that have ended among them. */
  readonly queriesMax: number
  readonly keepMs?: number | undefined
}

interface Asked {
  readonly user: string
  readonly rows: number
  readonly format: LineFormat
  /** Starts the query, which ends when the signal is aborted. `close` gives its place back, and may be called twice. */
  readonly open: (signal: AbortSignal) => Promise<{ readonly running: RunningQuery; readonly close: () => Promise<void> }>
}

export class Pages {
  readonly #deps: PagesDeps
  readonly #options: PagesOptions
  readonly #queries = new Map<string, PagedQuery>()

  constructor(deps: PagesDeps, options: PagesOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** Starts a query, and makes its first page. `signal`: the client is gone, which cannot ask for the next one. Throws OVERLOADED. */
  async begin(asked: Asked, signal: AbortSignal): Promise<Page> {
    this.#checkRoom()
    const id = this.#deps.random.id()
    const query = new PagedQuery(asked, id)
    const gone = (): void => { void query.end() }
    signal.addEventListener('abort', gone, { once: true })
    this.#queries.set(id, query)
    let isKept = false
    try {
      const page = await query.page(1)
      signal.throwIfAborted()
      isKept = page.next !== undefined
      if (isKept) this.#keep(id, query)
      return page
    } finally {
      signal.removeEventListener('abort', gone)
      if (!isKept) await this.#drop(id)
    }
  }

  /**
   * `signal`: the client is gone; it may ask for the page again while it is kept. Throws ENOENT for a token that is not known any more, or
   * is one of another user.
   */
  async next(user: string, token: string, signal: AbortSignal): Promise<Page> {
    const [id, query, number] = this.#find(user, token)
    query.cancel()
    const gone = (): void => { this.#keep(id, query) }
    signal.addEventListener('abort', gone, { once: true })
    try {
      const page = await query.page(number)
      this.#keep(id, query)
      return page
    } catch (error) {
      await this.#drop(id)
      throw error
    } finally {
      signal.removeEventListener('abort', gone)
    }
  }

  /** Ends the query of the token. Throws ENOENT. */
  async end(user: string, token: string): Promise<void> { await this.#drop(this.#find(user, token)[0]) }

  async stop(): Promise<void> { for (const id of [...this.#queries.keys()]) await this.#drop(id) }

  #find(user: string, token: string): [id: string, query: PagedQuery, page: number] {
    const [, id = '', number] = /^([\w-]{1,64})\.(\d{1,9})$/.exec(token) ?? []
    const query = this.#queries.get(id)
    if (query?.user === user && query.has(Number(number))) return [id, query, Number(number)]
    throw new GristmillError(
      'ENOENT', 'this page is not here, or not any more: it was asked for later than a page is kept, it comes before the last one that was '
      + 'given, or its query runs at another gateway; send the query again',
    )
  }

  /** A query that has ended makes room for another one. */
  #checkRoom(): void {
    if (this.#queries.size < this.#options.queriesMax) return
    const [ended] = [...this.#queries].find(([, query]) => query.hasEnded) ?? []
    if (ended !== undefined) return void this.#drop(ended)
    throw new GristmillError(
      'OVERLOADED', `this gateway keeps the pages of ${this.#options.queriesMax} queries; try again in a moment, or ask another gateway`,
    )
  }

  #keep(id: string, query: PagedQuery): void {
    const { keepMs = keepMsDefault } = this.#options
    query.cancel()
    query.cancel = this.#deps.clock.after(keepMs, () => { void this.#drop(id) })
  }

  async #drop(id: string): Promise<void> {
    const query = this.#queries.get(id)
    this.#queries.delete(id)
    query?.cancel()
    await query?.end()
  }
}

class PagedQuery {
  readonly user: string
  /** Cancels the end of its time. */
  cancel: () => void = () => {}
  readonly #asked: Asked
  readonly #id: string
  readonly #ending = new AbortController()
  #opened: Awaited<ReturnType<Asked['open']>> | undefined
  #rows: AsyncGenerator<readonly SqlValue[], void, void> | undefined
  /** Read and not yet in a page. */
  #ahead: readonly SqlValue[] | undefined
  /** The last page that was asked for. */
  #last: { readonly number: number; readonly page: Promise<Page> } | undefined
  #closing: Promise<void> | undefined

  constructor(asked: Asked, id: string) {
    this.user = asked.user
    this.#asked = asked
    this.#id = id
  }

  /** Its rows have all been read. */
  get hasEnded(): boolean { return this.#closing !== undefined }

  /** The page that was given last, and the one behind it. */
  has(number: number): boolean { return this.#last !== undefined && (number === this.#last.number || number === this.#last.number + 1) }

  /** REQUIRES: `has(number)`, or it is the first one. */
  async page(number: number): Promise<Page> {
    if (this.#last?.number === number) return this.#last.page
    const before = this.#last?.page
    const made = (async () => {
      await before
      return this.#make(number)
    })()
    made.catch(() => {})
    this.#last = { number, page: made }
    return made
  }

  async #make(number: number): Promise<Page> {
    const { format, rows: most, open } = this.#asked
    this.#opened ??= await open(this.#ending.signal)
    // It has been ended meanwhile.
    if (this.#closing) await this.#opened.close()
    this.#ending.signal.throwIfAborted()
    const { columns } = this.#opened.running
    this.#rows ??= rowsOf(this.#opened.running)
    if (number === 1) this.#ahead = await this.#next()
    const write = format.writer(columns)
    const lines: string[] = [write.head]
    for (let [count, bytes] = [0, 0]; this.#ahead && count < most && bytes < pageBytesMax; count++) {
      const line = write.row(this.#ahead)
      bytes += Buffer.byteLength(line)
      lines.push(line)
      this.#ahead = await this.#next()
    }
    const isLast = this.#ahead === undefined
    if (isLast) await this.#close()
    return { type: format.type, text: lines.join(''), next: isLast ? undefined : `${this.#id}.${number + 1}` }
  }

  async #next(): Promise<readonly SqlValue[] | undefined> {
    const { value } = await this.#rows!.next()
    return value ?? undefined
  }

  /** Ends its query, and what is being made of it. */
  end(): Promise<void> {
    if (!this.#closing) this.#ending.abort(new GristmillError('ABORTED', 'the pages of the query were given up'))
    return this.#close()
  }

  #close(): Promise<void> {
    return this.#closing ??= (async () => {
      await this.#rows?.return().catch(() => {})
      await this.#opened?.close()
    })()
  }
}

async function* rowsOf(running: RunningQuery): AsyncGenerator<readonly SqlValue[], void, void> {
  for await (const batch of running.batches()) yield* batch
}
