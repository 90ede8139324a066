// Processes that a simulated datanode starts, executors and drivers of programs: the production code, run in this process over simulated
// messages.

import { TaskRunnerChild } from '../../../datanode/executor/child.ts'
import type { FromExecutor, ToExecutor } from '../../../datanode/executor/messages.ts'
import type { Modules } from '../../../src/ports/modules.ts'
import type { ChildOptions, Processes } from '../../../src/ports/process.ts'
import type { Net } from '../../../src/ports/net.ts'
import { seeded } from '../../../src/world/random.ts'
import type { World } from '../../../src/ports/world.ts'
import { SimDisk } from './disk.ts'
import { driverMain, driverOf } from './driver.ts'
import { withUserCodeCost } from './usercode.ts'
import { Line } from './line.ts'
import { Process } from './process.ts'

export interface ExecutorWorld {
  readonly netOf: (process: Process) => Net
  readonly modulesOf: (process: Process) => Modules
  readonly worldOf: (process: Process) => World
}

const startMs = 40

export function executorsOf(parent: Process, { netOf, modulesOf, worldOf }: ExecutorWorld): Processes {
  let count = 0
  return {
    endStrays: async () => 0,
    start({ main, onMessage, onExit, onOutput }: ChildOptions) {
      parent.must()
      const { kernel } = parent
      const number = ++count
      const isDriver = main.href === driverMain.href
      const process = new Process(kernel, `${parent.name}/${isDriver ? 'driver' : 'executor'}${number}`, parent.host)
      const [toParent, toChild] = [new Line(kernel, parent), new Line(kernel, process)]
      const forget = parent.onEnd(() => process.end())
      const exit = (how: { code: number | null; signal: string | null }): void => {
        if (!process.alive) return
        process.end()
        forget()
        toParent.send(`${process.name} exit`, () => onExit(how))
      }
      const say = (message: FromExecutor): void => {
        const copy = structuredClone(message)
        toParent.send(`${process.name} ${message.kind}`, () => onMessage(copy))
      }
      const send = async (message: FromExecutor): Promise<void> => {
        process.must()
        say(message)
      }
      const kill = (): void => exit({ code: null, signal: 'SIGKILL' })
      const run = isDriver ? driverOf(process, { world: worldOf, send, kill }) : tasksOf(process)
      function tasksOf(own: Process): (order: ToExecutor) => void {
        const child = new TaskRunnerChild({
          clock: own.clock, disk: new SimDisk(own, parent.host),
          random: kernel.random(`${own.name}/${kernel.now}`),
          seeded,
          modules: withUserCodeCost(modulesOf(own), own, () => exit({ code: 0, signal: null })),
          net: () => netOf(own),
          print: (...parts) => {
            const bytes = Buffer.from(`${parts.map(String).join(' ')}\n`)
            child.print(bytes)
            void onOutput
          },
          send,
        })
        return order => { void child.run(order) }
      }
      kernel.schedule(startMs, process, 'ready', () => say({ kind: 'ready' }))
      return {
        pid: 1_000_000 + number,
        send: message => {
          const copy = structuredClone(message) as ToExecutor
          toChild.send('order', () => run(copy))
        },
        kill,
        residentBytes: () => 0,
      }
    },
  }
}
