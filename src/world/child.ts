// The child's side of process.ts, used by the main file of a child. Invariant: a child never outlives its parent. It ends when the
// channel closes; an endless loop of a user blocks that, so the parent's watch (watch.ts) kills the child's process group as well.

import { assert } from '../base/assert.ts'

interface Parent {
  /**
   * Structured clone, a few KiB at most. Resolves when the message is with the operating system: it arrives even if the child
   * exits then.
   */
  send(message: unknown): Promise<void>
  /** Sets the handler of messages, called in order. REQUIRES: set before the first await of the main file. */
  onMessage(handler: (message: unknown) => void): void
}

/** First argument of every child; removed from `process.argv` before the main file reads it. */
export const parentFlag = '--parent-pid='

/** Connects to the parent. REQUIRES: called once, in a process started by `Processes.start`. */
export function connectParent(): Parent {
  const flag = process.argv[2]
  assert(
    process.send && process.connected && flag !== undefined && flag.startsWith(parentFlag),
    'this main file is started by another process of gristmill',
  )
  process.argv.splice(2, 1)
  // The child leads its process group, so this also kills the processes that it started.
  const end = (): void => { process.kill(-process.pid, 'SIGKILL') }
  process.once('disconnect', end)
  // The parent ended while this process started.
  if (process.ppid !== Number(flag.slice(parentFlag.length))) end()
  return {
    send: message => new Promise((resolve, reject) => {
      if (!process.connected) return reject(new Error('the parent process is gone'))
      process.send!(message, (error: Error | null) => { if (error) reject(error); else resolve() })
    }),
    onMessage: handler => { process.on('message', handler) },
  }
}
