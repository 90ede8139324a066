// The other end of process.ts: what the main file of a child uses. A child never outlives its parent: it ends when the
// channel closes, and because a user's endless loop would never notice that, a watchdog thread looks at the parent's id, and ends the
// child's group with it.

import { Worker } from 'node:worker_threads'
import { assert } from '../base/assert.ts'

export interface Parent {
  /** Structured clone, a few KiB at most. Resolves when it is handed to the system: what was sent before an exit arrives. */
  send(message: unknown): Promise<void>
  /** Called for each message, in order. Set it before the first await of the main file. */
  onMessage(handler: (message: unknown) => void): void
}

/** The first argument of every child; taken out of `process.argv` before the main file looks at it. */
export const parentFlag = '--parent-pid='

/**
 * Runs in a thread of its own, so it works while the main thread is stuck. 200 ms: a dead datanode's tasks end well before anybody takes it
 * for dead.
 */
const watchdog = `
  const { workerData } = require('node:worker_threads')
  const look = () => { if (process.ppid !== workerData) process.kill(-process.pid, 'SIGKILL') }
  look()
  setInterval(look, 200)
`

/** Only in a process started by `Processes.start`, and once. */
export function connectParent(): Parent {
  const flag = process.argv[2]
  assert(
    process.send && process.connected && flag !== undefined && flag.startsWith(parentFlag),
    'this main file is started by another process of gristmill',
  )
  process.argv.splice(2, 1)
  // With what it has started: it leads its group.
  process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'))
  const worker = new Worker(watchdog, {
    eval: true,
    env: {},
    workerData: Number(flag.slice(parentFlag.length)),
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 },
  })
  worker.on('error', error => { throw error })
  worker.unref()
  return {
    send: message => new Promise((resolve, reject) => {
      if (!process.connected) return reject(new Error('the parent process is gone'))
      process.send!(message, (error: Error | null) => { if (error) reject(error); else resolve() })
    }),
    onMessage: handler => { process.on('message', handler) },
  }
}
