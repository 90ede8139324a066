// console: serves the pages for people on this machine, and prints a link that logs in.

import type { OpenedConsole } from '../../process/console.ts'
import { parseWhole } from '../../../src/base/units.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { option, type CommandSpec } from '../spec.ts'

const portOf = (text: string): number => {
  const port = parseWhole(text, 0, 65_535)
  if (Number.isNaN(port)) throw new Refusal('EINVAL', `"${text}" is not a port; write a number from 0 to 65535`)
  return port
}

interface Flags { readonly port?: number; readonly at?: string; readonly print?: boolean }

export const console: CommandSpec = {
  name: 'console', args: '', about: 'show cluster, files and jobs in a browser',
  notes:
    'Serves the console of the cluster on this machine until Ctrl-C, and prints a link. The link logs in once, within 15 minutes, as this user; the session lasts up to 12 hours. A browser is opened if there is a screen and the output is a terminal. With --at nothing is served: it prints a link to a console that a gateway serves (gristmill gateway --console).',
  options: [
    option('--port <n>', 'port to listen on; 0: any free one (default: 8610, or a free one if that is taken)', { parse: portOf }),
    option('--at <url>', 'print a link to the console of a gateway instead, at the address that the browser uses'),
    option('--print', 'print the link, and open no browser'),
  ],
  examples: [
    ['gristmill console', 'the console of this cluster, on this machine'],
    ['gristmill console --at http://gateway:8610', 'a link to the console of a gateway'],
  ],
  run,
}

async function run(context: CommandContext, _operands: readonly string[], { port, at, print = false }: Flags): Promise<void> {
  const [{ linkTo, runConsole }, { openMills }] = await Promise.all([
    import('../../process/console.ts'), import('../../embedded/open.ts'),
  ])
  const { signal } = context
  const parts = { settings: await context.settings(), world: await context.world(), machine: await context.machine(), signal }
  const open = () => openMills(parts)
  if (at !== undefined) return show(context, await linkTo(parts, at, open))
  let unopen = async (): Promise<void> => {}
  try {
    await runConsole(parts, port, {
      open,
      opened: async opened => {
        await show(context, opened)
        const { environment } = parts.machine
        if (!print && !context.json && context.printer.outIsTerminal)
          unopen = await browse({ disk: parts.world.disk, environment }, opened.link, parts.settings.home)
      },
    })
  } finally {
    await unopen()
  }
}

async function browse(...given: Parameters<typeof import('../../../src/world/browser.ts').openBrowser>): Promise<() => Promise<void>> {
  const { openBrowser } = await import('../../../src/world/browser.ts')
  return openBrowser(...given)
}

async function show({ printer, json }: CommandContext, opened: OpenedConsole): Promise<void> {
  const { url, link, user } = opened
  if (json) await printer.json(opened, { compact: true })
  else await printer.line(`the console is at ${url}; this link logs in ${user}, once and within 15 minutes:\n${link}`)
  await printer.flush()
}
