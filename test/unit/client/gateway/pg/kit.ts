// A server of the PostgreSQL protocol over local files, in this process, without a cluster; and a raw client of it.

import net from 'node:net'
import { PgServer } from '../../../../../client/gateway/pg/server.ts'
import type { ListedTable } from '../../../../../client/gateway/pg/catalogue.ts'
import type { Certificate } from '../../../../../client/gateway/certificate.ts'
import type { SqlOptions } from '../../../../../client/sql/query.ts'
import type { SqlParams } from '../../../../../client/sql/statement.ts'
import { silent } from '../../../../../src/ports/log.ts'
import { systemClock } from '../../../../../src/world/clock.ts'
import { openDuckDB } from '../../../../../src/world/duckdb.ts'
import { systemNet } from '../../../../../src/world/net.ts'
import { systemRandom } from '../../../../../src/world/random.ts'
import type { Local } from '../../sql/kit.ts'

interface Options {
  readonly host?: string
  readonly keys?: Readonly<Record<string, { readonly user: string; readonly secret: string }>>
  readonly certificate?: Certificate
  readonly tables?: readonly ListedTable[]
  readonly sessionsMax?: number
  /** Queries read no local files, as those of a gateway's Mills. */
  readonly asGateway?: true
  /** In place of queries over local files; undefined: that query is one. */
  readonly sql?: (text: string, signal: AbortSignal, params: SqlParams) => unknown
  /** Names of users, as their sessions begin. */
  readonly onUser?: (user: string) => void
}

export async function startServer(on: Local, options: Options = {}): Promise<{ server: PgServer; port: number }> {
  const { host = '127.0.0.1', keys = {}, certificate, tables = [], sessionsMax, sql, onUser } = options
  const mill = {
    sql: (text: string, params: SqlParams, own: SqlOptions) =>
      sql?.(text, own.signal!, params) ?? on.query(text, params, { ...own, localFiles: !options.asGateway }),
    tables: { async *list() { yield* tables }, describe: async (name: string) => tables.find(table => table.name === name) },
  }
  const users = {
    as: async (user: string, work: (mill: never) => Promise<unknown>) => {
      onUser?.(user)
      return work(mill as never)
    },
  }
  const server = await PgServer.start(systemNet(silent), {
    users: users as never, accessKey: async id => keys[id], clock: systemClock, random: systemRandom(), log: silent,
      openDatabase: openDuckDB,
    certificate,
  }, { host, port: 0, sessionsMax })
  return { server, port: Number(server.address.split(':').at(-1)) }
}

/** A client that sends bytes, and counts those that it receives while it reads. */
export class RawClient {
  readonly socket: net.Socket
  received = Buffer.alloc(0)
  isClosed = false

  constructor(port: number) {
    this.socket = net.connect({ host: '127.0.0.1', port })
    this.socket.on('data', bytes => { this.received = Buffer.concat([this.received, bytes]) })
    this.socket.on('error', () => {})
    this.socket.on('close', () => { this.isClosed = true })
  }

  send(...bytes: readonly Buffer[]): this {
    this.socket.write(Buffer.concat(bytes))
    return this
  }

  /** Values of the rows that came, as bytes. */
  get rows(): (Buffer | null)[][] {
    const rows: (Buffer | null)[][] = []
    for (let at = 0; at + 5 <= this.received.length; at += 1 + this.received.readInt32BE(at + 1)) {
      if (this.received[at] !== 0x44) continue
      let from = at + 7
      rows.push(Array.from({ length: this.received.readInt16BE(at + 5) }, () => {
        const length = this.received.readInt32BE(from)
        from += 4 + Math.max(0, length)
        return length < 0 ? null : this.received.subarray(from - length, from)
      }))
    }
    return rows
  }

  get types(): string {
    let [at, types] = [0, '']
    while (at + 5 <= this.received.length) {
      types += String.fromCharCode(this.received[at]!)
      at += 1 + this.received.readInt32BE(at + 1)
    }
    return types
  }
}

export const startup = (user = 'ada', code = 196_608): Buffer => {
  const body = Buffer.from(`user\0${user}\0database\0x\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(body.length + 8, 0)
  head.writeInt32BE(code, 4)
  return Buffer.concat([head, body])
}

export const message = (type: string, body: Buffer | string = ''): Buffer => {
  const bytes = Buffer.from(body as string)
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(bytes.length + 4, 1)
  return Buffer.concat([head, bytes])
}
