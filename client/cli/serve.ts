// Runs a server command: prints the ready line, its only output on stdout, and returns when a signal ends the server.

import type { Ready, ServerRun } from '../process/run.ts'
import type { CommandContext } from './context.ts'

export async function serve(context: CommandContext, start: (run: ServerRun) => Promise<void>): Promise<void> {
  const { printer, signal } = context
  await start({
    settings: await context.settings(), world: await context.world(), machine: await context.machine(), signal,
    ready: async ready => {
      if (context.json) await printer.json(ready, { compact: true })
      else await printer.line(readyLine(ready))
      // The parent process waits for this line.
      await printer.flush()
    },
  })
}

const readyLine = ({ role, id, address, pid, dir }: Ready): string =>
  `${role} ${id} is ready at ${address} (process ${pid}, data in ${dir})`
