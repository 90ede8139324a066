// completion: prints a completion script for a shell, generated from the specifications of the commands. For names that only the cluster
// knows the script calls this command with --list, which prints them.
// Invariant: completing a word starts no embedded cluster where there is none, waits no more than two seconds, and prints no error.

import { GristmillError } from '../../src/base/errors.ts'
import { normalise } from '../../src/base/paths.ts'
import type { Mill } from '../mill.ts'
import { completionScript, shells, type Words } from './completionscript.ts'
import type { CommandContext } from './context.ts'
import { oneOf, option, type CommandSpec } from './spec.ts'

const kinds = ['paths', 'jobs', 'nodes'] as const
type Kind = (typeof kinds)[number]

/** `load`: loads the specifications of all commands, this one among them. */
export const completionOf = (load: () => Promise<Words>): CommandSpec => ({
  name: 'completion', args: '[shell]', about: 'print a completion script for bash, zsh or fish',
  notes: 'The script completes commands, verbs, options and their values, local files, and of the cluster: paths, jobs and datanodes, also after `npx gristmill`.',
  mayBeEmpty: 0,
  operands: [['[shell]', 'bash, zsh or fish']],
  options: [
    option('--list <kind>', 'print the names of the cluster that begin with the operand', { parse: oneOf(...kinds), hidden: true }),
  ],
  examples: [
    ['gristmill completion bash >> ~/.bashrc', 'for every new shell'],
    ['gristmill completion fish > ~/.config/fish/completions/gristmill.fish', 'the same for fish'],
  ],
  run: async (context: CommandContext, [operand]: readonly string[], { list }: { list?: Kind }): Promise<void> => {
    if (list) return printNames(context, list, operand ?? '')
    const shell = shells.find(name => name === operand)
    if (!shell)
      throw new GristmillError(
        'USAGE',
        operand === undefined ? 'name the shell: bash, zsh or fish' : `"${operand}" is not a supported shell; supported are bash, zsh and fish`,
      )
    await context.printer.text(completionScript(shell, await load()))
  },
})

const waitMs = 2_000
/** More names than a person reads. */
const namesMax = 1_000

async function printNames(context: CommandContext, kind: Kind, prefix: string): Promise<void> {
  const ending = new AbortController()
  const signal = AbortSignal.any([context.signal, ending.signal])
  const { clock } = await context.world()
  const late = clock.sleep(waitMs, signal).then(() => [], () => [])
  try {
    const names = await Promise.race([namesOf(context, { kind, prefix, signal }), late])
    for (const name of names) await context.printer.raw(`${name}\n`)
  } catch {
    // The shell shows no error while a word is typed; the command itself will.
  } finally {
    ending.abort()
  }
}

async function namesOf(
  context: CommandContext, { kind, prefix, signal }: { kind: Kind; prefix: string; signal: AbortSignal },
): Promise<string[]> {
  if (await isEmpty(context)) return []
  const mill = await context.mill()
  if (kind === 'paths') return pathsOf(mill, prefix, signal)
  const names = kind === 'jobs'
    ? ['last', ...(await mill.jobs({ limit: 50, signal })).map(({ job }) => String(job))]
    : (await mill.clusterStatus({ signal })).nodes.map(({ address }) => String(address))
  return names.filter(name => name.startsWith(prefix))
}

/** True if commands mean an embedded cluster that was never made. */
async function isEmpty(context: CommandContext): Promise<boolean> {
  const [settings, { disk }, machine, { locate }] = await Promise.all([
    context.settings(), context.world(), context.machine(), import('../discovery/locate.ts'),
  ])
  const place = await locate({ disk, machine }, settings)
  return place.kind === 'embedded' && !await disk.stat(place.dir)
}

/** Names below the directory that the prefix ends in, with what was typed before them; directories end with a slash. */
async function pathsOf(mill: Pick<Mill, 'list'>, prefix: string, signal: AbortSignal): Promise<string[]> {
  const typed = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const directory = normalise(typed)
  const found: string[] = []
  for await (const { path, type } of mill.list(directory, { signal })) {
    const name = path.slice(path.lastIndexOf('/') + 1)
    // A line end would be two names, and hidden ones are completed when their dot is typed.
    if (!`${typed}${name}`.startsWith(prefix) || /[\n\r]/.test(name) || (name.startsWith('.') && prefix === typed)) continue
    found.push(`${typed === '' && prefix === '' ? '/' : typed}${name}${type === 'directory' ? '/' : ''}`)
    if (found.length >= namesMax) break
  }
  return found
}
