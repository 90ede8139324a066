// Wrapper of a misbehaving program. It travels in the bundle; at the chosen call it asks the test's process for permission to misbehave,
// and then does. It imports only modules that a program may import.

import { connect } from 'node:net'
import { mapReduce, type Definition, type MapReduce, type Params } from '../../src/program/authoring.ts'

export interface Plan {
  readonly in: 'map' | 'reduce'
  readonly how: 'throw' | 'hang' | 'exit' | 'heap' | 'memory'
  /** Number of the call within an attempt. */
  readonly nth: number
  /** Port on which the test's process answers. */
  readonly port: number
}

type Program = MapReduce | ((params: Params) => MapReduce | Promise<MapReduce>)

/** Accepts every form of a program: definition or function of parameters. */
export function misbehave(program: Program, plan: Plan): Program {
  return typeof program === 'function' ? async params => changed(await program(params), plan) : changed(program, plan)
}

function changed({ definition }: MapReduce, plan: Plan): MapReduce {
  let calls = 0
  const before = async (): Promise<void> => {
    if (++calls === plan.nth && await allowed(plan.port)) await act(plan.how)
  }
  const { map, reduce } = definition
  return mapReduce({
    ...definition,
    ...plan.in === 'map' && { map: async (...args) => { await before(); return map(...args) } },
    ...plan.in === 'reduce' && reduce && { reduce: async (...args) => { await before(); return reduce(...args) } },
  } as Definition)
}

/** The reply is one byte; a test that has ended sends none. */
function allowed(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('data', answer => { resolve(answer[0] === 1); socket.destroy() })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}

async function act(how: Plan['how']): Promise<void> {
  const kept: unknown[] = []
  switch (how) {
    case 'throw': throw new Error('this call was told to throw')
    case 'exit': return process.exit(0)
    case 'hang': for (;;) kept.length = 0
    case 'heap': for (;;) kept.push(Array.from({ length: 1000 }, () => ({ grain: Math.sqrt(kept.length) })))
    // Outside of V8's heap, and written to, so that it counts as resident memory.
    case 'memory': for (;;) {
      kept.push(Buffer.alloc(16 << 20, 1))
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}
