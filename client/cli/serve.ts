// What the two server commands share: the ready line on stdout, which is all that they ever print there, and a quiet end.

import type { Ready, ServerRun } from '../process/run.ts'
import type { CommandContext } from './context.ts'

export async function serve(context: CommandContext, start: (run: ServerRun) => Promise<void>): Promise<void> {
  const { printer, signal } = context
  await start({
    settings: await context.settings(), world: await context.world(), machine: await context.machine(), signal,
    ready: async ready => {
      if (context.json) await printer.json(ready, { compact: true })
      else await printer.line(readyLine(ready))
      // Whoever started this process waits for the line.
      await printer.flush()
    },
  })
}

const readyLine = ({ role, id, address, pid, dir }: Ready): string =>
  `${role} ${id} is ready at ${address} (process ${pid}, data in ${dir})`
