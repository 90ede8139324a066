// Baseline of the data plane: one process that reads bytes from a raw socket into reused buffers, checksums every 64 KiB, writes them to
// a file, forwards them to the next hop if there is one, and syncs at the end. It has no frames, no names and no failure handling. It also
// serves reads: a file to a socket.
//
// A connection opens with 16 bytes: 'W' or 'R', a number for the file's name, the length. A write is answered with one byte once it is
// synced here and at the next hops. argv: directory, next port or 0. Sends its port by IPC, and its CPU and memory use when asked.

import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { crc32c } from '@node-rs/crc32'

const pieceBytes = 256 * 1024
const chunkBytes = 64 * 1024
const ringSize = 6
const headBytes = 16

export const ringOf = (): Buffer[] => Array.from({ length: ringSize }, () => Buffer.allocUnsafeSlow(pieceBytes))

export function head(op: 'W' | 'R', name: number, length: number): Buffer {
  const bytes = Buffer.alloc(headBytes)
  bytes.write(op, 0)
  bytes.writeUInt32LE(name, 4)
  bytes.writeUInt32LE(length, 8)
  return bytes
}

function sums(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += chunkBytes) crc32c(bytes.subarray(at, at + chunkBytes))
}

/** Sends a range of a file; `sum`: checksummed. */
export function sendFile(socket: Socket, fd: number, { start, length, sum }: { start: number; length: number; sum: boolean }): void {
  const free = ringOf()
  let at = 0
  const go = (): void => {
    while (free.length > 0 && at < length) {
      const buffer = free.pop()!
      const bytes = buffer.subarray(0, Math.min(pieceBytes, length - at))
      readSync(fd, bytes, 0, bytes.length, start + at)
      if (sum) sums(bytes)
      at += bytes.length
      socket.write(bytes, () => { free.push(buffer); go() })
    }
  }
  go()
}

function serve(directory: string, next: number): void {
  const server = createServer({ pauseOnConnect: true, noDelay: true }, accepted => {
    const handle = (accepted as unknown as { _handle: unknown })._handle;
    (accepted as unknown as { _handle: unknown })._handle = null
    const free = ringOf()
    let down: Socket | undefined
    let fd = -1
    let left = 0
    let waiting = 0
    let paused = false
    let current: Buffer | undefined
    const give = (buffer: Buffer): void => {
      free.push(buffer)
      if (paused) { paused = false; socket.resume() }
    }
    const done = (): void => { if (--waiting === 0) socket.write('k') }
    const take = (buffer: Buffer, bytes: Buffer): void => {
      left -= bytes.length
      if (down) down.write(bytes, () => give(buffer))
      sums(bytes)
      writeSync(fd, bytes)
      if (!down) give(buffer)
      if (left > 0) return
      fdatasyncSync(fd)
      closeSync(fd)
      done()
    }
    const socket = new Socket({ handle, onread: {
      buffer: () => (current ??= free.pop() ?? Buffer.allocUnsafeSlow(pieceBytes)),
      callback: (count: number): boolean => {
        const buffer = current!
        current = undefined
        if (left > 0) {
          take(buffer, buffer.subarray(0, count))
        } else {
          const op = String.fromCharCode(buffer[0]!)
          const path = `${directory}/${buffer.readUInt32LE(4)}`
          if (op === 'R') {
            const file = openSync(path, 'r')
            sendFile(socket, file, { start: 0, length: fstatSync(file).size, sum: false })
            give(buffer)
          } else {
            left = buffer.readUInt32LE(8)
            fd = openSync(path, 'w')
            waiting = 1
            if (next > 0) {
              waiting = 2
              if (!down) {
                down = connect({ host: '127.0.0.1', port: next, noDelay: true })
                down.on('data', done)
              }
              down.write(Buffer.from(buffer.subarray(0, headBytes)))
            }
            if (count > headBytes) take(buffer, buffer.subarray(headBytes, count))
            else give(buffer)
          }
        }
        if (free.length === 0) { paused = true; return false }
        return true
      },
    } } as object)
    socket.on('error', () => {})
    socket.on('close', () => down?.destroy())
    socket.resume()
  })
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as { port: number }).port }))
  process.on('message', () => process.send!({ cpu: process.cpuUsage(), rss: process.resourceUsage().maxRSS * 1024 }))
}

if (process.argv[1] === import.meta.filename) serve(process.argv[2]!, Number(process.argv[3]))
