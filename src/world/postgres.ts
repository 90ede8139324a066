// The real PostgresConnection: the packages pg and pg-copy-streams, loaded when the first connection is opened. They are not dependencies
// of the package: few users need them.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { abortError } from '../base/abort.ts'
import { GristmillError, type ErrorCode } from '../base/errors.ts'
import type { CopyTarget, OpenPostgres, PostgresConnection } from '../ports/postgres.ts'
import { CopyOut } from './copyout.ts'
import { installing } from './installing.ts'

/** The part of `pg` that is used here. */
interface Client {
  connect(): Promise<void>
  query(config: { text: string; values?: readonly unknown[]; rowMode: 'array' }): Promise<{ rows: (string | null)[][] }>
  query<S>(stream: S): S
  end(): Promise<void>
  on(name: 'error', listener: (error: Error) => void): void
  readonly connection: { readonly stream: { destroy(): void } }
}

interface Packages {
  readonly Client: new (options: object) => Client
  readonly from: (sql: string) => NodeJS.WritableStream & { readonly rowCount?: number }
}

/** A server that does not answer within this time is away. */
const connectMs = 10_000

async function load(): Promise<Packages> {
  const names = ['pg', 'pg-copy-streams']
  try {
    const [pg, streams] = await Promise.all(names.map(async name => await import(name) as Record<string, unknown>))
    const client = (pg!['default'] ?? pg) as { Client: Packages['Client'] }
    const copies = (streams!['default'] ?? streams) as Pick<Packages, 'from'>
    return { Client: client.Client, from: copies.from }
  } catch (error) {
    throw new GristmillError(
      'CONFIG_INVALID', `PostgreSQL needs the packages pg and pg-copy-streams beside gristmill; add them: ${installing(names.join(' '))}`,
      { cause: error },
    )
  }
}

/** Every value stays the text that the server has written. */
const types = { getTypeParser: () => (text: string): string => text }

export const openPostgres: OpenPostgres = async (address, signal) => {
  const packages = await load()
  if (signal?.aborted) throw abortError(signal)
  const { host, port, user, password, database } = address
  const client = new packages.Client({
    ...host !== undefined && { host }, ...port !== undefined && { port }, ...user !== undefined && { user },
    ...password !== undefined && { password }, ...database !== undefined && { database },
    types, application_name: 'gristmill', connectionTimeoutMillis: connectMs, keepAlive: true,
  })
  // Reported by the statement that runs.
  client.on('error', () => {})
  const connection = new RealConnection(packages, client, signal)
  try {
    await client.connect()
  } catch (error) {
    await connection.close()
    throw signal?.aborted ? abortError(signal) : postgresError(error)
  }
  return connection
}

class RealConnection implements PostgresConnection {
  readonly #packages: Packages
  readonly #client: Client
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => { this.#client.connection.stream.destroy() }

  constructor(packages: Packages, client: Client, signal: AbortSignal | undefined) {
    this.#packages = packages
    this.#client = client
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  query(sql: string, params: readonly (string | null)[] = []): Promise<(string | null)[][]> {
    return this.#run(async () => {
      const { rows } = await this.#client.query({ text: sql, ...params.length > 0 && { values: params }, rowMode: 'array' })
      return rows
    })
  }

  copyIn(sql: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
    return this.#run(async () => {
      let failure: unknown
      const source = async function* (): AsyncGenerator<Uint8Array> {
        try {
          yield* bytes
        } catch (error) {
          failure = error
          throw error
        }
      }
      try {
        const copy = this.#client.query(this.#packages.from(sql))
        await pipeline(Readable.from(source(), { objectMode: false }), copy)
        return copy.rowCount!
      } catch (error) {
        throw failure ?? error
      }
    })
  }

  async * copyOut(sql: string, target: CopyTarget): AsyncGenerator<Uint8Array> {
    if (this.#signal?.aborted) throw abortError(this.#signal)
    try {
      yield* this.#client.query(new CopyOut(sql, target))
    } catch (error) {
      throw this.#signal?.aborted ? abortError(this.#signal) : postgresError(error)
    }
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    // A statement that still runs would be waited for.
    this.#client.connection.stream.destroy()
    await this.#client.end().catch(() => {})
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#signal?.aborted) throw abortError(this.#signal)
    try {
      return await work()
    } catch (error) {
      throw this.#signal?.aborted ? abortError(this.#signal) : postgresError(error)
    }
  }
}

/** Codes of PostgreSQL, or their class, and ours. */
const codes: Readonly<Record<string, ErrorCode>> = {
  '08': 'UNAVAILABLE', '22': 'EINVAL', '23': 'EINVAL', '28': 'UNAUTHENTICATED', '3D': 'ENOENT', '40': 'UNAVAILABLE', '42': 'EINVAL',
  '42501': 'EACCES', '42P01': 'ENOENT', '53': 'OVERLOADED', '53100': 'ENOSPC', '55': 'EBUSY', '57': 'UNAVAILABLE', '57014': 'TIMEOUT',
}

function postgresError(error: unknown): GristmillError {
  if (error instanceof GristmillError) return error
  const { code = '', message, where, detail, hint } = error as Error & Partial<Record<'code' | 'where' | 'detail' | 'hint', string>>
  if (!/^[0-9A-Z]{5}$/.test(code))
    return new GristmillError('UNAVAILABLE', `the connection to PostgreSQL has failed: ${message || code}`, { cause: error })
  const worded = (...texts: readonly (string | undefined)[]): string =>
    message + texts.filter(text => text !== undefined && text !== '').map(text => ` (${text})`).join('')
  return new GristmillError(codes[code] ?? codes[code.slice(0, 2)] ?? 'EINVAL', `PostgreSQL: ${worded(detail, where, hint)}`, {
    cause: error, details: { sqlstate: code, reason: worded(detail, hint), ...where !== undefined && { where } },
  })
}
