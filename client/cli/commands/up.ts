// up: runs a cluster of separate processes on this machine. Stays in the foreground until Ctrl-C, or returns with --detach.

import { up } from '../../process/up.ts'
import type { CommandContext } from '../context.ts'
import type { Options } from '../program.ts'
import { processLines } from '../statusview.ts'

export async function run(
  context: CommandContext, _operands: readonly string[], options: Options & { readonly detach?: boolean },
): Promise<void> {
  const { printer, signal, env, cwd } = context
  const detach = options.detach === true
  await up({
    settings: await context.settings(), flags: options, world: await context.world(), machine: await context.machine(), env, cwd, detach,
    signal,
    ready: async running => {
      if (context.json) {
        const { namenode, cluster, secretFile, dir, processes } = running
        await printer.json(
          {
            namenode, cluster, secretFile, dir,
            processes: processes.map(({ role, id, address, pid, dir: data }) => ({ role, id, address, pid, dir: data })),
          },
          { compact: true },
        )
      } else {
        for (const line of processLines(running.processes)) await printer.line(line)
        await printer.line()
        await printer.line(`ready at ${running.namenode}${detach ? '; "gristmill down" stops it' : '; Ctrl-C stops it'}`)
      }
      await printer.flush()
    },
    note: text => printer.complain(context.json ? JSON.stringify({ note: text }) : `gristmill: up: ${text}`),
  })
}
