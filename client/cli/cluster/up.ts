// up and down: run a cluster of separate processes on this machine, and stop it. up stays in the foreground until Ctrl-C, or returns with
// --detach.

import { isLoopback } from '../../../src/base/loopback.ts'
import type { CommandContext, Options } from '../context.ts'
import { option, type CommandSpec } from '../spec.ts'
import { optionsOf } from './server.ts'
import { processLines } from './view.ts'

export const up: CommandSpec = {
  name: 'up', args: '',
  about: 'start a cluster of processes on this machine',
  notes:
    'Ctrl-C stops all processes, unless they were started with --detach. Their data is kept: the next `up` uses it again, with the same ports, the datanodes that have data, '
    + 'and the previous options, over variables and the settings file, unless new ones are given. If some of the processes already run, it starts the others; those that run take new options when they are started again.\n\n'
    + 'Once a home has such a cluster, commands use it, and fail while it does not run or its data directory is missing (a disk that is not mounted). Files of the embedded cluster are still reachable with --cluster embedded.',
  options: [option('--detach', 'run in the background; return when all processes are ready'), ...optionsOf('up')],
  examples: [
    ['gristmill up --datanodes 3 --detach', 'in the background'],
    ['gristmill down', 'stop it'],
  ],
  run: runUp,
}

export const down: CommandSpec = {
  name: 'down', args: '', about: 'stop the cluster that `up` started',
  options: [], examples: [['gristmill down', 'the data is kept']],
  run: runDown,
}

async function runUp(
  context: CommandContext, _operands: readonly string[], options: Options & { readonly detach?: boolean },
): Promise<void> {
  const { printer, signal, env, cwd } = context
  const detach = options.detach === true
  const [{ up: start }, { findSettings }] = await Promise.all([import('../../process/up.ts'), import('../../discovery/readsettings.ts')])
  const [{ disk }, machine] = [await context.world(), await context.machine()]
  const { settings, origins } = await findSettings({ disk, machine }, context.options)
  await start({
    settings, origins, flags: options, world: await context.world(), machine: await context.machine(), env, cwd, detach,
    signal,
    ready: async (running, console) => {
      if (context.json) {
        const { namenode, cluster, secretFile, dir, processes } = running
        await printer.json(
          {
            namenode, cluster, secretFile, dir, ...console !== undefined && { console },
            processes: processes.map(({ role, id, address, pid, dir: data, endpoints }) =>
              ({ role, id, address, pid, dir: data, ...endpoints && { endpoints } })),
          },
          { compact: true },
        )
      } else {
        for (const line of processLines(running.processes, printer.tableWidth)) await printer.line(line)
        await printer.line()
        await printer.line(context.hint(await consoleLine(context, console)))
        await printer.line(context.hint(`ready at ${running.namenode}${detach ? '; "gristmill down" stops it' : '; Ctrl-C stops it'}`))
      }
      await printer.flush()
    },
    note: text => printer.complain(context.json ? JSON.stringify({ note: text }) : `gristmill: up: ${context.hint(text)}`),
  })
}

/** Place of the console, with a link that logs in if it is on this machine. */
async function consoleLine(context: CommandContext, url: string | undefined): Promise<string> {
  if (url === undefined) return 'gristmill console shows it in a browser'
  const advice = `the console is at ${url}; gristmill console --at URL, as the browser reaches it, prints a link`
  if (!isLoopback(new URL(url).hostname)) return advice
  const [{ linkTo }, { openMills }] = await Promise.all([import('../../process/console.ts'), import('../../embedded/open.ts')])
  const { signal } = context
  const parts = { settings: await context.settings(), world: await context.world(), machine: await context.machine(), signal }
  // The cluster is ready without a link, too.
  const made = await linkTo(parts, url, () => openMills(parts)).catch(() => undefined)
  return made ? `the console, for ${made.user}, once and within 15 minutes:\n${made.link}` : advice
}

async function runDown(context: CommandContext): Promise<void> {
  const { printer } = context
  const { down: stop } = await import('../../process/down.ts')
  const report = await stop({ settings: await context.settings(), world: await context.world(), machine: await context.machine() })
  for (const { message } of report.failures) context.note(message)
  if (context.json) {
    return printer.json({ dir: report.dir, stopped: report.stopped.map(({ process: { role, id, pid }, how }) => ({ role, id, pid, how })) })
  }
  if (report.dir === undefined) return printer.note('no process of "gristmill up" is running')
  for (const {
    process: { role, id, pid }, how,
  } of report.stopped)
    await printer.line(
      `${id === '' ? role : `${role} ${id}`} (process ${pid}) ${how === 'killed' ? 'did not end in time and was killed' : how}`,
    )
  printer.note(`the data is kept in ${report.dir}`)
}
