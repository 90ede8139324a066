// Process of a simulated datanode that drives a program: the production code, whose program is compiled and loaded as that of a client.

import { driveTask } from '../../../client/driving/drive.ts'
import type { FromExecutor, ToExecutor } from '../../../datanode/executor/messages.ts'
import type { World } from '../../../src/ports/world.ts'
import { compilerOf } from './modules.ts'
import type { Process } from './process.ts'

/** Main file by which a datanode names such a process. */
export const driverMain = new URL('../../../client/driving/main.ts', import.meta.url)

interface DriverParts {
  readonly world: (process: Process) => World
  readonly send: (message: FromExecutor) => Promise<void>
  /** Ends the process. */
  readonly kill: () => void
}

/** Takes the one task of the process. */
export function driverOf(process: Process, { world: worldOf, send, kill }: DriverParts): (order: ToExecutor) => void {
  const world = worldOf(process)
  process.host.drivers.set(process.name, kill)
  for (const work of [...process.host.onDriver]) work()
  process.onEnd(() => { process.host.drivers.delete(process.name) })
  return ({ work, setup }) => {
    void (async () => {
      await send({ kind: 'began', attempt: work.attempt })
      const { printed } = process.host
      const print = (text: string): void => {
        if (process.alive) printed.set(work.attempt, (printed.get(work.attempt) ?? '') + text)
      }
      const outcome = await driveTask(world, { work, setup }, { print, compiler: compilerOf(process) })
      if (process.alive) await send({ kind: 'finished', attempt: work.attempt, outcome })
    })()
  }
}
