// The bound on TLS handshakes that have not ended: which one goes for a new one, and that each end is counted once.

import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { Handshakes } from '../../../../src/world/handshakes.ts'

class Client extends EventEmitter {
  readonly remoteAddress: string
  destroyed = false

  constructor(remoteAddress: string) {
    super()
    this.remoteAddress = remoteAddress
  }

  destroy(): this {
    this.destroyed = true
    this.emit('close')
    return this
  }
}

function begun(handshakes: Handshakes, address: string): Client {
  const client = new Client(address)
  handshakes.begin(client as never)
  handshakes.checkState()
  return client
}

test('at the bound the oldest handshake of the address with the most ends, and none of an address with fewer', () => {
  const handshakes = new Handshakes(4)
  const user = begun(handshakes, '10.0.0.1')
  const many = Array.from({ length: 20 }, () => begun(handshakes, '10.0.0.2'))
  const other = begun(handshakes, '10.0.0.3')
  expect(many.map(({ destroyed }) => destroyed)).toEqual([...Array<boolean>(18).fill(true), false, false])
  expect([user.destroyed, other.destroyed, handshakes.count, handshakes.displaced]).toEqual([false, false, 4, 18])
})

test('a handshake that has ended, or whose connection is gone, takes no place, and ends once', () => {
  const handshakes = new Handshakes(2)
  const [done, gone] = [begun(handshakes, 'a'), begun(handshakes, 'a')]
  handshakes.end(done as never)
  handshakes.end(done as never)
  gone.destroy()
  handshakes.checkState()
  expect(handshakes.count).toBe(0)
  const two = [begun(handshakes, 'b'), begun(handshakes, 'a')]
  expect([done.destroyed, ...two.map(({ destroyed }) => destroyed)]).toEqual([false, false, false])
  // A connection that was refused at once.
  const refused = new Client('c')
  refused.destroy()
  handshakes.begin(refused as never)
  expect([handshakes.count, handshakes.displaced]).toEqual([2, 0])
})
