// Client of the bench of key-value stores, in a process of its own: 64 connections, each with one request at a time, written and read as
// bytes, so that the client costs less than the server.

import { connect } from 'node:net'

const [port, keys, seconds] = process.argv.slice(2).map(Number) as [number, number, number]
const connections = 64
const times: number[] = []
let next = 0
let open = connections
const end = performance.now() + seconds * 1000

for (let i = 0; i < connections; i++) {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let at = 0
  let text = ''
  const ask = (): void => {
    if (performance.now() > end) {
      socket.destroy()
      if (--open === 0) report()
      return
    }
    at = performance.now()
    socket.write(`GET /v1/keys/user-${String(next++ * 7919 % keys).padStart(8, '0')} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`)
  }
  socket.setEncoding('latin1')
  socket.on('connect', ask)
  socket.on('data', (piece: string) => {
    text += piece
    const head = text.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = Number(/content-length: (\d+)/i.exec(text)![1])
    if (text.length < head + 4 + length) return
    if (!text.startsWith('HTTP/1.1 200')) throw new Error(text.slice(0, 200))
    text = ''
    times.push(performance.now() - at)
    ask()
  })
}

function report(): void {
  times.sort((a, b) => a - b)
  process.send!({ reads: times.length, p50: times[Math.floor(times.length / 2)], p99: times[Math.floor(times.length * 0.99)] })
  process.disconnect()
}
