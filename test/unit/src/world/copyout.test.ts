// COPY … TO STDOUT over the messages of a PostgreSQL server, wherever the reads of the socket end: rows in their order, what comes behind
// them to the package, a caller that is slow, and errors behind the rows that came.

import { expect, test } from 'vitest'
import { CopyOut } from '../../../../src/world/copyout.ts'

const message = (type: string, body: string): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeUInt32BE(Buffer.byteLength(body) + 4, 1)
  return Buffer.concat([head, Buffer.from(body)])
}

/** A connection as the package has it, and a target that keeps the rows as they are. */
function connected() {
  let listeners: Array<(bytes: Buffer) => void> = []
  const given: Buffer[] = []
  const own = (bytes: Buffer): void => { given.push(bytes) }
  listeners.push(own)
  let isPaused = false
  let isDestroyed = false
  const stream = {
    listeners: () => listeners, on: (_: 'data', listener: (bytes: Buffer) => void) => { listeners.push(listener) },
    removeListener: (_: 'data', listener: (bytes: Buffer) => void) => { listeners = listeners.filter(each => each !== listener) },
    pause: () => { isPaused = true }, resume: () => { isPaused = false }, destroy: () => { isDestroyed = true },
  }
  let rows: Uint8Array[] = []
  const target = {
    put: (bytes: Uint8Array, start: number, end: number): void => {
      const row = Buffer.from(bytes.subarray(start, end))
      if (row.toString() === 'bad\n') throw new Error('no row')
      rows.push(row)
    },
    take: (): Uint8Array[] => rows.splice(0, rows.length),
  }
  const asked: string[] = []
  const copy = new CopyOut('COPY t TO STDOUT', target)
  copy.submit({ stream, query: sql => { asked.push(sql) } })
  return {
    copy, asked, given: () => Buffer.concat(given).toString('latin1'), isPaused: () => isPaused, isDestroyed: () => isDestroyed,
    send: (bytes: Buffer) => { for (const listener of listeners) listener(bytes) },
    isPackages: () => listeners.length === 1 && listeners[0] === own,
  }
}

const textOf = async (copy: CopyOut): Promise<string> => Buffer.concat(await Array.fromAsync(copy)).toString()

test('rows come in their order wherever a read ends, and what is behind them goes to the package', async () => {
  const texts = ['a\n', '\n', `${'long '.repeat(40)}\n`, 'é\tb\n']
  const end = Buffer.concat([message('c', ''), message('C', 'COPY 4\0'), message('Z', 'I')])
  const wire = Buffer.concat([message('H', 'xyz'), message('d', texts[0]!), message('S', 'TimeZone\0'),
    ...texts.slice(1).map(text => message('d', text)), end])
  for (let size = 1; size <= wire.length; size += size < 40 ? 1 : 17) {
    const { copy, send, given, asked, isPackages } = connected()
    for (let at = 0; at < wire.length; at += size) send(wire.subarray(at, at + size))
    expect([asked, given(), isPackages()]).toEqual([['COPY t TO STDOUT'], end.toString('latin1'), true])
    copy.handleCommandComplete()
    copy.handleReadyForQuery()
    expect(await textOf(copy)).toBe(texts.join(''))
  }
})

test('a socket is read no further while the caller is slow', async () => {
  const { copy, send, isPaused } = connected()
  const row = message('d', `${'x'.repeat(1 << 18)}\n`)
  let sent = 0
  while (!isPaused()) {
    send(row)
    sent++
  }
  expect(sent).toBeLessThanOrEqual(5)
  const pieces = copy[Symbol.asyncIterator]()
  for (let i = 0; i < sent; i++) await pieces.next()
  expect(isPaused()).toBe(false)
  send(message('c', ''))
  copy.handleReadyForQuery()
  expect(await pieces.next()).toEqual({ done: true, value: undefined })
})

test('an error of the server or of the connection comes behind the rows before it; one of the target ends the session', async () => {
  const { copy, send, given, isPackages } = connected()
  const failure = message('E', 'SERROR\0')
  send(Buffer.concat([message('d', 'a\n'), failure]))
  expect([given(), isPackages()]).toEqual([failure.toString('latin1'), true])
  copy.handleError(new Error('as the package says'))
  const pieces = copy[Symbol.asyncIterator]()
  expect(Buffer.from((await pieces.next()).value!).toString()).toBe('a\n')
  await expect(pieces.next()).rejects.toThrow('as the package says')
  const bad = connected()
  bad.send(Buffer.concat([message('d', 'a\n'), message('d', 'bad\n')]))
  expect([bad.isDestroyed(), bad.isPackages()]).toEqual([true, true])
  await expect(textOf(bad.copy)).rejects.toThrow('no row')
})
