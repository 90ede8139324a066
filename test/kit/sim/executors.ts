// Executor processes of a simulated datanode: the production code, run in this process over simulated messages.

import { TaskRunnerChild } from '../../../datanode/executor/child.ts'
import type { FromExecutor, ToExecutor } from '../../../datanode/executor/messages.ts'
import type { Modules } from '../../../src/ports/modules.ts'
import type { ChildOptions, Processes } from '../../../src/ports/process.ts'
import type { Net } from '../../../src/ports/net.ts'
import { seeded } from '../../../src/world/random.ts'
import { SimDisk } from './disk.ts'
import { withUserCodeCost } from './usercode.ts'
import { Line } from './line.ts'
import { Process } from './process.ts'

export interface ExecutorWorld {
  readonly netOf: (process: Process) => Net
  readonly modulesOf: (process: Process) => Modules
}

const startMs = 40

export function executorsOf(parent: Process, { netOf, modulesOf }: ExecutorWorld): Processes {
  let count = 0
  return {
    endStrays: async () => 0,
    start({ onMessage, onExit, onOutput }: ChildOptions) {
      parent.must()
      const { kernel } = parent
      const number = ++count
      const process = new Process(kernel, `${parent.name}/executor${number}`, parent.host)
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
      const child = new TaskRunnerChild({
        clock: process.clock, disk: new SimDisk(process, parent.host),
        random: kernel.random(`${process.name}/${kernel.now}`),
        seeded,
        modules: withUserCodeCost(modulesOf(process), process, () => exit({ code: 0, signal: null })),
        net: () => netOf(process),
        print: (...parts) => {
          const bytes = Buffer.from(`${parts.map(String).join(' ')}\n`)
          child.print(bytes)
          void onOutput
        },
        send: async message => {
          process.must()
          say(message)
        },
      })
      kernel.schedule(startMs, process, 'ready', () => say({ kind: 'ready' }))
      return {
        pid: 1_000_000 + number,
        send: message => {
          const copy = structuredClone(message) as ToExecutor
          toChild.send('order', () => { void child.run(copy) })
        },
        kill: () => exit({ code: null, signal: 'SIGKILL' }),
        residentBytes: () => 0,
      }
    },
  }
}
