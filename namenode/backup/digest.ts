// Digest of a state: SHA-256 over all rows in order. States with equal digests are equal byte by byte, independent of their
// layout on pages. The state at operation n has the digest of a replay of operations 1 to n.

import { createHash } from 'node:crypto'
import type { RowCheck } from '../../src/ports/store.ts'
import type { World } from '../../src/ports/world.ts'
import { checkRow, decodeValue, unseal } from '../journal/codec.ts'
import { countersKey, decodeCounters, type StateCounters } from '../journal/counters.ts'
import { textKey } from '../journal/keys.ts'

export interface Facts {
  readonly digest: string
  readonly rows: number
  /** undefined: the store is empty. */
  readonly counters: StateCounters | undefined
  readonly cluster: string | undefined
}

/** Rows are hashed in batches: a call of the hash costs more than most rows. */
const gatherBytes = 256 * 1024
const headBytes = 8

class Digest {
  readonly #hash = createHash('sha256')
  readonly #gathered = Buffer.allocUnsafe(gatherBytes)
  #at = 0
  #table = ''
  #rows = 0
  #counters: StateCounters | undefined
  #cluster: string | undefined

  /** Checks a row and adds it to the digest. Throws CORRUPT. */
  readonly row: RowCheck = (table, bytes, keyAt, valueAt, end) => {
    checkRow(table, bytes, keyAt, valueAt, end)
    if (table !== this.#table) {
      this.#table = table
      this.#take(Buffer.from(`\n${table}\n`))
    }
    this.#rows++
    const length = headBytes + end - keyAt
    if (this.#at + length > gatherBytes) this.#flush()
    if (length > gatherBytes) {
      const head = Buffer.allocUnsafe(headBytes)
      writeHead(head, 0, valueAt - keyAt, end - valueAt)
      this.#hash.update(head).update(bytes.subarray(keyAt, end))
    } else {
      writeHead(this.#gathered, this.#at, valueAt - keyAt, end - valueAt)
      bytes.copy(this.#gathered, this.#at + headBytes, keyAt, end)
      this.#at += length
    }
    if (table === 'meta') this.#meta(bytes.subarray(keyAt, valueAt), bytes.subarray(valueAt, end))
  }

  done(): Facts {
    this.#flush()
    return { digest: this.#hash.digest('hex'), rows: this.#rows, counters: this.#counters, cluster: this.#cluster }
  }

  #meta(key: Buffer, sealed: Buffer): void {
    if (key.equals(countersKey)) this.#counters = decodeCounters(unseal('meta', key, sealed))
    else if (key.equals(textKey('cluster'))) this.#cluster = decodeValue<{ cluster: string }>(unseal('meta', key, sealed)).cluster
  }

  #take(bytes: Buffer): void {
    if (this.#at + bytes.length > gatherBytes) this.#flush()
    this.#at += bytes.copy(this.#gathered, this.#at)
  }

  #flush(): void {
    this.#hash.update(this.#gathered.subarray(0, this.#at))
    this.#at = 0
  }
}

function writeHead(target: Buffer, at: number, keyBytes: number, valueBytes: number): void {
  target.writeUInt32LE(keyBytes, at)
  target.writeUInt32LE(valueBytes, at + 4)
}

/** Digest and facts of a closed store. Throws CORRUPT for the first damage. */
export async function factsOf({ inspectStore }: Pick<World, 'inspectStore'>, directory: string): Promise<Facts> {
  const digest = new Digest()
  await inspectStore(directory, digest.row)
  return digest.done()
}
